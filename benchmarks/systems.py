"""What decodes: bare Whisper, and what was learned for it, read and loaded; and a folder that keeps their texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from spt_whisper import Prompt, Whisper
from spt_whisper.atomic import write_text
from spt_whisper.errors import InputError
from spt_whisper.evaluation.learned import bare_name
from spt_whisper.evaluation.system_score import check_unique
from spt_whisper.prompts.files import SETTINGS_FILE
from spt_whisper.transcription.transcript_records import work_digest
from spt_whisper.whisper.adapted import read_model_card

BARE = "bare"


@dataclass(frozen=True)
class System:
    """What decodes: bare Whisper, Whisper with a prompt on, or an adapted model."""

    name: str
    model: str  # folder or name
    prompt: Prompt | None = None


def read_run(run: Path) -> System:
    """Reads a RUN: its own folder, or that of `fit` in which it lies.

    Raises:
        InputError: there is none, or it is damaged.
    """
    whole = run.resolve()
    name = whole.parent.name if whole.name in ("prompt", "model") else whole.name
    for folder in (run, run / "prompt", run / "model"):
        if (folder / SETTINGS_FILE).is_file():
            prompt = Prompt.from_pretrained(folder)
            return System(name, prompt.card.base, prompt)
        if read_model_card(folder):
            return System(name, str(folder))
    raise InputError(f"{run}: holds no prompt and no adapted model; wanted a folder that `fit` wrote")  # fmt: skip


def with_bare(runs: Sequence[System]) -> list[System]:
    """Returns bare Whisper, and the RUNs behind it.

    Raises:
        InputError: the RUNs are of several Whispers, or have one name.
    """
    bases = list(dict.fromkeys(bare_name(run.model) for run in runs))
    if len(bases) > 1:
        raise InputError(
            f"controls: RUNs of {', '.join(bases)}; give those of one Whisper at a time"
        )
    check_unique("controls: RUN", [BARE, *(run.name for run in runs)])
    return [System(BARE, bases[0]), *runs]


@lru_cache(maxsize=1)
def load(model: str) -> Whisper:
    """Loads a model, which stays until another one is asked for."""
    return Whisper.from_pretrained(model)


def key_of(system: System, **settings: Any) -> str:
    """Returns the hash of all that decides a system's texts."""
    prompts = [system.prompt] if system.prompt else []
    return work_digest(load(system.model).frozen.fingerprint, prompts, settings)


@dataclass(frozen=True)
class Store:
    """A folder of texts, one JSON for each system and control; what is there is not made again."""

    folder: Path

    def texts(self, name: str, key: str, decode: Callable[[], list[str]]) -> list[str]:
        """Returns the texts kept under a name and a key, decoded and kept first where there are none."""
        path = self.folder / f"{name.replace(' ', '_')}-{key[:12]}.json"
        if not path.is_file():
            write_text(path, json.dumps(decode(), ensure_ascii=False, indent=1) + "\n")
        texts: list[str] = json.loads(path.read_text(encoding="utf-8"))
        return texts
