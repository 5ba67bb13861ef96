"""Exports to CTranslate2: its own engine writes what ours writes with the prompt on."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch

from spt_whisper import FrozenWhisper, Whisper
from spt_whisper.engines.engine import Row
from spt_whisper.export.folding import with_prompt_tokens
from spt_whisper.export.formats import FORMATS
from spt_whisper.export.settings import ExportConfig
from spt_whisper.export.source import ExportSource
from spt_whisper.features import log_mel
from spt_whisper.whisper.options import single_pass
from tests.export.exported import FOLDING, exported, noise, random_prompt, tiny_on_disk
from tests.tiny_model import SPECIAL, tiny_tokenizer

engine = pytest.importorskip("ctranslate2", reason="pip install '.[export]' in the clone")
LENGTH = 12  # tokens


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> FrozenWhisper:
    return tiny_on_disk(tmp_path_factory.mktemp("models") / "random")


def written(folder: Path, whisper: FrozenWhisper, audio: torch.Tensor, timed: bool) -> list[int]:
    """What CTranslate2 itself writes, greedily, when asked as the export wants it."""
    tokens = FrozenWhisper.from_pretrained(folder).tokens
    start = tokens.start(["es"], timestamps=timed)
    never = [*range(tokens.end + 1, tokens.first_timestamp)]
    if not timed:
        never += range(tokens.first_timestamp, whisper.config.vocab_size)
    model = engine.models.Whisper(str(folder), compute_type="float32")
    features = engine.StorageView.from_array(log_mel([audio], 30.0, 80).numpy())
    found = model.generate(
        features, [start], beam_size=1, max_length=len(start) + LENGTH, suppress_tokens=[-1, *never]
    )
    return found[0].sequences_ids[0]


@pytest.mark.parametrize("kind", FOLDING)
@pytest.mark.parametrize("timed", [False, True])
def test_ctranslate2_writes_what_our_engine_writes(
    kind: str, timed: bool, whisper: FrozenWhisper, tmp_path: Path
) -> None:
    prompt = random_prompt(whisper, tmp_path / "prompt", kind)
    folder = exported(prompt, "ctranslate2", tmp_path / "out")
    audio = noise(2.0)
    options = single_pass(timestamps=timed, tokens_per_second=0.01, extra_tokens=LENGTH)
    (ours,) = Whisper(whisper).decode([Row(audio, prompt)], options, 30.0)
    theirs = written(folder, whisper, audio, timed)
    shared = min(len(theirs), len(ours.hypothesis.tokens))  # each stops in its own way
    assert shared > 5
    assert theirs[:shared] == list(ours.hypothesis.tokens)[:shared]
    (bare,) = Whisper(whisper).decode([Row(audio, None, ("es",))], options, 30.0)
    assert bare.hypothesis != ours.hypothesis


def test_rows_of_the_prompt_have_names_of_their_own(whisper: FrozenWhisper, tmp_path: Path) -> None:
    prompt = random_prompt(whisper, tmp_path / "prompt", "decoder input")
    folder = exported(prompt, "ctranslate2", tmp_path / "out")
    names = json.loads((folder / "vocabulary.json").read_text())
    assert names[-4:] == ["<|30.00|>", "<|prompt0|>", "<|prompt1|>", "<|prompt2|>"]
    assert json.loads((folder / "config.json").read_text())["lang_ids"]


@pytest.mark.parametrize("kind", FOLDING)
@pytest.mark.parametrize("signs", [(), (7,)])
def test_the_lines_suppress_what_the_model_does(
    kind: str, signs: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not faster-whisper's own list, nor is a window shown the text before it."""
    whisper = tiny_on_disk(tmp_path / "random")
    generation: Any = whisper.model.generation_config
    generation.suppress_tokens = [5, 7, 9]
    prompt = random_prompt(whisper, tmp_path / "prompt", kind)
    source = ExportSource(whisper, replace(prompt, card=replace(prompt.card, signs=signs)))
    config, folder = ExportConfig(prompt.name, "ctranslate2", "out"), tmp_path / "out"
    FORMATS["ctranslate2"].write(source, config, folder)
    faster = MagicMock()
    faster.decode_audio.return_value = noise(1.0).numpy()
    transcribe = faster.WhisperModel.return_value.transcribe
    transcribe.return_value = ([], None)
    monkeypatch.setitem(sys.modules, "faster_whisper", faster)
    lines = FORMATS["ctranslate2"].usage(source, config)
    exec(lines.replace("THIS FOLDER", str(folder)), {})  # noqa: S102
    asked, size = transcribe.call_args.kwargs, whisper.config.vocab_size
    soft = [whisper.tokens.language("es")] if "language" in prompt.config.sites else []
    rows = range(size, size + prompt.config.decoder_positions)
    assert set(asked["suppress_tokens"]) == {5, 7, 9, *soft, *rows} - set(signs)
    assert asked["condition_on_previous_text"] is False


def test_a_tokenizer_without_timestamps_gets_them_in_front_of_the_prompt() -> None:
    full = tiny_tokenizer()
    short = tiny_tokenizer()
    short._tokenizer = type(short._tokenizer).from_str(_without_timestamps(short))
    assert len(short) == len(full) - 1501
    extended = with_prompt_tokens(short, len(full), 2)
    assert extended.convert_tokens_to_ids("<|0.00|>") == full.convert_tokens_to_ids("<|0.00|>")
    assert extended.convert_tokens_to_ids("<|prompt1|>") == len(full) + 1
    assert extended.encode(" <|prompt0|><|prompt1|>", add_special_tokens=False) == [
        len(full),
        len(full) + 1,
    ]


def _without_timestamps(tokenizer) -> str:
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    kept = set(SPECIAL[:-1501])
    content["added_tokens"] = [t for t in content["added_tokens"] if t["content"] in kept]
    return json.dumps(content)


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_other_precisions_are_smaller_and_load(
    precision: str, whisper: FrozenWhisper, tmp_path: Path
) -> None:
    prompt = random_prompt(whisper, tmp_path / "prompt", "feed_forward")
    whole = exported(prompt, "ctranslate2", tmp_path / "whole")
    folder = exported(prompt, "ctranslate2", tmp_path / "out", precision=precision)
    assert (folder / "model.bin").stat().st_size < 0.8 * (whole / "model.bin").stat().st_size
    assert written(folder, whisper, noise(1.0), timed=False)
