"""A manifest with a whole file, parts of files and a broken file, and a tiny model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from spt_whisper.bulk.settings import BulkConfig, BulkJob
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.whisper.loading import FrozenWhisper
from tests.tiny_corpus import write_corpus, write_model


def write_manifest(folder: Path) -> list[dict[str, Any]]:
    """Writes `all.jsonl` over the tiny corpus, and returns its rows; `broken` is a text file."""
    write_corpus(folder, train=5, dev=0, test=0)
    (folder / "audio" / "broken.wav").write_text("no audio")
    rows = [{"id": f"u{index}", "audio": f"audio/train{index}.wav"} for index in range(5)]
    rows[1] |= {"language": "es"}
    rows[2] |= {"start": 0.2, "end": 0.5}
    rows.insert(3, {"id": "broken", "audio": "audio/broken.wav"})
    write_rows(folder / "all.jsonl", rows)
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def job_in(folder: Path, **settings: Any) -> BulkJob:
    """A job over `all.jsonl`; small shards, so that there are several."""
    return BulkJob(
        str(folder / "corpus" / "all.jsonl"),
        str(folder / "out"),
        **{
            "model": str(folder / "model"),
            "batch_size": 2,
            "voice_activity": None,  # noise is no speech
            "bulk": BulkConfig(workers=2, shard_rows=2),
            **settings,
        },
    )


def write_all(folder: Path) -> list[dict[str, Any]]:
    """Writes corpus and model beside each other; returns the manifest's rows."""
    write_model(folder / "model")
    return write_manifest(folder / "corpus")


def results_in(folder: Path) -> list[dict[str, Any]]:
    """The rows of all shards."""
    return [
        json.loads(line)
        for path in sorted(folder.glob("part-*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def write_prompt(folder: Path, model: Path, language: str = "qug") -> str:
    """Writes an untrained prompt for the model; returns its folder."""
    frozen = FrozenWhisper.from_pretrained(model)
    config = PromptConfig(site="feed_forward", length=3)
    vectors = start_vectors(config, frozen.shape, torch.Generator().manual_seed(1))
    moved = vectors.map(lambda tensor: tensor + 1)
    card = PromptCard(frozen.name, frozen.fingerprint, frozen.shape, (language,), ("es",), (2.0,))
    return str(Prompt(config, moved, card).save_pretrained(folder))
