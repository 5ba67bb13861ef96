"""Exports to CTranslate2: its own engine writes what ours writes with the prompt on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from spt_whisper import FrozenWhisper, Whisper
from spt_whisper.engines.engine import Row
from spt_whisper.export.folding import with_prompt_tokens
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
