"""What a reader of the book has, all of it tiny: Whisper, recipes, corpora, recordings and a prompt."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import soundfile
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from spt_whisper.cli import main
from tests.audio.recordings import write_with_av
from tests.docs.pages import ROOT
from tests.recipe_corpora import write_common_voice
from tests.tiny_corpus import WORDS, write_corpus, write_model

SHORT = [
    "--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false", "--data.workers", "0",
]  # fmt: skip


def write_workshop(folder: Path) -> None:
    """Writes all of it below a folder."""
    with contextlib.chdir(folder):
        write_model(Path("openai/whisper-base"), languages=tuple(LANGUAGES)[:99])
        Path("base").symlink_to("openai/whisper-base")
        shutil.copytree(ROOT / "recipes", "recipes")
        write_corpus(Path("data/kichwa"))
        write_corpus(Path("data/mixed"), languages=("zh+en",))
        write_common_voice(Path("data/cv-corpus"))
        _write_recordings(Path("my-language/recordings"))
        Path("talks").mkdir()
        for source, target in (("test0", "a"), ("test1", "b"), ("test2", "talks/c")):
            shutil.copy(f"data/kichwa/audio/{source}.wav", f"{target}.wav")
        write_with_av(Path("talk.mp4"), "aac", 16_000)
        _write_shard(Path("transcripts/part-0.jsonl"))
        assert main(["fit", "recipes/kichwa.yaml", *SHORT]) == 0


def _write_recordings(folder: Path) -> None:
    """The folder with which the tutorial begins."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(1)
    for speaker in ("ana", "rosa", "luis"):
        for number in range(3):
            path = folder / f"{speaker}-{number:03d}.wav"
            soundfile.write(path, 0.1 * generator.standard_normal(12_000), 16_000)
            path.with_suffix(".txt").write_text(f"{WORDS[number]} {speaker}.\n", encoding="utf-8")


def _write_shard(path: Path) -> None:
    """A shard of a bulk transcription with a row that failed."""
    path.parent.mkdir()
    rows = (
        {"id": "a", "audio": "a.wav", "text": ""},
        {"id": "b", "audio": "b.wav", "error": "no audio"},
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
