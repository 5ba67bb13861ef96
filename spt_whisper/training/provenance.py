"""What a run was made with: versions, the state of the code, the data."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from spt_whisper import __version__
from spt_whisper.corpora.fingerprint import fingerprint_splits
from spt_whisper.prompts.card import Provenance
from spt_whisper.training.batch import Example

_PACKAGES = ("torch", "transformers", "lightning")
_PATIENCE = 10  # seconds


def provenance_of(train: Sequence[Example], dev: Sequence[Example]) -> Provenance:
    """Returns the provenance of a run of this process.

    Args:
        train: what was learned from, without what was dropped.
        dev: what was watched.
    """
    own = {"spt-whisper": __version__, "python": platform.python_version()}
    splits = {"train": train, "dev": dev}
    return Provenance(
        versions={**own, **{name: version(name) for name in _PACKAGES}},
        git=git_state(Path(__file__)),
        data=fingerprint_splits({k: [e.utterance for e in v] for k, v in splits.items()}),
    )


def git_state(file: Path) -> str | None:
    """Returns the commit of the clone in which a file lies, with `-dirty` behind it where tracked files differ.

    None: git does not know the file, as in an installed package; its version says which code it is.
    """
    try:
        _git(file, "ls-files", "--error-unmatch", file.name)
        return _git(file, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(file: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(file.parent), *arguments],
        capture_output=True, text=True, check=True, timeout=_PATIENCE,
    )  # fmt: skip
    return done.stdout.strip()
