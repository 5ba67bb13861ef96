"""`prompt show, list, average` as a user calls them, on prompts and a bank that `fit` trained."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch

from spt_whisper.prompts.files import Prompt
from tests.cli.test_commands import call, one_line
from tests.tiny_corpus import write_corpus, write_model


def fit(home: Path, name: str, corpus: str, *more: str) -> Path:
    """Trains one epoch; returns the folder of what was made."""
    status = call(
        "fit", "--corpus.root", str(home / corpus), "--model", str(home / "model"),
        "--output", str(home / name), "--window_seconds", "2", "--prompt.length", "4",
        "--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false", *more,
    )  # fmt: skip
    assert status == 0
    return home / name


SPANISH = ("--languages", "[es]")
ATTENTION = (*SPANISH, "--prompt.site", "attention", "--prompt.side", "decoder")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, two corpora, prompts of both from one start, one of another start, and a bank."""
    folder = tmp_path_factory.mktemp("prompts")
    write_model(folder / "model")
    write_corpus(folder / "here", train=6)
    write_corpus(folder / "there", train=3, languages=("quz",))
    write_corpus(folder / "mixed", languages=("zh", "en"))
    fit(folder, "a", "here", *SPANISH)
    fit(folder, "b", "there", *SPANISH)
    fit(folder, "seed", "there", *SPANISH, "--seed", "1")
    fit(folder, "bank", "mixed", "--method", "lapt")
    return folder


def test_show_tells_card_tensors_scores_and_tokens(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt, model = str(home / "a" / "prompt"), str(home / "model")
    scored = (
        "evaluate", "--corpus.root", str(home / "here"), "--prompt", prompt, "--model", model,
        "--resamples", "20",
    )  # fmt: skip
    assert call(*scored) == 0
    capsys.readouterr()
    assert call("prompt", "show", prompt, "--slots", "3") == 0
    out = capsys.readouterr().out
    for wanted in ("qug", "es", "2 s", "feed_forward.value", "2 x 4 x 32", "zero_shot", "WER"):
        assert wanted in out
    slots = out[out.index("largest slots") :]
    assert len(re.findall(r"^│ +\d+ │", slots, flags=re.MULTILINE)) == 3


def test_show_without_the_base_says_why_and_shows_the_rest(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = str(home / "b" / "prompt")
    write_model(tmp_path / "other", seed=9)
    for model, reason in ((tmp_path / "none", "no such folder"), (tmp_path / "other", "own base")):
        assert call("prompt", "show", prompt, "--model", str(model)) == 1
        said = capsys.readouterr()
        assert "feed_forward.value" in said.out
        assert reason in one_line(said.err)
        assert "nearest tokens left out" in one_line(said.err)


def test_show_with_a_broken_report_shows_the_rest(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(home / "b" / "prompt", tmp_path / "prompt")
    (tmp_path / "report.json").write_text("{")
    assert call("prompt", "show", str(tmp_path / "prompt")) == 1
    said = capsys.readouterr()
    assert "largest slots" in said.out
    assert "scores left out: " in one_line(said.err)


def test_a_banks_languages_are_listed_and_compared(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank, before = str(home / "bank" / "bank"), sorted((home / "bank").rglob("*"))
    assert call("prompt", "list", bank) == 0
    listed = capsys.readouterr().out
    assert "zh" in listed
    assert "en" in listed
    assert call("prompt", "show", bank) == 0
    shown = capsys.readouterr().out
    for wanted in (
        "log-posterior",
        "Effect",
        "decoder.feed_forward.key.left",
        "nearest token embeddings",
    ):
        assert wanted in shown
    assert sorted((home / "bank").rglob("*")) == before
    picture = tmp_path / "similarity.png"
    assert call("prompt", "show", bank, "--picture", str(picture)) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert call("prompt", "show", bank, "--language", "zh") == 0
    assert "largest slots" in capsys.readouterr().out


def test_average_writes_the_weighted_mean_which_transcribes(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = str(home / "a" / "prompt"), str(home / "b" / "prompt")
    output = str(tmp_path / "mean")
    status = call("prompt", "average", first, second, "--weights", "3", "1", "--output", output)
    assert status == 0
    mean, one, other = (Prompt.from_pretrained(each) for each in (output, first, second))
    tables = [prompt.vectors.named_tensors() for prompt in (mean, one, other)]
    for name, tensor in tables[0].items():
        torch.testing.assert_close(tensor, 0.75 * tables[1][name] + 0.25 * tables[2][name])
    assert any(not torch.equal(tables[1][name], tables[2][name]) for name in tables[0])
    assert mean.card.training["sources"] == [first, second]
    assert mean.card.languages == ("qug", "quz")
    audio = str(home / "here" / "audio" / "test0.wav")
    capsys.readouterr()
    assert call("transcribe", audio, "--prompt", output, "--model", str(home / "model")) == 0


def test_prompts_of_different_starts_are_not_averaged(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = [str(home / name / "prompt") for name in ("a", "seed")]
    assert call("prompt", "average", *prompts, "--output", str(tmp_path / "mean")) == 2
    assert "the start is" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "mean").exists()


def test_captured_starts_agree_only_on_one_corpus(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = {"c": "here", "d": "here", "e": "there"}
    made = {name: fit(home, name, corpus, *ATTENTION) / "prompt" for name, corpus in runs.items()}
    c, d, e = (str(made[name]) for name in "cde")
    capsys.readouterr()
    assert call("prompt", "average", c, d, "--output", str(tmp_path / "same")) == 0
    assert call("prompt", "average", c, e, "--output", str(tmp_path / "other")) == 2
    assert "the start is" in one_line(capsys.readouterr().err)


def test_average_never_writes_over_a_source(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (str(home / name / "prompt") for name in ("a", "b"))
    assert call("prompt", "average", first, second, "--output", first) == 2
    assert "is one of the prompts" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["teach"], "teach"),
        (["show", "/no/prompt"], "no such folder"),
        (["show", "{home}/a/prompt", "--slots", "-1"], "slots: found -1"),
        (["show", "{home}/a/prompt", "--picture", "x.png"], "is one prompt; wanted a bank"),
        (["show", "{home}/bank/bank", "--language", "cv"], "no language 'cv'; wanted one of en, zh"),
        (["list", "/no/bank"], "no such folder"),
        (["average", "{home}/a/prompt", "--output", "x"], "wanted two or more"),
        (
            ["average", "{home}/a/prompt", "{home}/b/prompt", "--weights", "1", "--output", "x"],
            "weights: found 1 for 2 prompts",
        ),
    ],
)  # fmt: skip
def test_a_wrong_call_is_one_line_and_status_2(
    arguments: list[str], message: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("prompt", *(argument.format(home=home) for argument in arguments)) == 2
    assert message in capsys.readouterr().err
