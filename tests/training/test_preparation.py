"""What a run makes of its corpus before the first step: which parts it goes without, and what it refuses."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from spt_whisper.corpora import CorpusConfig
from spt_whisper.errors import InputError
from spt_whisper.training.preparation import PreparedData, prepare
from spt_whisper.training.recipe import Recipe
from tests.tiny_corpus import write_corpus
from tests.tiny_model import tiny_whisper


def prepared(root: Path, **settings: Any) -> PreparedData:
    given = {"corpus": CorpusConfig(str(root)), "languages": ["es"], "window_seconds": 2.0}
    return prepare(Recipe(**{**given, **settings}), tiny_whisper())


def test_a_corpus_without_dev_is_learned_from_unless_somebody_wants_to_watch_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_corpus(tmp_path / "corpus")
    (root / "dev.jsonl").unlink()
    with caplog.at_level(logging.WARNING, "spt_whisper"):
        data = prepared(root)
    assert (len(data.train), data.dev) == (6, [])
    (line,) = caplog.messages
    assert line.startswith(f"{root} has no dev part: nothing watches the training")
    with pytest.raises(InputError, match=r"early_stopping: needs a dev part.*name one with corpus"):
        prepared(root, early_stopping=1)
    with pytest.raises(InputError, match=r"no split 'valid'.*--corpus\.dev null"):
        prepared(root, corpus=CorpusConfig(str(root), dev="valid"))
    caplog.clear()
    prepared(root, corpus=CorpusConfig(str(root), dev=None))
    assert not caplog.messages


def test_a_dev_part_of_which_nothing_fits_is_gone_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_corpus(tmp_path / "corpus")
    dev = root / "dev.jsonl"
    rows = [json.loads(line) | {"duration": 40} for line in dev.read_text().splitlines()]
    dev.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with caplog.at_level(logging.WARNING, "spt_whisper"):
        assert prepared(root).dev == []
    assert "dev: none of 2 utterances fits; 2 over 30 s" in caplog.messages[-1]
    assert "nothing watches the training" in caplog.messages[-1]
    with pytest.raises(InputError, match="corpus, dev: none of 2 utterances fits"):
        prepared(root, early_stopping=1)


def test_a_language_has_whispers_own_token_whatever_code_or_name_the_corpus_uses(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = {"eng": "en", "Chinese": "zh", "ita_Latn": "it", "es-419": "es", "Castilian": "es"}
    root = write_corpus(tmp_path / "corpus", languages=(*own, "it-test"))
    with caplog.at_level(logging.INFO, "spt_whisper"):
        codes = prepared(root, languages=[]).builder.codes
    assert {language: codes[language] for language in own} == {k: (v,) for k, v in own.items()}
    assert "language token of eng: <|en|>, by its name" in caplog.messages
    assert any(
        line.startswith("language token of it-test") and line.endswith("most in it")
        for line in caplog.messages
    )


def test_files_that_are_missing_are_named_before_anything_is_heard(tmp_path: Path) -> None:
    root = write_corpus(tmp_path / "corpus", train=100)
    for name in ("train1", "train3", "dev0", *(f"train{n}" for n in range(90, 95))):
        (root / "audio" / f"{name}.wav").unlink()
    (root / "audio" / "train5.wav").write_bytes(b"")
    with pytest.raises(
        InputError,
        match=r"9 of 102 audio files are missing or empty: .*train1\.wav, .* and 4 more; rest",
    ):
        prepared(root)
