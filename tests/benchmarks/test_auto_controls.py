"""The benchmark of controls through a bank: what is routed, what it costs, and what adds up."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.auto_controls import Scored, read_controls, score, tabulate
from spt_whisper import Prompt, PromptConfig, Whisper
from spt_whisper.audio import load_audio
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.engines.engine import Row
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.card import LanguageKey, PromptCard
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.text.error_rates import ErrorCounts
from tests.tiny_corpus import write_corpus
from tests.tiny_model import tiny_whisper


def write_bank(folder: Path, whisper: Whisper, heard: Utterance, away: float) -> Bank:
    """A bank of one language, whose key is how an utterance sounds, or so far away from it."""
    (sound,) = whisper.engine.listen([Row(load_audio(heard.audio))], 30.0)
    state = (sound.state + away).tolist()
    key = LanguageKey(tuple(sound.log_posterior.tolist()), tuple(state), (0.05,) * len(state))
    frozen, config = whisper.frozen, PromptConfig(length=4, start="normal")
    vectors = start_vectors(config, frozen.shape, torch.Generator().manual_seed(0))
    vectors = vectors.map(lambda tensor: tensor * 50)  # else the start has little effect
    card = PromptCard(
        frozen.name, frozen.fingerprint, frozen.shape, ("qug",), ("es",), (2.0,), key=key
    )
    Prompt(config, vectors, card, "wild").save_pretrained(folder / "qug")
    return Bank.from_pretrained(folder)


def test_only_what_is_routed_can_cost_anything(tmp_path: Path) -> None:
    for language in ("es", "en"):
        write_corpus(tmp_path / "common_voice_control" / language, test=2, languages=(language,))
    controls = read_controls(tmp_path, "test", None)
    assert {language: len(own) for language, own in controls.items()} == {"en": 2, "es": 2}
    assert [len(own) for own in read_controls(tmp_path, "test", 1).values()] == [1, 1]
    whisper = Whisper(tiny_whisper(seed=3))
    near = write_bank(tmp_path / "near", whisper, controls["es"][0], away=0.0)
    far = write_bank(tmp_path / "far", whisper, controls["es"][0], away=50.0)
    routed = score(whisper, controls["es"][:1], near, None)
    kept = score(whisper, controls["es"][:1], far, None)
    assert [own.routed for own in routed] == [True]
    assert routed[0].auto != routed[0].bare
    assert [(own.routed, own.auto) for own in kept] == [(False, routed[0].bare)]
    assert tabulate({"es": kept})[0].ratio == 1.0


def test_rates_are_of_all_units_and_not_means_of_rates() -> None:
    def errors(wrong: int, units: int) -> ErrorCounts:
        return ErrorCounts(hits=units - wrong, substitutions=wrong)

    rows = tabulate(
        {
            "de": [Scored(errors(1, 10), errors(1, 10), False), Scored(errors(1, 10), errors(3, 10), True)],
            "zh-CN": [Scored(errors(0, 80), errors(0, 80), False)],
        }
    )  # fmt: skip
    german, chinese, everything = rows
    assert (german.language, german.utterances, german.routed, german.units) == ("de", 2, 1, 20)
    assert (german.bare_percent, german.auto_percent, german.ratio) == (10.0, 20.0, 2.0)
    assert (chinese.routed, chinese.ratio) == (0, None)
    assert (everything.language, everything.units, everything.ratio) == ("all", 100, 2.0)
    assert (everything.bare_percent, everything.auto_percent) == (2.0, 4.0)


def test_missing_controls_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="common_voice_control: no corpora"):
        read_controls(tmp_path, "test", None)
