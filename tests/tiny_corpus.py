"""A tiny model and a tiny corpus on disk, for what goes through files: recipes, commands, prompts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests.tiny_model import LANGUAGES, tiny_whisper

WORDS = ("ari", "ñuka", "wasi", "llakta")


def write_model(folder: Path, seed: int = 0, languages: Sequence[str] = LANGUAGES) -> Path:
    """Writes the tiny Whisper as a transformers folder."""
    whisper = tiny_whisper(seed, languages=languages)
    whisper.model.save_pretrained(folder)
    whisper.tokens.tokenizer.save_pretrained(folder)
    return folder


def write_corpus(
    folder: Path,
    train: int = 6,
    dev: int = 2,
    test: int = 3,
    languages: Sequence[str] = ("qug",),
) -> Path:
    """Writes noise of different colors with a word each, and its manifests; languages in turn (`zh+en`: both)."""
    generator = np.random.default_rng(0)
    (folder / "audio").mkdir(parents=True)
    for split, count in (("train", train), ("dev", dev), ("test", test)):
        lines = []
        for index in range(count):
            seconds = 0.5 + 0.1 * index
            tone = np.sin(np.arange(int(16_000 * seconds)) * 0.02 * (1 + index % len(WORDS)))
            samples = 0.3 * tone + 0.05 * generator.standard_normal(tone.size)
            name = f"audio/{split}{index}.wav"
            soundfile.write(folder / name, samples.astype(np.float32), 16_000)
            language = languages[index % len(languages)]
            row = {"id": f"{split}{index}", "audio": name, "text": WORDS[index % len(WORDS)]}
            lines.append(
                json.dumps({**row, "language": language, "duration": seconds}, ensure_ascii=False)
            )
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write_home(folder: Path, **corpus: Any) -> Path:
    """Writes both, as `model` and `corpus`; returns the folder."""
    write_model(folder / "model")
    write_corpus(folder / "corpus", **corpus)
    return folder


def fit_flags(home: Path, output: Path, *more: str) -> list[str]:
    """Returns flags of `spt-whisper fit` for what `write_home` wrote; of a flag that is given twice the last counts."""
    return [
        "--corpus.root", str(home / "corpus"), "--model", str(home / "model"), "--output", str(output),
        "--languages", "[es]", "--window_seconds", "2", "--prompt.length", "4", "--data.batch_size", "2",
        "--trainer.precision", "32-true", "--trainer.max_epochs", "2", "--trainer.accelerator", "cpu",
        "--trainer.enable_progress_bar", "false", *more,
    ]  # fmt: skip
