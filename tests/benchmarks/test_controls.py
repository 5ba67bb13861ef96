"""The benchmark of controls, on a tiny model with a prompt and an adapted model beside it."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from spt_whisper import Prompt, PromptConfig, Whisper
from spt_whisper.audio import load_audio
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.engines.engine import Row
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.whisper.adapted import CARD_FILE, write_card
from spt_whisper.whisper.options import single_pass
from tests.tiny_corpus import write_corpus, write_model

ROOT = Path(__file__).resolve().parent.parent.parent
CHINESE = {"ari": "你好", "ñuka": "再見", "wasi": "家", "llakta": "城市"}


def write_runs(home: Path) -> None:
    """Writes a prompt as `fit` leaves it, with Spanish for its proxy, and another model as if adapted from the first."""
    frozen = Whisper.from_pretrained(write_model(home / "model"), "cpu").frozen
    config = PromptConfig(length=4, start="normal")
    generator = torch.Generator().manual_seed(0)
    vectors = start_vectors(config, frozen.shape, generator).map(
        lambda tensor: torch.randn(tensor.shape, generator=generator)
    )
    card = PromptCard(frozen.name, frozen.fingerprint, frozen.shape, ("qug",), ("es",), (2.0,))
    Prompt(config, vectors, card).save_pretrained(home / "kichwa" / "prompt")
    write_card(write_model(home / "full" / "model", seed=1) / CARD_FILE, card)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("controls")
    write_runs(folder)
    languages = folder / "data" / "common_voice_control"
    write_corpus(languages / "it", languages=("it",))
    write_corpus(languages / "zh-CN", languages=("zh-CN",))
    write_corpus(folder / "data" / "fleurs_control", languages=("en", "es"))
    for path in folder.glob("data/*/**/*.jsonl"):
        text = path.read_text(encoding="utf-8")
        text = text.replace('"id": "', f'"id": "{path.parent.name}-')  # no id twice among all
        for word, chinese in CHINESE.items() if path.parent.name == "zh-CN" else ():
            text = text.replace(word, chinese)
        path.write_text(text, encoding="utf-8")
    return folder


def run_controls(
    home: Path, monkeypatch: pytest.MonkeyPatch, *runs: str
) -> tuple[int, dict[str, Any]]:
    """Runs the script in this process; returns its status and the figures."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.setattr(
        "speechless.SECONDS", 0.625
    )  # a chord: a random model never stops by itself
    flags = [
        *(str(home / run) for run in runs), "--data", str(home / "data"), "--limit", "3", "--pieces", "1",
        "--windows", "5", "30", "--store", str(home / "store"), "--json", str(home / "figures.json"),
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["controls.py", *flags])
    status = importlib.import_module("controls").main()
    return status, json.loads((home / "figures.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_each_run_is_compared_on_each_control_and_what_is_kept_is_not_decoded_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, figures = run_controls(home, monkeypatch, "kichwa", "full/model")
    table = capsys.readouterr().out
    assert status == 0
    assert figures["runs"] == ["kichwa", "full"]
    scores = {row["recordings"]: row for row in figures["controls"]}
    names = ["Common Voice it", "Common Voice zh-CN", "FLEURS en", "FLEURS es", "all"]
    assert list(scores) == names
    assert [row["clips"] for row in scores.values()] == [3, 3, 2, 1, 9]
    assert [row["unit"] for row in scores.values()] == ["wer", "cer", "wer", "wer", "mixed_error_rate"]  # fmt: skip
    for row in scores.values():
        for change in row["changes"]:
            low, high = change["interval"]
            assert change["rate"] - row["bare"] == pytest.approx(change["difference"])
            assert low <= change["difference"] <= high
    assert len(figures["speechless"]) == 3 * 3 * 5  # systems, guards, sounds
    guarded = [row for row in figures["speechless"] if row["guards"] == "as transcribe"]
    silent = {row["sound"] for row in guarded if row["characters"] == [0]}
    assert silent >= {"digital silence", "white noise", "pink noise", "hum"}
    assert all(any(row["characters"]) for row in figures["speechless"] if row["guards"] == "none")
    assert all(name in table for name in (*names, "white noise; guards: none"))
    check_language_token(home)

    (kept,) = (home / "store").glob("kichwa-Common_Voice_it-*.json")
    kept.write_text(json.dumps(["ari", "ñuka", "wasi"]))  # what was said: taken as it is there
    (lost,) = (home / "store").glob("full-FLEURS_en-*.json")
    lost.unlink()
    _, again = run_controls(home, monkeypatch, "kichwa", "full")
    assert again["controls"][0]["changes"][0]["rate"] == 0.0
    assert again["controls"][2] == scores["FLEURS en"]


def check_language_token(home: Path) -> None:
    """A prompt made for Spanish, and an adapted model, are asked with the control's own token: Italian's."""
    corpus = CorpusConfig(str(home / "data" / "common_voice_control" / "it"))
    audio = [load_audio(clip.audio) for clip in read_split(corpus, "test")]
    prompt = Prompt.from_pretrained(home / "kichwa" / "prompt")
    for name, model, own in (
        ("bare", "model", None), ("kichwa", "model", prompt), ("full", "full/model", None),
    ):  # fmt: skip
        whisper = Whisper.from_pretrained(home / model, "cpu")
        texts = {
            code: [
                found.hypothesis.text
                for found in whisper.decode(
                    [Row(waveform, own, (code,)) for waveform in audio], single_pass(), 5.0
                )
            ]
            for code in ("it", "es")
        }
        (kept,) = (home / "store").glob(f"{name}-Common_Voice_it-*.json")
        assert json.loads(kept.read_text(encoding="utf-8")) == texts["it"] != texts["es"]
