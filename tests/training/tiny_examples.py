"""The synthetic corpus as examples, tokenized for the tiny model."""

from __future__ import annotations

from pathlib import Path

from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.training.batch import Example, ExampleBuilder
from tests.tiny_corpus import write_corpus
from tests.tiny_model import tiny_whisper

WINDOW = 3.0  # seconds


def tiny_examples(folder: Path) -> tuple[list[Example], ExampleBuilder]:
    """Writes the corpus into the folder; returns its training part."""
    builder = ExampleBuilder(tiny_whisper().tokens, {"qug": ("es",)}, 0, (WINDOW,))
    utterances = read_split(CorpusConfig(str(write_corpus(folder / "corpus"))), "train")
    return builder.examples(utterances, [u.text for u in utterances], "train"), builder
