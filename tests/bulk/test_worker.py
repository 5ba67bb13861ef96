"""A worker: batches, parts of files, broken files, and faults that every shard would meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from torch import Tensor

from spt_whisper.audio import load_audio, stream_audio
from spt_whisper.bulk.rows import BulkRow, read_prompts, read_rows
from spt_whisper.bulk.worker import ShardReport, ShardWorker, ShardWorkerSettings
from spt_whisper.prompts.files import Prompt
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.whisper.options import DecodingOptions
from tests.bulk.manifests import job_in, results_in, write_all, write_prompt
from tests.tiny_corpus import write_model


@pytest.fixture
def settings(tmp_path: Path) -> ShardWorkerSettings:
    """Of a worker over the manifest that is written beside."""
    write_all(tmp_path)
    return ShardWorkerSettings(
        str(tmp_path / "out"),
        str(tmp_path / "model"),
        {},
        frozenset(),
        DecodingOptions(),
        4,
        1,
        None,  # noise is no speech
        None,
        "float32",
    )


def run(settings: ShardWorkerSettings, folder: Path, number: int = 1) -> ShardReport:
    rows, _ = read_prompts(read_rows(job_in(folder)), None)
    return ShardReport(
        **ShardWorker(settings)({"number": number, "rows": [asdict(row) for row in rows]})
    )


def fails_on(ending: str) -> Callable[..., Iterator[Tensor]]:
    """Reading that ends, within files so called, in a fault that is nobody's."""

    def blocks(path: str, **part: Any) -> Iterator[Tensor]:
        yield from stream_audio(path, **part)
        if str(path).endswith(ending):
            raise RuntimeError("a kernel failed\nat great length")

    return blocks


def test_rows_are_as_transcribed_directly_and_a_broken_file_is_an_error_row(
    settings: ShardWorkerSettings, tmp_path: Path
) -> None:
    report = run(settings, tmp_path)
    assert (report.number, report.rows, report.failed, report.fault) == (1, 6, 1, "")
    found = {row["id"]: row for row in results_in(tmp_path / "out")}
    broken = found.pop("broken")
    assert set(broken) == {"id", "audio", "error"}
    assert "broken.wav: cannot be read as audio" in broken["error"]
    whisper = Whisper.from_pretrained(settings.model)
    for index, row in enumerate(found.values()):
        audio = load_audio(tmp_path / "corpus" / row["audio"], *((0.2, 0.5) if index == 2 else ()))
        language = "es" if index == 1 else None
        direct = whisper.transcribe(audio, language=language, voice_activity=None)
        assert row["text"] == direct.text
        assert row["language"] == direct.languages[0]
        assert row["duration"] == pytest.approx(direct.duration)
    assert report.audio_seconds == pytest.approx(sum(row["duration"] for row in found.values()))
    spent = sum(row["seconds"] for row in found.values())
    assert 0 < spent <= report.finished - report.started


def test_rows_are_cut_to_the_window_that_is_asked_for(
    settings: ShardWorkerSettings, tmp_path: Path
) -> None:
    rows = [BulkRow("long", "long.wav", str(tmp_path / "long.wav"), None, None, "es", None)]
    soundfile.write(tmp_path / "long.wav", np.random.default_rng(0).normal(0, 0.1, 40_000), 16_000)
    ShardWorker(replace(settings, window_seconds=1.0))({"number": 1, "rows": [asdict(rows[0])]})
    (found,) = results_in(tmp_path / "out")
    lengths = [segment["end"] - segment["start"] for segment in found["segments"]]
    assert 0 < max(lengths) <= 1.0


def test_times_of_a_part_count_from_the_beginning_of_its_file(
    settings: ShardWorkerSettings, tmp_path: Path
) -> None:
    run(settings, tmp_path)
    segments = next(row for row in results_in(tmp_path / "out") if row["id"] == "u2")["segments"]
    assert segments[0]["start"] == pytest.approx(0.2)
    assert segments[-1]["end"] == pytest.approx(0.5)


def test_a_row_that_makes_the_decoder_fail_is_an_error_row(
    settings: ShardWorkerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(settings, tmp_path)
    whole = {row["id"]: row for row in results_in(tmp_path / "out")}
    monkeypatch.setattr("spt_whisper.bulk.worker.stream_audio", fails_on("train2.wav"))
    report = run(replace(settings, folder=str(tmp_path / "other")), tmp_path)
    assert (report.rows, report.failed) == (6, 2)
    found = {row["id"]: row for row in results_in(tmp_path / "other")}
    assert "train2.wav: RuntimeError: a kernel" in found.pop("u2")["error"]
    for name, row in found.items():
        assert row.get("text") == whole[name].get("text")


def test_a_fault_of_every_row_is_none_of_theirs(
    settings: ShardWorkerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spt_whisper.bulk.worker.stream_audio", fails_on(".wav"))
    assert run(settings, tmp_path).fault == "RuntimeError: a kernel failed"
    assert results_in(tmp_path / "out") == []


def test_an_unknown_language_stops_before_a_shard_is_written(
    settings: ShardWorkerSettings, tmp_path: Path
) -> None:
    report = run(replace(settings, codes=frozenset({"qug"})), tmp_path)
    assert report.fault.startswith("language 'qug': Whisper has no token for it")
    assert results_in(tmp_path / "out") == []


def test_a_prompt_of_another_model_stops_before_a_shard_is_written(
    settings: ShardWorkerSettings, tmp_path: Path
) -> None:
    other = write_prompt(tmp_path / "prompt", write_model(tmp_path / "other", seed=1))
    report = run(replace(settings, prompts={other: Prompt.from_pretrained(other)}), tmp_path)
    assert "load the prompt's own base model" in report.fault
    assert results_in(tmp_path / "out") == []
