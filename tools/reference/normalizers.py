"""The scoring normalizers as Markdown: the steps of each, and what each step does, as the code has them."""

from __future__ import annotations

import inspect

from spt_whisper.text.normalization import NORMALIZERS, STEPS


def normalizer_tables() -> str:
    """Returns a table of the normalizers and one of their steps, both in the code's order."""
    normalizers = [
        f"| `{name}` | {', '.join(f'`{step}`' for step in normalizer.steps)} |"
        for name, normalizer in NORMALIZERS.items()
    ]
    steps = [f"| `{name}` | {_summary(step)} |" for name, step in STEPS.items()]
    return "\n".join(
        [
            *("| normalizer | its steps, in order |", "| --- | --- |", *normalizers),
            *("", "| step | what it does |", "| --- | --- |", *steps),
        ]
    )


def _summary(step: object) -> str:
    return (inspect.getdoc(step) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
