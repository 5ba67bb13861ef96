"""Kills training runs at random moments of their training, resumes them, and compares the prompts with an undisturbed run's, to the bit.

    python tools/kill_and_resume.py --kills 20 recipes/kichwa.yaml --corpus.root DIR [--section.key value ...]

What follows --kills N (and --output DIR) is what `spt-whisper fit` takes. Exits with status 1 where a prompt differs.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spt_whisper.errors import InputError

PATIENCE = 3600  # seconds for one run
TRIES = 5  # to kill a run before it ends


@dataclass(frozen=True)
class Kill:
    """One run that was killed and resumed."""

    seconds: float  # from its first checkpoint to the kill
    ended: bool  # it came to its end before
    same: bool  # whether its prompt is the undisturbed run's


def kill_and_resume(fit: Sequence[str], output: Path, kills: int, seed: int = 0) -> list[Kill]:
    """Trains once undisturbed and then once for each kill.

    The moment is drawn evenly from what the first run took between its first checkpoint and its end; where a run has ended
    by then, another one is killed in its place, earlier.

    Args:
        fit: what `spt-whisper fit` takes, but for the output.
        output: the folder of the runs; those of an earlier call are removed.
        kills: how many runs are killed.
        seed: seed of the moments.

    Raises:
        InputError: the folder holds other things.
        CalledProcessError: a run ends with another status than 0.
    """
    _remove_older(output)
    process = _start(fit, output / "whole")
    started = time.monotonic()
    _check(process.wait(PATIENCE), process)
    length, wanted = time.monotonic() - started, _digest(output / "whole")
    draw, done = random.Random(seed), []
    for number in range(kills):
        run = output / f"killed{number}"
        for _ in range(TRIES):
            shutil.rmtree(run, ignore_errors=True)
            process, started = _start(fit, run), time.monotonic()
            seconds = draw.uniform(0, length)
            ended = _kill_after(seconds, process)
            if not ended:
                break
            length = min(length, time.monotonic() - started)  # the machine has less to do now
        resume = [*_command(fit, run), "--resume", "true"]
        subprocess.run(resume, check=True, timeout=PATIENCE)
        done.append(Kill(seconds, ended, _digest(run) == wanted))
    return done


def _remove_older(output: Path) -> None:
    """Removes the runs of an earlier call, and nothing else."""
    if not output.exists():
        return
    if not output.is_dir():
        raise InputError(f"{output}: is a file, wanted a folder; name another")
    own = [output / "whole", *output.glob("killed*")]
    if any(output.iterdir()) and not any(run.exists() for run in own):
        raise InputError(f"{output}: holds files that are not of this tool; name another folder")
    for run in own:
        shutil.rmtree(run, ignore_errors=True)


def _command(fit: Sequence[str], output: Path) -> list[str]:
    return [sys.executable, "-m", "spt_whisper", "fit", *fit, "--output", str(output)]


def _start(fit: Sequence[str], output: Path) -> subprocess.Popen[bytes]:
    """Starts a run, and waits for its first checkpoint (or its end)."""
    process = subprocess.Popen(_command(fit, output))
    deadline = time.monotonic() + PATIENCE
    while not (output / "checkpoints" / "last.ckpt").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            break
        time.sleep(0.005)
    return process


def _kill_after(seconds: float, process: subprocess.Popen[bytes]) -> bool:
    """Returns whether the run came to its end before."""
    try:
        _check(process.wait(seconds), process)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def _check(status: int, process: subprocess.Popen[bytes]) -> None:
    if status:
        raise subprocess.CalledProcessError(status, process.args)


def _digest(run: Path) -> str:
    """SHA-256 of the tensors that a run made."""
    digest = hashlib.sha256()
    for file in sorted(run.rglob("*.safetensors")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def main() -> int:
    """Prints one line a kill."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="how many runs are killed")
    parser.add_argument("--output", type=Path, default=Path("runs/kills"), help="of all runs")
    known, fit = parser.parse_known_args()
    try:
        kills = kill_and_resume(fit, known.output, known.kills)
    except (InputError, subprocess.SubprocessError) as error:  # what fit found wrong it has said
        print(f"kill_and_resume: {error}", file=sys.stderr)
        return 2
    for kill in kills:
        state = "was at its end" if kill.ended else "killed and resumed"
        same = "the same prompt" if kill.same else "ANOTHER PROMPT"
        print(f"{kill.seconds:.1f} s after the first checkpoint: {state}, {same}")
    print(f"{sum(kill.same for kill in kills)} of {len(kills)} ended with the same prompt")
    return int(not all(kill.same for kill in kills))


if __name__ == "__main__":
    sys.exit(main())
