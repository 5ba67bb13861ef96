"""The commands as a user calls them, on the tiny model: what they print, write and refuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spt_whisper.cli import COMMANDS, main
from spt_whisper.cli.parser import command_parser, instantiate
from spt_whisper.training.recipe import Recipe
from spt_whisper.transcription.writers import WRITERS
from tests.tiny_corpus import fit_flags, write_corpus, write_home, write_model


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, a corpus and a prompt trained on it."""
    folder = write_home(tmp_path_factory.mktemp("home"))
    fit = [
        "fit", "--corpus.root", str(folder / "corpus"), "--model", str(folder / "model"),
        "--output", str(folder / "run"), "--languages", "[es]", "--window_seconds", "2",
        "--prompt.length", "4", "--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false",
    ]  # fmt: skip
    assert main(fit) == 0
    return folder


def call(*arguments: str) -> int:
    """The exit status of a command, whichever way it ends."""
    try:
        return main(list(arguments))
    except SystemExit as stop:
        return int(stop.code or 0)


def one_line(text: str) -> str:
    """What was said on standard error: exactly one line of ours, and no traceback."""
    lines = [line for line in text.splitlines() if line.startswith("spt-whisper")]
    assert "Traceback" not in text
    assert len(lines) == 1, text
    return lines[0]


def test_help_needs_no_torch() -> None:
    code = "import sys; from spt_whisper.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += (
        "print([name for name in ('torch', 'transformers', 'lightning') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(name in done.stdout for name in COMMANDS)


def test_standard_output_is_utf8_whatever_the_locale() -> None:
    code = "from spt_whisper.cli import main; main(['recipes', 'list']); print('ñukanchik ქართული')"
    told = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=told, check=True)
    assert "ñukanchik ქართული" in done.stdout.decode("utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(command, "--help") == 0
    shown = capsys.readouterr().out
    assert f"spt-whisper {command}" in shown
    assert "Path to a configuration file" not in shown


def test_evaluate_writes_report_utterances_and_picture(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = home / "scores" / "report.json"
    status = call(
        "evaluate", "--corpus.root", str(home / "corpus"), "--prompt", str(home / "run" / "prompt"),
        "--model", str(home / "model"), "--output", str(output), "--resamples", "50",
    )  # fmt: skip
    assert status == 0
    report = json.loads(output.read_text())
    assert report["normalizer"] == "basic"
    assert [system["name"] for system in report["systems"]] == ["zero_shot", "prompt"]
    for system in report["systems"]:
        low, high = system["wer_interval"]
        assert low <= system["wer"] <= high
        assert system["utterances"] == 3
        assert {"cer", "substitutions", "insertions", "deletions"} <= set(system)
    rows = [
        json.loads(line)
        for line in output.with_name("report.utterances.jsonl").read_text().splitlines()
    ]
    assert [(row["system"], row["id"]) for row in rows[:3]] == [
        ("zero_shot", f"test{i}") for i in range(3)
    ]
    assert output.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "zero_shot" in printed
    assert str(output.name) in printed


@pytest.mark.parametrize("name", WRITERS)
def test_transcribe_writes_every_format(name: str, home: Path, tmp_path: Path) -> None:
    audio = [str(home / "corpus" / "audio" / f"test{index}.wav") for index in range(2)]
    status = call(
        "transcribe", *audio, "--prompt", str(home / "run" / "prompt"), "--model", str(home / "model"),
        "--format", name, "--output", str(tmp_path / "out"),
    )  # fmt: skip
    assert status == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("[!.]*")) == [
        f"test0.wav.{name}",
        f"test1.wav.{name}",
    ]


def test_a_bad_file_is_named_and_the_rest_is_done(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("not audio")
    good = [str(home / "corpus" / "audio" / f"test{index}.wav") for index in range(2)]
    status = call(
        "transcribe",
        good[0],
        str(bad),
        good[1],
        "--model",
        str(home / "model"),
        "--output",
        str(tmp_path),
    )
    assert status == 1
    assert one_line(capsys.readouterr().err).startswith(
        f"spt-whisper transcribe: {bad}: cannot be read as audio"
    )
    assert (tmp_path / "test0.wav.txt").exists()
    assert (tmp_path / "test1.wav.txt").exists()


def test_a_prompt_for_another_model_is_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(tmp_path / "other", seed=9)
    audio = str(home / "corpus" / "audio" / "test0.wav")
    prompt = str(home / "run" / "prompt")
    assert call("transcribe", audio, "--prompt", prompt, "--model", str(tmp_path / "other")) == 2
    assert "load the prompt's own base model" in one_line(capsys.readouterr().err)


CORPUS_FAULTS = {
    "missing folder": (lambda folder: shutil.rmtree(folder), "no such corpus"),
    "missing part": (lambda folder: (folder / "train.jsonl").unlink(), "no split 'train'"),
    "empty corpus": (lambda folder: (folder / "train.jsonl").write_text(""), "train.jsonl"),
    "missing column": (
        lambda folder: (folder / "train.jsonl").write_text(
            '{"id": "a", "audio": "a.wav", "language": "x"}\n'
        ),
        "train.jsonl row 1: no column 'text'",
    ),
    "broken JSON": (lambda folder: (folder / "train.jsonl").write_text("{\n"), "train.jsonl row 1"),
    "unreadable audio": (
        lambda folder: (folder / "audio" / "train1.wav").write_text("x"),
        "train1.wav",
    ),
}


@pytest.mark.parametrize("fault", CORPUS_FAULTS)
def test_a_faulty_corpus_is_one_clear_line_and_overwrites_nothing(
    fault: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage, message = CORPUS_FAULTS[fault]
    write_corpus(tmp_path / "corpus")
    damage(tmp_path / "corpus")
    recipe = shutil.copytree(home / "run", tmp_path / "run") / "recipe.yaml"
    own = recipe.read_text().replace(str(home / "corpus"), str(tmp_path / "corpus"))
    recipe.write_text(own)  # as if this corpus had been whole
    before = (tmp_path / "run" / "prompt" / "prompt.safetensors").read_bytes()
    status = call(
        "fit", "--corpus.root", str(tmp_path / "corpus"), "--model", str(home / "model"),
        "--output", str(tmp_path / "run"), "--window_seconds", "2", "--prompt.side", "decoder",
    )  # fmt: skip
    assert status == 2
    assert message in one_line(capsys.readouterr().err)
    assert (tmp_path / "run" / "prompt" / "prompt.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--corpus.root", "x", "--promt.length", "3"], "promt"),
        (["fit", "--corpus.root", "x", "--prompt.length", "none"], "prompt.length"),
        (["fit", "--corpus.root", "x", "--prompt.site", "output"], "output"),
        (["fit", "--corpus.root", "x", "--window_seconds", "40"], "window_seconds: found 40"),
        (["fit"], "corpus"),
        (["fit", "nowhere.yaml"], "nowhere.yaml"),
        (["evaluate", "--corpus.root", "x", "--normalizer", "fancy"], "x"),
        (["transcribe", "a.wav", "--format", "doc"], "doc"),
        (["transcribe", "a.wav", "--batch_size", "0"], "batch_size: found 0, wanted 1 or more"),
        (["transcribe", "a.wav", "--batch_size", "-1"], "batch_size: found -1"),
        (["evaluate", "--corpus.root", "x", "--batch_size", "0"], "batch_size: found 0"),
        (["evaluate", "--corpus.root", "x", "--resamples", "0"], "resamples: found 0"),
        (["evaluate", "--corpus.root", "x", "--dev_limit", "0"], "dev_limit: found 0"),
        (["evaluate", "--corpus.root", "x", "--processes", "0"], "processes: found 0"),
        (["evaluate", "--corpus.root", "x", "--seed", "-1"], "seed: found -1"),
        (["evaluate", "--corpus.root", "x", "--windows", "[0]"], "windows: found 0, wanted"),
        (["evaluate", "--corpus.root", "x", "--windows", "[2, 31]"], "windows: found 31"),
        (["evaluate", "--corpus.root", "x", "--windows", "[-1]"], "windows: found -1"),
        (["fit", "--corpus.root", "x", "--data.workers", "-1"], "data.workers: found -1"),
        (["fit", "--corpus.root", "x", "--seed", "-1"], "seed: found -1"),
        (
            ["add-language", "qug", "--bank", "x", "--corpus.root", "x", "--data.workers", "-1"],
            "data.workers: found -1",
        ),
        (
            ["transcribe", __file__, "--model", "no-such-model"],
            "no such folder; wanted a folder, a hub id",
        ),
        (["transcribe", __file__, "--prompt", "/no/prompt"], "no such folder"),
        (["transcribe", "--", "-odd.wav"], "transcribe: -odd.wav: no such file or folder"),
        (
            ["transcribe", __file__, "--", "-odd.wav"],
            "transcribe: -odd.wav: no such file or folder",
        ),
        (["prompt", "show", "--", "-p"], "prompt or bank -p: no such folder"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == 2
    assert message in one_line(capsys.readouterr().err)


def test_an_unknown_recipe_key_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("corpus:\n  root: x\noptimizer:\n  learning_rat: 1\n")
    assert call("fit", str(recipe)) == 2
    assert "learning_rat" in one_line(capsys.readouterr().err)


def test_an_unknown_language_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audio = str(home / "corpus" / "audio" / "test0.wav")
    assert call("transcribe", audio, "--model", str(home / "model"), "--language", "qug") == 2
    assert "language 'qug': Whisper has no token for it" in one_line(capsys.readouterr().err)


def test_transcribe_takes_a_languages_prompt_from_a_bank(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, bank = str(home / "model"), str(tmp_path / "run" / "bank")
    write_corpus(tmp_path / "corpus", languages=("zh", "qug"))
    fit = (
        "fit", "--corpus.root", str(tmp_path / "corpus"), "--model", model, "--output", str(tmp_path / "run"),
        "--method", "language_prompts", "--languages.zh", "[zh]", "--languages.qug", "[es]",
        "--window_seconds", "2", "--prompt.length", "4", "--optimizer.learning_rate", "0.05",
        "--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false",
    )  # fmt: skip
    assert call(*fit) == 0
    audio = str(home / "corpus" / "audio" / "test0.wav")
    of_bank = (
        "transcribe", audio, "--model", model, "--bank", bank, "--format", "json", "--voice_activity", "null",
    )  # fmt: skip
    capsys.readouterr()
    for language, token in (("qug", ["es"]), ("zh", ["zh"]), ("zh+qug", ["zh", "es"])):
        assert call(*of_bank, "--language", language) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["languages"] == token
        assert said["prompt"] == f"{bank}/{language}"
    assert call(*of_bank) == 2
    assert "wanted auto or one of qug, zh" in one_line(capsys.readouterr().err)
    assert call(*of_bank, "--language", "cv") == 2
    assert "no language 'cv'; wanted one of qug, zh" in one_line(capsys.readouterr().err)
    prompt = str(home / "run" / "prompt")
    assert call(*of_bank, "--language", "qug", "--prompt", prompt) == 2
    assert "a prompt and a bank given" in one_line(capsys.readouterr().err)


def test_an_unknown_command_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("teach") == 2
    assert "teach" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("fit", "Highest learning rate"),
        ("add-language", "or a small part over the bank"),
        ("evaluate", "Text normalizer before scoring"),
        ("compare", "Number of seeds for each recipe"),
        ("transcribe", "Format of the transcripts"),
        ("data check", "Window to train with"),
        ("prompt show", "How many feed-forward slots are read"),
        ("recipes list", "List the recipes"),
    ],
)
def test_help_says_what_each_setting_is_and_imports_no_torch(command: str, said: str) -> None:
    code = f"""
import contextlib, io, sys
from spt_whisper.cli import main
text = io.StringIO()
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(text):
    main({command.split()!r} + ["--help"])
print(" ".join(text.getvalue().split()))
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("corpus: {root: x}\nlanguages: [no]\n", "put quotes around them"),
        ("corpus:\n  root: x\nprompt:\n", "prompt: the section is empty; leave it out"),
    ],
)
def test_what_yaml_makes_of_a_recipe_is_said(
    recipe: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(recipe)
    assert call("fit", str(tmp_path / "a.yaml")) == 2
    assert said in one_line(capsys.readouterr().err)


def test_a_value_that_is_none_of_the_choices_is_named_with_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--corpus.root", "x", "--prompt.side", "both"])
    assert "prompt.side: wanted one of 'encoder', 'decoder', 'entire'; found both;" in capsys.readouterr().err  # fmt: skip


@pytest.mark.parametrize(
    ("flag", "given", "line"),
    [
        ("prompt.site", "cros", "wanted one of 'input', 'attention', 'cross', 'feed_forward', 'language', or a list of these; found cros;"),
        ("prompt.site", "[input, cros]", "or a list of these; found ['input', 'cros'];"),
        ("prompt.length", "x", "wanted a whole number, or a mapping of names to whole numbers; found x;"),
        ("window_seconds", "x", "wanted a number, or a list of numbers; found x;"),
        ("early_stopping", "x", "wanted a whole number, or null; found x;"),
        ("languages", "3", "wanted a list of texts, or a mapping of names to lists of texts; found 3;"),
    ],
)  # fmt: skip
def test_a_value_of_none_of_several_types_is_named_with_them(
    flag: str, given: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--corpus.root", "x", f"--{flag}", given])
    said = one_line(capsys.readouterr().err)
    assert said.startswith(f"spt-whisper fit: {flag}: wanted ")
    assert line in said


def test_a_path_below_the_home_folder_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/rosa")
    parser = command_parser("fit", "")
    parser.add_class_arguments(Recipe, None)
    settings = instantiate(parser, ["--output=~/runs/x", "--corpus.root=~/c", "--model=~a"])
    assert (settings.output, settings.corpus.root) == ("/home/rosa/runs/x", "/home/rosa/c")
    assert settings.model == "~a"


def test_a_pass_over_dev_that_never_comes_is_one_line(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = fit_flags(home, tmp_path / "run", "--trainer.val_check_interval", "500")
    assert call("fit", *flags) == 2
    assert "`val_check_interval` (500) must be less" in one_line(capsys.readouterr().err)
