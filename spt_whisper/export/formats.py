"""The formats of exports: what each carries, and an export from its settings to its folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spt_whisper import __version__
from spt_whisper.atomic import check_nothing_lost, replacing_folder
from spt_whisper.errors import InputError
from spt_whisper.export import ctranslate2, onnx, transformers
from spt_whisper.export.settings import ExportConfig
from spt_whisper.export.source import MARK, ExportSource, read_mark, read_source
from spt_whisper.prompts.places import SIDES

_FOLDED = frozenset(
    {"encoder.feed_forward", "decoder.feed_forward", "decoder.input", "decoder.language"}
)
_IN_GRAPHS = _FOLDED | {
    f"{side}.{place}"
    for place, sides in {
        "input": SIDES,
        "attention": SIDES,
        "attention_gated": SIDES,
        "attention_pairs": SIDES,
        "cross": ("decoder",),
        "cross_gated": ("decoder",),
        "cross_pairs": ("decoder",),
    }.items()
    for side in sides
}  # what `graphs.py` reads: a new place is not in them by itself


@dataclass(frozen=True)
class Format:
    """One format."""

    places: frozenset[str]  # `side.place` of the prompts that it carries
    precisions: tuple[str, ...]
    write: Callable[[ExportSource, ExportConfig, Path], None]  # fills an empty folder
    usage: Callable[[ExportSource, ExportConfig], str]  # Python that runs what is in it


FORMATS: dict[str, Format] = {
    "transformers": Format(
        _FOLDED, ("float32", "float16"), transformers.write_checkpoint, transformers.usage
    ),
    "ctranslate2": Format(
        _FOLDED, ("float32", "float16", "int8"), ctranslate2.write_ctranslate2, ctranslate2.usage
    ),
    "onnx": Format(_IN_GRAPHS, ("float32",), onnx.write_graphs, onnx.usage),
}


def export(config: ExportConfig) -> Path:
    """Writes a prompt or an adapted model as another engine reads it; returns the folder.

    Raises:
        InputError: the format cannot carry all of the prompt, or the folder holds something else, too.
    """
    own, output = FORMATS[config.format], Path(config.output)
    if config.precision not in own.precisions:
        raise InputError(
            f"precision: found {config.precision}, {config.format} takes {', '.join(own.precisions)}"
        )
    _check_output(output)
    source = read_source(config)
    _check_places(source, config.format)
    with replacing_folder(output) as folder:
        own.write(source, config, folder)
        (folder / "README.md").write_text(_readme(source, config), encoding="utf-8")
        made = {
            "library_version": __version__,
            "format": config.format,
            "source": Path(source.name).name,
            "files": sorted([MARK, *(path.name for path in folder.iterdir())]),
        }
        (folder / MARK).write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    return output


def _check_output(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise InputError(f"output: {output} is a file; name a folder")
    if output.exists() and any(output.iterdir()) and not (output / MARK).is_file():
        raise InputError(f"output: {output} holds files that are no export; name another folder")
    if (output / MARK).is_file():
        _, own = read_mark(output / MARK)
        check_nothing_lost(output, "export", (p for p in output.iterdir() if p.name not in own))


def _check_places(source: ExportSource, name: str) -> None:
    """Refuses to lose a part of a prompt."""
    lost = [place for place in source.places if place not in FORMATS[name].places]
    if lost:
        able = [other for other, own in FORMATS.items() if own.places.issuperset(source.places)]
        raise InputError(
            f"export {source.name}: format {name} cannot carry its {', '.join(lost)}; "
            + (f"wanted format {' or '.join(able)}" if able else "no other format can either")
        )


def _readme(source: ExportSource, config: ExportConfig) -> str:
    base = source.whisper.name
    what = f"the soft prompt {Path(source.name).name} in it" if source.prompt else "its own weights"
    return (
        f"# {base} with {what}\n\nMade by `spt-whisper export` {__version__}: format {config.format}, "
        f"{config.precision}.\n\n```python\n{FORMATS[config.format].usage(source, config)}```\n"
    )
