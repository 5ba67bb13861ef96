"""One worker: a Whisper of its own that turns rows into shards. Ray makes one in each actor."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from transformers.utils.logging import disable_progress_bar

from spt_whisper.audio import stream_audio
from spt_whisper.bulk.rows import BulkRow
from spt_whisper.bulk.shards import FailedRow, Transcribed, write_shard
from spt_whisper.errors import InputError
from spt_whisper.prompts.card import MIX
from spt_whisper.prompts.files import Prompt
from spt_whisper.transcription.request import Request
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.transcription.transcript import Transcript
from spt_whisper.transcription.voice_activity import VoiceActivityOptions
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.precision import Precision, dtype_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShardWorkerSettings:
    """What all workers of a run share."""

    folder: str  # of the shards
    model: str
    prompts: Mapping[str, Prompt]  # by the name that rows have
    codes: frozenset[str]  # Whisper's languages that rows ask for
    options: DecodingOptions
    batch_size: int  # windows
    cores: int
    voice_activity: VoiceActivityOptions | None
    window_seconds: float | None
    precision: Precision


@dataclass(frozen=True)
class ShardReport:
    """What a worker says about a shard; a `fault` is one that every other shard would meet too."""

    number: int
    rows: int = 0
    failed: int = 0
    audio_seconds: float = 0.0  # of the rows that did not fail
    started: float = 0.0  # seconds since 1970, once the model is loaded
    finished: float = 0.0
    fault: str = ""  # one line; the shard was not written


@dataclass(frozen=True)
class RowRequest(Request):
    """What is asked for a row: a file, or its part from `start` to `end` in seconds."""

    start: float | None = None
    end: float | None = None

    def blocks(self) -> Iterator[Tensor]:
        """Yields the row's audio in blocks (samples,)."""
        try:
            yield from stream_audio(self.name, start=self.start, end=self.end)
        except OSError as error:
            raise InputError(f"{self.name}: cannot be read ({error.strerror or error})") from error


class ShardWorker:
    """Callable on shards as Ray Data has them: `{"number": int, "rows": [fields of BulkRow, ...]}`."""

    def __init__(self, settings: ShardWorkerSettings) -> None:
        """Takes what all workers share; the model is loaded for the first shard."""
        self.settings = settings

    def __call__(self, shard: Mapping[str, Any]) -> dict[str, Any]:
        """Transcribes and writes one shard; returns the fields of its `ShardReport`."""
        number, rows = int(shard["number"]), [BulkRow(**row) for row in shard["rows"]]
        try:
            return asdict(self._run(number, rows))
        except Exception as error:  # Ray would drop its class, and tell of itself
            logger.exception("shard %d", number)  # in Ray's logs
            return asdict(ShardReport(number, fault=_told(error)))

    def _run(self, number: int, rows: Sequence[BulkRow]) -> ShardReport:
        whisper, started = self._whisper, time.time()
        try:
            found = self._transcribe(whisper, rows)
        except Exception as error:
            logger.warning("shard %d: %s; its rows are done one by one", number, _told(error))
            found = self._one_by_one(whisper, rows)
        done = sum(one.duration for one in found if isinstance(one, Transcript))
        pace = (time.time() - started) / done if done else 0.0
        results = [_result(row, one, pace) for row, one in zip(rows, found, strict=True)]
        write_shard(self.settings.folder, number, results)
        failed = sum(isinstance(result, FailedRow) for result in results)
        return ShardReport(number, len(rows), failed, done, started, finished=time.time())

    def _transcribe(
        self, whisper: Whisper, rows: Sequence[BulkRow]
    ) -> list[Transcript | InputError]:
        requests = (self._request(row) for row in rows)
        return list(
            whisper.transcribe_many(
                requests,
                self.settings.options,
                self.settings.window_seconds,
                self.settings.batch_size,
                self.settings.voice_activity,
            )
        )

    def _one_by_one(
        self, whisper: Whisper, rows: Sequence[BulkRow]
    ) -> list[Transcript | InputError]:
        """The rows, each with a batch of its own, so that none pays for what another brings about.

        Raises:
            Exception: the last of several, where no row has a transcript: no file is to blame then.
        """
        found: list[Transcript | InputError] = []
        unforeseen: list[Exception] = []
        for row in rows:
            try:
                found += self._transcribe(whisper, [row])
            except Exception as error:
                unforeseen.append(error)
                found.append(InputError(f"{row.path}: {_told(error)}"))
        if len(unforeseen) > 1 and not any(isinstance(one, Transcript) for one in found):
            raise unforeseen[-1]
        return found

    def _request(self, row: BulkRow) -> RowRequest:
        prompt = self.settings.prompts[row.prompt] if row.prompt else None
        return RowRequest(row.path, prompt, row.language, start=row.start, end=row.end)

    @cached_property
    def _whisper(self) -> Whisper:
        """The model, once it is clear that it fits every prompt and language of the run."""
        disable_progress_bar()  # of loading weights
        torch.set_num_threads(self.settings.cores)
        whisper = Whisper.from_pretrained(
            self.settings.model, dtype=dtype_of(self.settings.precision)
        )
        frozen = whisper.frozen
        for prompt in self.settings.prompts.values():
            prompt.check_base(frozen)
        for code in self.settings.codes:
            frozen.tokens.language(code)
        return whisper


def _told(error: Exception) -> str:
    """Any fault in one line."""
    named = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    return named.partition("\n")[0]


def _result(row: BulkRow, found: Transcript | InputError, pace: float) -> Transcribed | FailedRow:
    """A row of a shard; times of a part count from the beginning of its file, `pace` is seconds a second of audio."""
    if isinstance(found, InputError):
        return FailedRow(row.id, row.audio, str(found))
    return Transcribed(
        row.id,
        row.audio,
        found.text,
        tuple(segment.later(row.start or 0.0) for segment in found.segments),
        MIX.join(found.languages),
        found.prompt,
        found.duration,
        pace * found.duration,
    )
