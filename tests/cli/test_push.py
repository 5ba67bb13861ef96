"""`prompt push` as a user calls it, against a stand-in of the hub on loopback."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from spt_whisper.evaluation.learned import digests_of
from spt_whisper.evaluation.report import Report
from spt_whisper.evaluation.system_score import score_system
from spt_whisper.prompts.bank import SHARED_FOLDER, SHARED_METHOD, Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.language_part import write_part
from spt_whisper.text.normalization import get_normalizer
from tests.cli.test_commands import call, one_line
from tests.evaluation.said import Said
from tests.hub_server import READER, WRITER, Hub, connect, running_hub
from tests.prompts.test_bank import CONFIG, part
from tests.prompts.test_bank import prompt as bank_prompt
from tests.prompts.test_files import make_prompt

ROOT = Path(__file__).parents[2]
NAME = "someone/kichwa"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as running:
        connect(monkeypatch, running.url, tmp_path / "cache")
        monkeypatch.setenv("HF_TOKEN", WRITER)
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_prompt().save_pretrained(tmp_path / "run" / "prompt")


def write_report(folder: Path, subject: Prompt | Bank, learned: str = "prompt") -> None:
    """Writes what `evaluate` would: bare Whisper, and the prompt with one error in four words."""
    references = [Said("u1", "kay shuk wasi"), Said("u2", "ari")]
    said = {"zero_shot": ["the house", "harry"], learned: ["kay shuk wasi", "mana"]}
    systems = [
        score_system(name, references, texts, get_normalizer("basic"), resamples=20)
        for name, texts in said.items()
    ]
    settings = {"digests": digests_of(subject)}
    Report("kichwa (test)", "basic", systems, settings).write(folder / "report.json")


def test_a_prompt_is_pushed_with_its_card_and_nothing_else(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_report(folder.parent, make_prompt())
    for name in ("notes.txt", ".hidden", "report.html"):
        (folder / name).write_text("not for others")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    status = call(
        "prompt", "push", str(folder), NAME, "--license", "cc-by-4.0", "--message", "First one",
        "--report", str(folder.parent),
    )  # fmt: skip
    assert status == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{hub.url}/{NAME}"
    there = hub.repositories[NAME]
    assert set(there.files) - {".gitattributes"} == {"README.md", "prompt.json", "prompt.safetensors"}  # fmt: skip
    assert there.messages[-1] == "First one"
    assert not there.private
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    read = Prompt.from_pretrained(NAME)
    assert (read.config, read.card) == (make_prompt().config, make_prompt().card)

    card = ModelCard(there.files["README.md"].decode())
    assert card.data.base_model == "openai/whisper-tiny"
    assert card.data.library_name == "spt-whisper"
    assert card.data.language == ["qug"]
    assert card.data.license == "cc-by-4.0"
    results = {result.metric_type: result for result in card.data.eval_results or []}
    assert results["wer"].metric_value == 25.0
    assert results["wer"].dataset_name == "kichwa (test)"
    assert results["wer"].metric_name == "WER %, 95 % interval 0.0-100.0"
    assert f'prompt = Prompt.from_pretrained("{NAME}")' in card.text
    assert "| kichwa (test) | prompt | WER | 25.0 (0.0-100.0) | 2 |" in card.text
    assert "| kichwa (test) | zero_shot | WER |" in card.text
    assert "4 utterances" in card.text


def test_a_bank_is_pushed_with_its_languages(hub: Hub, tmp_path: Path) -> None:
    root = tmp_path / "bank"
    bank_prompt("ky", SHARED_METHOD).save_pretrained(root / SHARED_FOLDER)
    for language in ("ky", "sah"):
        write_part(root / language, part(language), root / SHARED_FOLDER, CONFIG)
        if language == "ky":  # it has grown since it was scored
            write_report(tmp_path, Bank.from_folder(root), "bank")
    report = str(tmp_path / "report.json")
    assert call("prompt", "push", str(root), NAME, "--report", report) == 0
    assert Bank.from_pretrained(NAME).languages == ("ky", "sah")
    files = hub.repositories[NAME].files
    assert {path.partition("/")[0] for path in files if "/" in path} == {"shared", "ky", "sah"}
    card = ModelCard(files["README.md"].decode())
    assert card.data.language == ["ky", "sah"]
    assert f'Bank.from_pretrained("{NAME}").prompt("ky")' in card.text
    assert card.data.license is None
    assert "Not stated" in card.text
    hub.repositories[NAME].commit({"docs/README.md": b"somebody's own", "audio.wav": b"RIFF"})
    shutil.rmtree(root / "sah")
    assert call("prompt", "push", str(root), NAME) == 0
    assert Bank.from_pretrained(NAME).languages == ("ky",)
    left = {path.partition("/")[0] for path in hub.repositories[NAME].files if "/" in path}
    assert left == {"shared", "ky", "docs"}
    assert "audio.wav" in hub.repositories[NAME].files


def test_private_is_private_or_nothing_is_pushed(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    push = ("prompt", "push", str(folder))
    assert call(*push, NAME, "--private") == 0
    assert hub.repositories[NAME].private
    assert call(*push, NAME, "--private") == 0  # again, over what is there
    hub.add("someone/public", {})
    capsys.readouterr()
    assert call(*push, "someone/public", "--private") == 2
    assert "is there already, and public" in one_line(capsys.readouterr().err)
    assert not hub.repositories["someone/public"].files


def test_a_folder_that_does_not_load_is_not_pushed(
    hub: Hub, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(name: str = NAME, *more: str, source: Path = folder) -> str:
        capsys.readouterr()
        assert call("prompt", "push", str(source), name, *more) == 2
        assert not hub.repositories
        return one_line(capsys.readouterr().err)

    assert "push: found 'kichwa', wanted a hub id" in refused("kichwa")
    assert "someone/else is no folder" in refused(source=Path("someone/else"))
    assert "neither part.json nor prompt.json" in refused(source=tmp_path)
    assert "report.json: cannot be read" in refused(NAME, "--report", str(tmp_path))
    write_report(tmp_path, make_prompt(), "bank")
    assert "wanted a report of `evaluate --prompt`" in refused(NAME, "--report", str(tmp_path))
    write_report(tmp_path, bank_prompt("qug", "prompt"))
    assert "is of another prompt than this one" in refused(NAME, "--report", str(tmp_path))
    (folder / "old.pkl").write_bytes(pickle.dumps("harm"))
    assert "old.pkl: is or may hold a pickle" in refused()
    (folder / "old.pkl").unlink()
    (folder / "prompt.safetensors").write_bytes(b"\x80\x04pickle")
    assert "prompt.safetensors: is damaged" in refused()


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (None, "does not know you; log in: `hf auth login`, or set HF_TOKEN"),
        (READER, "does not let you write there"),
    ],
)
def test_without_the_right_to_write_it_is_one_line(
    token: str | None,
    message: str,
    hub: Hub,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("HF_TOKEN") if token is None else monkeypatch.setenv("HF_TOKEN", token)
    assert call("prompt", "push", str(folder), NAME) == 2
    assert f"push: {NAME}: the hub ({hub.url}) {message}" in one_line(capsys.readouterr().err)


def test_without_network_it_is_one_line(
    hub: Hub,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    connect(monkeypatch, "http://127.0.0.1:9", tmp_path / "cache")
    assert call("prompt", "push", str(folder), NAME) == 2
    assert "does not answer as it should (ConnectError" in one_line(capsys.readouterr().err)
    connect(monkeypatch, hub.url, tmp_path / "cache", offline=True)
    assert call("prompt", "push", str(folder), NAME) == 2
    assert "HF_HUB_OFFLINE is set; unset it" in one_line(capsys.readouterr().err)


def test_a_card_without_hub_names_says_nothing_that_the_hub_refuses(
    hub: Hub, tmp_path: Path
) -> None:
    made = make_prompt()
    card = replace(made.card, base='C:\\my: "model"', languages=("Kichwa: Napo", "no", "zh"))
    folder = replace(made, card=card).save_pretrained(tmp_path / "prompt")
    assert call("prompt", "push", str(folder), NAME) == 0
    read = ModelCard(hub.repositories[NAME].files["README.md"].decode())
    assert read.data.base_model is None
    assert read.data.language == ["no", "zh"]


@pytest.mark.slow
def test_the_command_and_the_environment_of_a_user(hub: Hub, folder: Path, tmp_path: Path) -> None:
    """A process of its own, with nothing but the variables that the hub's client reads."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "home"),
        "HF_TOKEN": WRITER,
        "HF_HUB_OFFLINE": "0",
    }
    for command in (["push", str(folder), NAME], ["show", NAME, "--model", "/no/model"]):
        done = subprocess.run(
            [sys.executable, "-m", "spt_whisper", "prompt", *command],
            capture_output=True, text=True, env=environment, cwd=ROOT,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
    assert "qug" in done.stdout
    assert hub.fetched() == ["prompt.json", "prompt.safetensors"]
