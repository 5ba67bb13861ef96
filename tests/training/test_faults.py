"""What goes wrong in a run is one line and status 2, and the last good prompt stays."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from spt_whisper.cli import main
from spt_whisper.corpora import CorpusConfig
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import SHARED_FOLDER, SHARED_METHOD
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.language_part import write_part
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.training.checkpoint_files import WholeFiles
from spt_whisper.training.expansion import add_language
from spt_whisper.training.expansion_settings import ExpansionConfig
from spt_whisper.training.methods.soft_prompt import PromptLearner
from spt_whisper.training.prompt_tuner import PromptTuner
from spt_whisper.training.recipe import OptimizerConfig, Recipe
from spt_whisper.training.run import check_start, fit
from spt_whisper.training.trainer import build_trainer
from tests.cli.test_commands import one_line
from tests.prompts.test_bank import CONFIG, part
from tests.prompts.test_bank import prompt as bank_prompt
from tests.tiny_corpus import fit_flags, write_home
from tests.tiny_model import tiny_whisper


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("home"))


def arguments(home: Path, output: Path, *more: str) -> list[str]:
    own = ["--trainer.max_epochs", "1"]
    return fit_flags(home, output, *own, *more)


def test_numbers_that_are_not_finite_are_not_kept(tmp_path: Path) -> None:
    """A step may spoil the prompt while its own loss is still finite."""
    whisper, config = tiny_whisper(), PromptConfig(length=2)
    start = start_vectors(config, whisper.shape, torch.Generator().manual_seed(0))
    learner = PromptLearner(SoftPrompt(config, start))
    tuner = PromptTuner(whisper, learner, OptimizerConfig())
    tuner.trainer, _ = build_trainer(Recipe(CorpusConfig("x")), tmp_path)
    tuner.on_save_checkpoint({})
    with torch.no_grad():
        learner.trained()[0].view(-1)[-1] = float("inf")
    with pytest.raises(InputError, match="what trains is no longer finite at step 0; lower"):
        tuner.on_save_checkpoint({})


def test_a_disk_that_takes_no_checkpoint_is_one_line(home: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main(["fit", *arguments(home, run)]) == 0
    files = [run / "prompt" / "prompt.safetensors", run / "checkpoints" / "last.ckpt"]
    good = [file.read_bytes() for file in files]
    more = ["--trainer.max_epochs", "1", "--resume", "true", "--checkpoint_minutes", "0"]
    files[1].unlink()  # it starts anew, in the same folder
    done = subprocess.run(
        [sys.executable, "-m", "spt_whisper", "fit", *arguments(home, run, *more)],
        capture_output=True, text=True, timeout=600, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("spt-whisper fit:")]
    assert f"{files[1]}: larger than a file may be here" in line
    assert "Traceback" not in done.stderr
    assert files[0].read_bytes() == good[0]
    assert not list(files[1].parent.iterdir())


@pytest.mark.parametrize("workers", ["0", "1"])
def test_audio_that_cannot_be_read_in_the_loop_says_what_is_kept_and_how_to_go_on(
    workers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, run = write_home(tmp_path, train=1), tmp_path / "run"
    manifest = home / "corpus" / "train.jsonl"
    row = json.loads(manifest.read_text())
    rows = [row | {"id": f"{n}"} for n in range(100)]
    bad = home / "corpus" / "audio" / "bad.wav"
    rows[97] |= {"audio": "audio/bad.wav"}  # not among those that are heard beforehand
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    good = (home / "corpus" / row["audio"]).read_bytes()
    bad.write_text("no audio")
    plain = ["--corpus.dev", "null", "--data.workers", workers, "--data.batch_size", "10"]
    assert main(["fit", *arguments(home, run, *plain, "--checkpoint_minutes", "0")]) == 2
    line = one_line(capsys.readouterr().err)
    kept = run / "checkpoints" / "last.ckpt"
    assert f"{bad}: cannot be read as audio" in line
    assert (
        f"; what was learned so far is kept in {kept}: fix the file, and go on with --resume true"
        in line
    )
    bad.write_bytes(good)
    assert (
        main(
            ["fit", *arguments(home, run, *plain, "--checkpoint_minutes", "0", "--resume", "true")]
        )
        == 0
    )
    bad.write_text("no audio")
    whole = ["--data.batch_size", "100"]
    assert main(["fit", *arguments(home, tmp_path / "other", *plain, *whole)]) == 2
    assert "; no checkpoint was made yet: fix the file, or take" in one_line(
        capsys.readouterr().err
    )


def test_an_output_that_cannot_be_written_is_found_before_the_model_is_read(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    wrong = arguments(home, tmp_path / "file" / "run", "--model", str(tmp_path / "none"))
    assert main(["fit", *wrong]) == 2
    assert "a file stands in place of a folder" in one_line(capsys.readouterr().err)
    with pytest.raises(OSError, match="Permission denied|Read-only|No such file"):
        check_start(Recipe(CorpusConfig("x")), tmp_path, Path("/proc/run"))


def test_settings_that_no_card_could_hold_are_found_before_the_model_is_read(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ("--corpus.max_seconds", ".inf", "--model", str(tmp_path / "none"))
    assert main(["fit", *arguments(home, tmp_path / "run", *wrong)]) == 2
    assert "corpus.max_seconds: found inf, which a prompt's JSON cannot hold" in one_line(
        capsys.readouterr().err
    )
    odd = CorpusConfig(os.fsdecode(b"espa\xf1ol"))
    with pytest.raises(InputError, match=r"corpus\.root: found .* names in UTF-8"):
        check_start(Recipe(odd))


def test_a_second_run_after_one_on_several_processes_is_refused(tmp_path: Path) -> None:
    store = torch.distributed.HashStore()
    bank = tmp_path / "bank"
    bank_prompt("ky", SHARED_METHOD).save_pretrained(bank / SHARED_FOLDER)
    write_part(bank / "ky", part("ky"), bank / SHARED_FOLDER, CONFIG)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        with pytest.raises(InputError, match="trainer.devices: found a second run"):
            fit(Recipe(CorpusConfig("x"), output=str(tmp_path)))
        with pytest.raises(InputError, match="trainer.devices: found a second run"):
            add_language(ExpansionConfig("cv", str(bank), CorpusConfig("x"), output=str(tmp_path)))
    finally:
        torch.distributed.destroy_process_group()


def test_a_damaged_checkpoint_is_named(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *arguments(home, tmp_path / "run")]) == 0
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    capsys.readouterr()
    assert main(["fit", *arguments(home, tmp_path / "run", "--resume", "true")]) == 2
    assert f"{checkpoint}: is damaged" in capsys.readouterr().err


def test_a_checkpoint_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint({"step": torch.tensor(1)}, path)
    with pytest.raises(AttributeError):
        WholeFiles().save_checkpoint({"weights": torch.ones(1000), "bad": lambda: None}, path)
    assert WholeFiles().load_checkpoint(path)["step"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]
