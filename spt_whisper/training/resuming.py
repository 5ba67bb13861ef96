"""Where a run begins: from scratch, or at the last checkpoint of one with the same settings, which is never lost unasked."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import yaml

from spt_whisper.atomic import write_text
from spt_whisper.errors import InputError
from spt_whisper.training.callbacks import CHECKPOINTS, LAST
from spt_whisper.training.methods import METHODS, Artifact
from spt_whisper.training.recipe import Recipe
from spt_whisper.training.relevant_settings import deciding_settings

_LEARNED_FROM = ("corpus.root", "corpus.subset", "corpus.language", "model")
_PATHS = ("corpus.root", "model")

logger = logging.getLogger(__name__)


def first_checkpoint(recipe: Recipe, resume: bool) -> Path | None:
    """Returns where a run goes on; None: at the beginning.

    Args:
        recipe: the run.
        resume: whether it is to go on from the last checkpoint in its output folder, if there is one.

    Raises:
        InputError: the checkpoint is of a run with other settings; or what would be lost is an unfinished run with these, or any
            of another corpus or Whisper.
    """
    checkpoint = _checkpoint(recipe)
    if not resume:
        if is_unfinished(recipe):
            raise InputError(
                f"output: {recipe.output} holds an unfinished run of these settings; wanted --resume true to go on, "
                f"or another output (or no {checkpoint.parent}) to start over"
            )
        _check_same_speech(recipe)
        return None
    if not checkpoint.is_file():
        _check_same_speech(recipe)
        logger.warning(
            "resume: no checkpoint in %s yet; starting from the beginning", recipe.output
        )
        return None
    changed = _changed(recipe)
    if changed:
        raise InputError(
            f"resume: {recipe.output} was trained with other settings of {', '.join(changed)}; "
            "restore them, or start over with another output"
        )
    return checkpoint


def _check_same_speech(recipe: Recipe) -> None:
    """Refuses to replace what was learned from another corpus, as two calls with the default output would."""
    made = [name for name in get_args(Artifact) if (Path(recipe.output) / name).is_dir()]
    if not _saved(recipe).is_file() or not (made or _checkpoint(recipe).is_file()):
        return
    other = [name for name in _changed(recipe) if name in _LEARNED_FROM]
    if other:
        raise InputError(
            f"output: {recipe.output} holds {made[0] if made else 'a checkpoint'} of a run with another {' and '.join(other)}, "
            "which would be lost; wanted another output (or that removed)"
        )


def is_unfinished(recipe: Recipe) -> bool:
    """Whether the output folder holds a checkpoint of these settings and nothing that was made from it."""
    return _is_kept(recipe) and finished_artifact(recipe) is None


def finished_artifact(recipe: Recipe) -> Artifact | None:
    """Returns what a run of these settings has made in the output folder, if it has ended."""
    if not _is_kept(recipe):
        return None
    artifact = METHODS[recipe.method].makes
    folder = Path(recipe.output) / artifact
    kept = _checkpoint(recipe).stat().st_mtime_ns
    return artifact if folder.is_dir() and folder.stat().st_mtime_ns >= kept else None


def write_recipe(recipe: Recipe) -> None:
    """Writes the recipe to the output folder, by which a later run is compared."""
    text = yaml.safe_dump(plain_settings(recipe), allow_unicode=True, sort_keys=False)
    write_text(_saved(recipe), text)


def plain_settings(recipe: Recipe) -> dict[str, Any]:
    """Returns the recipe as YAML can hold it."""
    values = asdict(recipe)
    own = {name: values[name] for name in Recipe.__annotations__}  # before those of the loop
    text = yaml.safe_dump({**own, **values}, allow_unicode=True, sort_keys=False)
    plain: dict[str, Any] = yaml.safe_load(text)
    return plain


def check_kept(recipe: Recipe) -> None:
    """Refuses settings that no card could hold when the run has ended.

    Raises:
        InputError: names the first that is not finite, or no UTF-8.
    """
    for name, value in _by_name(plain_settings(recipe)).items():
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except ValueError as error:
            raise InputError(
                f"{name}: found {value!r}, which a prompt's JSON cannot hold; wanted finite numbers, and names in UTF-8"
            ) from error


def _is_kept(recipe: Recipe) -> bool:
    """Whether there is a checkpoint of these settings."""
    return _checkpoint(recipe).is_file() and not _changed(recipe)


def _checkpoint(recipe: Recipe) -> Path:
    return Path(recipe.output) / CHECKPOINTS / f"{LAST}.ckpt"


def _saved(recipe: Recipe) -> Path:
    return Path(recipe.output) / "recipe.yaml"


def _changed(recipe: Recipe) -> list[str]:
    """The settings that decide what is learned and that differ from those of the run in the output folder."""
    saved = _saved(recipe)
    try:
        before = yaml.safe_load(saved.read_text(encoding="utf-8")) if saved.is_file() else {}
    except yaml.YAMLError:
        before = None
    if not isinstance(before, dict):
        raise InputError(
            f"{saved}: is not the YAML of a recipe; it records what a run here has learned; fix it, or name another output"
        )
    ran, asked = (_by_name(deciding_settings(each)) for each in (before, plain_settings(recipe)))
    return [
        name
        for name in {**asked, **ran}
        if _in_full(name, ran.get(name)) != _in_full(name, asked.get(name))
    ]


def _in_full(name: str, value: Any) -> Any:
    """A setting's value; a path that is there, however it is spelled, in full."""
    is_path = name in _PATHS and isinstance(value, str) and Path(value).exists()
    return Path(value).resolve() if is_path else value


def _by_name(settings: Mapping[str, Any], section: str = "") -> dict[str, Any]:
    """Nested settings by the names of their flags, such as `data.augment.speed`."""
    named: dict[str, Any] = {}
    for name, value in settings.items():
        nested = isinstance(value, dict)
        named |= _by_name(value, f"{section}{name}.") if nested else {f"{section}{name}": value}
    return named
