"""Exports to ONNX: onnxruntime writes what PyTorch writes with the prompt on, whatever the prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spt_whisper import FrozenWhisper, Whisper
from spt_whisper.engines.engine import Row
from spt_whisper.engines.onnx_decoder import OnnxDecoder
from spt_whisper.errors import InputError
from spt_whisper.evaluation.learned import card_of_model, read_learned
from spt_whisper.export.formats import export
from spt_whisper.export.settings import ExportConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.whisper.onnx import ENCODER, OnnxWhisper
from spt_whisper.whisper.options import DecodingOptions, single_pass
from tests.export.exported import exported, noise, random_prompt, tiny_on_disk

for needed in ("onnx", "onnxruntime", "onnxscript"):
    pytest.importorskip(needed, reason="pip install '.[export]' in the clone")

pytestmark = pytest.mark.slow  # tracing a graph takes five seconds
SHORT = {"tokens_per_second": 4.0, "extra_tokens": 8}
OPTIONS = {
    "greedy": single_pass(**SHORT),
    "timestamps": single_pass(timestamps=True, **SHORT),
    "beams": single_pass(beam_size=3, **SHORT),
    "text prompt": single_pass(text_prompt="what was said", **SHORT),
    "second try": DecodingOptions(
        temperatures=[0.0, 0.7], best_of=2, log_probability_threshold=0.0, **SHORT
    ),
}
AUDIO = [noise(1.0, 1), noise(4.0, 2), noise(2.0, 3)]


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> FrozenWhisper:
    return tiny_on_disk(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="module", params=["everything", "everything, gated", "everything, pairs"])
def both(
    request: pytest.FixtureRequest, whisper: FrozenWhisper, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Prompt, Whisper]:
    folder = tmp_path_factory.mktemp("export")
    prompt = random_prompt(whisper, folder / "prompt", request.param)
    return prompt, Whisper.from_pretrained(exported(prompt, "onnx", folder / "out"))


@pytest.mark.parametrize("name", OPTIONS)
def test_onnxruntime_writes_what_pytorch_writes(
    name: str, both: tuple[Prompt, Whisper], whisper: FrozenWhisper
) -> None:
    prompt, graphs = both
    options = OPTIONS[name]
    ours = Whisper(whisper).decode([Row(audio, prompt) for audio in AUDIO], options, 5.0)
    theirs = graphs.decode([Row(audio) for audio in AUDIO], options, 5.0)
    for own, other in zip(ours, theirs, strict=True):
        assert other.hypothesis.tokens == own.hypothesis.tokens
        assert other.hypothesis.stopped_by == own.hypothesis.stopped_by
        sure, silent = own.hypothesis.mean_log_probability, own.hypothesis.no_speech_probability
        assert other.hypothesis.mean_log_probability == pytest.approx(sure, abs=1e-4)
        assert other.hypothesis.no_speech_probability == pytest.approx(silent, abs=1e-5)
        assert other.languages == own.languages == ("es",)
    bare = Whisper(whisper).decode([Row(audio, None, ("es",)) for audio in AUDIO], options, 5.0)
    assert [own.hypothesis for own in bare] != [own.hypothesis for own in ours]


def test_a_cache_of_every_row_is_not_copied(
    both: tuple[Prompt, Whisper], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it written into: the second try begins with it, too."""
    _, graphs = both
    given: list[list[torch.Tensor]] = []
    before: list[list[torch.Tensor]] = []

    def decoder(whisper: OnnxWhisper, cache: list[torch.Tensor], starts: list) -> OnnxDecoder:
        given.append(cache)
        before.append([tensor.clone() for tensor in cache])
        return OnnxDecoder(whisper, cache, starts)

    monkeypatch.setattr("spt_whisper.engines.onnx.OnnxDecoder", decoder)
    graphs.decode([Row(audio) for audio in AUDIO], OPTIONS["second try"], 5.0)
    assert len(given) == 2
    for first, second, own in zip(*given, before[0], strict=True):
        assert first.data_ptr() == second.data_ptr()
        assert torch.equal(first, own)


def test_any_window_in_one_export(both: tuple[Prompt, Whisper], whisper: FrozenWhisper) -> None:
    prompt, graphs = both
    for window in (1.5, 30.0):
        (ours,) = Whisper(whisper).decode([Row(AUDIO[0], prompt)], OPTIONS["greedy"], window)
        (theirs,) = graphs.decode([Row(AUDIO[0])], OPTIONS["greedy"], window)
        assert theirs.hypothesis.tokens == ours.hypothesis.tokens


def test_a_window_is_the_prompts_own(both: tuple[Prompt, Whisper], whisper: FrozenWhisper) -> None:
    prompt, graphs = both
    long = noise(25.0)
    settings = {"options": OPTIONS["timestamps"], "voice_activity": None}
    ours = Whisper(whisper).transcribe(long, prompt=prompt, **settings)
    theirs = graphs.transcribe(long, **settings)
    assert theirs.text == ours.text
    assert len(theirs.segments) == len(ours.segments)


def test_the_prompt_in_graphs_is_scored_as_learned(both: tuple[Prompt, Whisper]) -> None:
    """And not as bare Whisper, which is not in them."""
    prompt, graphs = both
    learned = read_learned(None, None, graphs.frozen.source)
    assert learned is not None
    assert (learned.system, learned.card) == ("adapted", prompt.card)
    assert card_of_model(graphs.frozen.source) == prompt.card


def test_what_graphs_cannot_do_is_said(both: tuple[Prompt, Whisper]) -> None:
    prompt, graphs = both
    with pytest.raises(InputError, match="takes none"):
        graphs.decode([Row(AUDIO[0], prompt)], OPTIONS["greedy"], 5.0)
    with pytest.raises(InputError, match="words"):
        graphs.decode([Row(AUDIO[0])], single_pass(word_timestamps=True), 5.0)
    with pytest.raises(InputError, match="no language is heard"):
        graphs.engine.listen([Row(AUDIO[0])], 5.0)
    if "language" in prompt.config.sites:
        with pytest.raises(InputError, match="language token of its own"):
            graphs.decode([Row(AUDIO[0], None, ("it",))], OPTIONS["greedy"], 5.0)


def test_bare_graphs_hear_languages_and_damage_is_refused(
    whisper: FrozenWhisper, tmp_path: Path
) -> None:
    folder = export(ExportConfig(whisper.source, "onnx", str(tmp_path / "out")))
    graphs, torch_whisper = Whisper.from_pretrained(folder), Whisper(whisper)
    rows = [Row(audio) for audio in AUDIO]
    for own, other in zip(
        torch_whisper.engine.listen(rows, 5.0), graphs.engine.listen(rows, 5.0), strict=True
    ):
        torch.testing.assert_close(other.log_posterior, own.log_posterior, atol=1e-4, rtol=0)
        torch.testing.assert_close(other.state, own.state, atol=1e-4, rtol=0)
    ours = torch_whisper.decode(rows, OPTIONS["greedy"], 5.0)
    theirs = graphs.decode(rows, OPTIONS["greedy"], 5.0)
    assert [r.languages for r in theirs] == [r.languages for r in ours]
    assert [r.hypothesis.tokens for r in theirs] == [r.hypothesis.tokens for r in ours]
    with pytest.raises(InputError, match="on the cpu"):
        Whisper.from_pretrained(folder, device="cuda")
    (folder / ENCODER).write_bytes(b"damaged")
    with pytest.raises(InputError, match="export the model again"):
        Whisper.from_pretrained(folder)
