"""Which settings decide what a run learns: one table, for going on from a checkpoint and for knowing a finished run again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

_LEARNS_NOTHING = frozenset(
    {
        "output",
        "checkpoint_minutes",
        "recompute",
        "data.workers",
        "data.states_store",
        "data.states_store_gigabytes",
        "data.encoder_cache_gigabytes",
        "trainer.accelerator",
        "trainer.detect_anomaly",
        "trainer.enable_model_summary",
        "trainer.enable_progress_bar",
        "trainer.log_every_n_steps",
        "trainer.num_sanity_val_steps",
        "trainer.profiler",
        "trainer.strategy",
    }
)
"""By the names of their flags: where things lie, what is shown, who computes. What is learned does not depend on them, but for
rounding, in which two processors differ as well: encoder states are float16 where they are kept, in memory as on disk, and those
for which `data.encoder_cache_gigabytes` has no room are computed again in each step, and not rounded to that."""


def deciding_settings(
    settings: Mapping[str, Any], known: Collection[str] = (), section: str = ""
) -> dict[str, Any]:
    """Returns nested settings without those on which nothing that is learned depends.

    Args:
        settings: of a recipe, or of a section of it.
        known: names of further settings to leave out, such as `corpus.root`: what they stand for is known otherwise.
        section: what stands in front of the names, such as `data.`.
    """
    kept = {}
    for name, value in settings.items():
        path = f"{section}{name}"
        if path not in _LEARNS_NOTHING and path not in known:
            nested = isinstance(value, Mapping)
            kept[name] = deciding_settings(value, known, f"{path}.") if nested else value
    return kept
