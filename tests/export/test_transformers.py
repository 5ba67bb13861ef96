"""Exports to plain transformers: the same logits, in a model that knows nothing of prompts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from peft import LoraConfig, get_peft_model
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from spt_whisper import Whisper
from spt_whisper.engines.engine import Row
from spt_whisper.errors import InputError
from spt_whisper.export.formats import FORMATS, export
from spt_whisper.export.settings import ExportConfig
from spt_whisper.export.source import MARK, ExportSource
from spt_whisper.features import log_mel
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.whisper.fingerprint import fingerprint_weights
from spt_whisper.whisper.injection import prompted
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import single_pass
from tests.export.exported import (
    FOLDING,
    FRAMES,
    NOT_FOLDING,
    exported,
    noise,
    random_prompt,
    tiny_on_disk,
)
from tests.small_disk import small_disk

TEXT = [5, 60, 7, 100]


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> FrozenWhisper:
    return tiny_on_disk(tmp_path_factory.mktemp("models") / "random")


@torch.no_grad()
@pytest.mark.parametrize("kind", FOLDING)
def test_plain_transformers_gives_the_same_logits(
    kind: str, whisper: FrozenWhisper, tmp_path: Path
) -> None:
    prompt = random_prompt(whisper, tmp_path / "prompt", kind)
    count = prompt.config.decoder_positions
    start = whisper.tokens.start(["es"], placeholders=count)
    features = torch.randn(2, 80, FRAMES, generator=torch.Generator().manual_seed(3))
    with prompted(whisper.model, prompt.vectors):
        states = whisper.encode(features)
        inputs = torch.tensor([[*start, *TEXT]] * 2)
        ours = whisper.model(encoder_outputs=(states,), decoder_input_ids=inputs).logits

    folder = exported(prompt, "transformers", tmp_path / "out")
    plain = WhisperForConditionalGeneration.from_pretrained(folder)
    tokenizer = WhisperProcessor.from_pretrained(folder).tokenizer
    names = [f"<|prompt{number}|>" for number in range(count)]
    start[1 : count + 1] = tokenizer.convert_tokens_to_ids(names)
    inputs = torch.tensor([[*start, *TEXT]] * 2)
    theirs = plain(input_features=features, decoder_input_ids=inputs).logits
    size = whisper.config.vocab_size
    differ = (ours - theirs[..., :size]).abs().amax(dim=(0, 1)) > 1e-4
    soft = [whisper.tokens.language("es")] if "language" in prompt.config.sites else []
    assert differ.nonzero().flatten().tolist() == soft  # that row is another one now
    bare = whisper.model(input_features=features, decoder_input_ids=inputs.clamp(max=size - 1))
    assert (bare.logits - ours).abs().max() > 0.1
    added = range(size, size + count)
    assert {*added, *soft} <= set(plain.generation_config.suppress_tokens or [])


def test_signs_that_the_prompt_was_taught_may_be_written(tmp_path: Path) -> None:
    whisper = tiny_on_disk(tmp_path / "random")
    whisper.model.generation_config.suppress_tokens = [5, 7, 9]  # type: ignore[union-attr]
    prompt = random_prompt(whisper, tmp_path / "prompt", FOLDING[0])
    prompt = replace(prompt, card=replace(prompt.card, signs=(7,)))
    source = ExportSource(whisper, prompt)
    config = ExportConfig(prompt.name, "transformers", str(tmp_path / "out"))
    FORMATS["transformers"].write(source, config, tmp_path / "out")
    plain = WhisperForConditionalGeneration.from_pretrained(tmp_path / "out")
    assert {5, 9} <= set(plain.generation_config.suppress_tokens) - {7}
    assert 7 not in plain.generation_config.suppress_tokens
    assert whisper.vocabulary.suppressed == (5, 7, 9)


@pytest.mark.parametrize(("length", "more"), [(5, 16), (16, 16), (17, 32)])
def test_widths_are_n_larger_filled_up_to_a_multiple_of_16(
    length: int, more: int, whisper: FrozenWhisper, tmp_path: Path
) -> None:
    """By slots that add nothing (`test_plain_transformers_gives_the_same_logits`)."""
    prompt = random_prompt(whisper, tmp_path / "prompt", "encoder feed_forward", length)
    config = FrozenWhisper.from_pretrained(
        exported(prompt, "transformers", tmp_path / "out")
    ).config
    assert config.encoder_ffn_dim == whisper.config.encoder_ffn_dim + more
    assert config.decoder_ffn_dim == whisper.config.decoder_ffn_dim


@pytest.mark.parametrize("kind", ["feed_forward", "all that folds"])
@pytest.mark.parametrize("timestamps", [False, True])
def test_our_own_engine_reads_the_export_and_writes_the_same(
    kind: str, timestamps: bool, whisper: FrozenWhisper, tmp_path: Path
) -> None:
    prompt = random_prompt(whisper, tmp_path / "prompt", kind)
    folder = exported(prompt, "transformers", tmp_path / "out")
    options = single_pass(timestamps=timestamps, tokens_per_second=5.0, text_prompt="so")
    audio = noise(2.0)
    (with_prompt,) = Whisper(whisper).decode([Row(audio, prompt)], options, 10.0)
    folded = Whisper.from_pretrained(folder, device="cpu")
    (without,) = folded.decode([Row(audio)], options)
    assert without.hypothesis.tokens == with_prompt.hypothesis.tokens
    assert without.languages == ("es",)
    assert folded.frozen.card is not None
    assert folded.frozen.card.window_seconds == 10.0


@pytest.mark.parametrize("form", ["transformers", "ctranslate2"])
@pytest.mark.parametrize("kind", NOT_FOLDING)
def test_what_does_not_fold_is_refused_by_name(
    kind: str, form: str, whisper: FrozenWhisper, tmp_path: Path
) -> None:
    prompt = random_prompt(whisper, tmp_path / "prompt", kind)
    lost = sorted({name.rpartition(".")[0] for name in prompt.vectors.named_tensors()})
    lost = [place for place in lost if place not in FORMATS[form].places]
    with pytest.raises(InputError, match="cannot carry its") as caught:
        exported(prompt, form, tmp_path / "out")
    assert all(place in str(caught.value) for place in lost)
    assert not (tmp_path / "out").exists()


def test_a_soft_language_token_can_take_another_row(whisper: FrozenWhisper, tmp_path: Path) -> None:
    prompt = random_prompt(whisper, tmp_path / "prompt", "language")
    known = replace(prompt.card, codes={"qug": ("es",), "es+en": ("es", "en")})
    replace(prompt, card=known).save_pretrained(tmp_path / "prompt")
    folder = exported(prompt, "transformers", tmp_path / "out", language_tokens=["it"])
    after = FrozenWhisper.from_pretrained(folder)
    changed = (after.model.proj_out.weight != whisper.model.proj_out.weight).any(dim=1)
    assert changed.nonzero().flatten().tolist() == [whisper.tokens.language("it")]
    assert after.card is not None
    assert after.card.language_tokens == ("it",)
    assert after.card.codes == {"qug": ("it",), "es+en": ("es", "en")}
    for wrong in (["it", "en"], ["kichwa"]):
        with pytest.raises(InputError, match="language"):
            exported(prompt, "transformers", tmp_path / "no", language_tokens=wrong)


def test_an_adapted_model_exports_as_it_is(whisper: FrozenWhisper, tmp_path: Path) -> None:
    folder = export(ExportConfig(whisper.source, "transformers", str(tmp_path / "out")))
    assert FrozenWhisper.from_pretrained(folder).fingerprint == whisper.fingerprint


@pytest.mark.parametrize("form", ["transformers", "ctranslate2"])
def test_an_export_is_no_source_of_another(
    form: str, whisper: FrozenWhisper, tmp_path: Path
) -> None:
    """What it was made from is: an export's tokens do not tell where its prompt goes."""
    if form == "ctranslate2":
        pytest.importorskip("ctranslate2", reason="pip install '.[export]' in the clone")
    prompt = random_prompt(whisper, tmp_path / "prompt", "decoder input")
    folder = exported(prompt, form, tmp_path / "out")
    again = ExportConfig(str(folder), "transformers", str(tmp_path / "again"))
    with pytest.raises(InputError, match="is an export already, made from prompt; export that"):
        export(again)
    (folder / MARK).write_text("[]")
    with pytest.raises(InputError, match="is damaged"):
        export(again)
    assert not (tmp_path / "again").exists()


def test_a_lora_adapter_exports_merged(whisper: FrozenWhisper, tmp_path: Path) -> None:
    base = FrozenWhisper.from_pretrained(whisper.source)
    config = LoraConfig(
        r=2, target_modules=["q_proj", "fc1"], init_lora_weights=False, base_model_name_or_path=base.source
    )  # fmt: skip
    get_peft_model(base.model, config).save_pretrained(tmp_path / "adapter")
    merged = FrozenWhisper.from_pretrained(tmp_path / "adapter")
    folder = export(ExportConfig(str(tmp_path / "adapter"), "transformers", str(tmp_path / "out")))
    plain = WhisperForConditionalGeneration.from_pretrained(folder)
    assert fingerprint_weights(plain) == merged.fingerprint != whisper.fingerprint


@pytest.mark.parametrize("kind", FOLDING)
@pytest.mark.parametrize("form", FORMATS)
def test_the_lines_that_run_an_export_are_python(
    form: str, kind: str, whisper: FrozenWhisper, tmp_path: Path
) -> None:
    prompt = random_prompt(whisper, tmp_path / "prompt", kind)
    config = ExportConfig(prompt.name, form, str(tmp_path / "out"))
    lines = FORMATS[form].usage(ExportSource(whisper, prompt), config)
    compile(lines, "README.md", "exec")
    assert ("<|prompt" in lines) == bool(prompt.config.decoder_positions and form != "onnx")


@torch.no_grad()
@pytest.mark.parametrize("sites", [["language"], ["input", "language"]])
def test_the_lines_ask_for_every_language_token(
    sites: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two soft tokens of mixed speech: plain `generate` begins with both."""
    whisper = tiny_on_disk(tmp_path / "random")
    generation: Any = whisper.model.generation_config
    generation.decoder_start_token_id = whisper.tokens.start_of_transcript
    generation.no_timestamps_token_id = whisper.tokens.no_timestamps
    prompt, folder = two_tokens(whisper, sites), tmp_path / "out"
    config = ExportConfig("prompt", "transformers", str(folder))
    FORMATS["transformers"].write(ExportSource(whisper, prompt), config, folder)
    lines = FORMATS["transformers"].usage(ExportSource(whisper, prompt), config)
    calls = []

    def forward(self: WhisperForConditionalGeneration, **inputs: Any) -> Any:
        found = real(self, **inputs)
        calls.append((inputs["decoder_input_ids"], found.logits[0, -1]))
        return found

    real = WhisperForConditionalGeneration.forward
    monkeypatch.setattr(WhisperForConditionalGeneration, "forward", forward)
    monkeypatch.chdir(tmp_path)
    soundfile.write("speech.wav", noise(2.0).numpy(), 16_000, "FLOAT")
    exec(lines.replace("THIS FOLDER", str(folder)), {})  # noqa: S102
    start = whisper.tokens.start(["zh", "en"], placeholders=prompt.config.decoder_positions)
    inputs, theirs = next(call for call in calls if call[0].shape[1] == len(start))
    assert inputs[0, -len(whisper.tokens.start(["zh", "en"])) :].tolist() == whisper.tokens.start(["zh", "en"])  # fmt: skip
    with prompted(whisper.model, prompt.vectors):
        states = whisper.encode(log_mel([noise(2.0)], 30.0, 80))
        ours = real(whisper.model, encoder_outputs=(states,), decoder_input_ids=torch.tensor([start]))  # fmt: skip
    text = slice(0, whisper.tokens.end)
    assert torch.allclose(theirs[text], ours.logits[0, -1, text], atol=1e-3)
    bare = real(whisper.model, encoder_outputs=(states,), decoder_input_ids=torch.tensor([start]))
    assert not torch.allclose(theirs[text], bare.logits[0, -1, text], atol=1e-2)


def test_one_language_token_of_several_is_named_as_a_loss(whisper: FrozenWhisper) -> None:
    prompt = two_tokens(whisper, ["language"])
    config = ExportConfig(prompt.name, "ctranslate2", "out")
    lines = FORMATS["ctranslate2"].usage(ExportSource(whisper, prompt), config)
    compile(lines, "README.md", "exec")
    assert "takes one language token, and this model was taught with 2 (zh, en)" in lines
    one = replace(prompt, card=replace(prompt.card, language_tokens=("zh",)))
    assert "takes one" not in FORMATS["ctranslate2"].usage(ExportSource(whisper, one), config)


def two_tokens(whisper: FrozenWhisper, sites: list[str]) -> Prompt:
    """A random prompt with a soft language token for each of two languages."""
    lengths = dict.fromkeys(sites, 3) | {"language": 2}
    config = PromptConfig(side="decoder", site=sites, length=lengths, start="normal")
    generator = torch.Generator().manual_seed(0)
    start = start_vectors(config, whisper.shape, generator)
    vectors = start.map(lambda tensor: torch.randn(tensor.shape, generator=generator))
    card = PromptCard(whisper.name, whisper.fingerprint, whisper.shape, ("mix",), ("zh", "en"))
    return Prompt(config, vectors, card)


def test_half_precision_halves_the_weights(whisper: FrozenWhisper, tmp_path: Path) -> None:
    prompt = random_prompt(whisper, tmp_path / "prompt", "feed_forward")
    folder = exported(prompt, "transformers", tmp_path / "out", precision="float16")
    plain = WhisperForConditionalGeneration.from_pretrained(folder)
    assert plain.dtype == torch.float16
    with pytest.raises(InputError, match="precision: found int8"):
        exported(prompt, "transformers", tmp_path / "no", precision="int8")


@pytest.mark.parametrize("size", [1000, 50_000], ids=["settings", "weights"])
def test_a_full_disk_is_named(size: int, whisper: FrozenWhisper, tmp_path: Path) -> None:
    prompt = random_prompt(whisper, tmp_path / "prompt", FOLDING[0])
    with small_disk(size), pytest.raises(OSError, match="too large") as full:
        exported(prompt, "transformers", tmp_path / "out")
    assert full.value.filename == str(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["prompt"]


def test_only_an_earlier_export_is_replaced(whisper: FrozenWhisper, tmp_path: Path) -> None:
    prompt = random_prompt(whisper, tmp_path / "prompt", "feed_forward")
    with pytest.raises(InputError, match="no export"):
        exported(prompt, "transformers", tmp_path / "prompt")
    assert (tmp_path / "prompt" / "prompt.json").is_file()
    for _ in range(2):
        folder = exported(prompt, "transformers", tmp_path / "out")
    assert (folder / MARK).is_file()
    assert "WhisperForConditionalGeneration" in (folder / "README.md").read_text()


@pytest.mark.parametrize("mark", ["", "{}", "[]", '{"files": null}'])
def test_an_export_with_a_damaged_mark_is_not_replaced(
    mark: str, whisper: FrozenWhisper, tmp_path: Path
) -> None:
    prompt = random_prompt(whisper, tmp_path / "prompt", "feed_forward")
    folder = exported(prompt, "transformers", tmp_path / "out")
    (folder / "export.json").write_text(mark)
    with pytest.raises(InputError, match=r"export\.json: is damaged; name another folder"):
        exported(prompt, "transformers", folder)


@pytest.mark.parametrize(
    ("form", "own"),
    [("transformers", "notes.txt"), ("ctranslate2", ".git/HEAD"), ("onnx", "audio/config.json")],
)
def test_what_lies_in_an_export_is_not_lost(
    form: str, own: str, whisper: FrozenWhisper, tmp_path: Path
) -> None:
    for needed in {"ctranslate2": ["ctranslate2"], "onnx": ["onnxscript"]}.get(form, []):
        pytest.importorskip(needed, reason="pip install '.[export]' in the clone")
    prompt = random_prompt(whisper, tmp_path / "prompt", "feed_forward")
    folder = exported(prompt, form, tmp_path / "out")
    exported(prompt, "transformers", folder)
    (folder / own).parent.mkdir(exist_ok=True)
    (folder / own).write_text("mine")
    with pytest.raises(InputError, match=rf"holds {own.split('/')[0]} beside the export, which would be lost; move"):  # fmt: skip
        exported(prompt, form, folder)
    assert (folder / own).read_text() == "mine"
