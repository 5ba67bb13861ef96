"""Transcripts as OpenAI lays them out: one function a `response_format`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import PurePath
from typing import Any, Literal

from fastapi import Response
from fastapi.responses import JSONResponse, PlainTextResponse
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from spt_whisper.audio import FRAMES_PER_SECOND
from spt_whisper.serving.tasks import Spoken
from spt_whisper.serving.transcription import TranscribedUpload
from spt_whisper.transcription.writers import Writer, to_srt, to_vtt

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
Granularity = Literal["word", "segment"]
Layout = Callable[[TranscribedUpload, Collection[Granularity]], Response]


def to_json(heard: TranscribedUpload, _: Collection[Granularity]) -> Response:
    """The text alone, in an object."""
    return JSONResponse({"text": heard.transcript.text})


def to_text(heard: TranscribedUpload, _: Collection[Granularity]) -> Response:
    """The text alone."""
    return PlainTextResponse(heard.transcript.text + "\n")


def to_verbose_json(heard: TranscribedUpload, granularities: Collection[Granularity]) -> Response:
    """Text, language, duration, and the segments or words that are asked for.

    A segment also has the name of the prompt that was on; the probabilities are those of its window, as with
    openai-whisper.
    """
    transcript = heard.transcript
    code = transcript.languages[0] if transcript.languages else ""
    content: dict[str, Any] = {
        "task": "transcribe",
        "language": LANGUAGES.get(code, code),
        "duration": transcript.duration,
        "text": transcript.text,
    }
    if "word" in granularities:
        content["words"] = [
            {"word": word.text.strip(), "start": word.start, "end": word.end}
            for segment in transcript.segments
            for word in segment.words
        ]
    if "segment" in granularities or not granularities:
        content["segments"] = [
            _segment(number, spoken) for number, spoken in enumerate(heard.spoken)
        ]
    return JSONResponse(content)


def _subtitles(writer: Writer, heard: TranscribedUpload, _: Collection[Granularity]) -> Response:
    return PlainTextResponse(writer(heard.transcript))


LAYOUTS: dict[ResponseFormat, Layout] = {
    "json": to_json,
    "text": to_text,
    "srt": partial(_subtitles, to_srt),
    "verbose_json": to_verbose_json,
    "vtt": partial(_subtitles, to_vtt),
}
TIMED: frozenset[ResponseFormat] = frozenset({"srt", "verbose_json", "vtt"})
"""Those for which Whisper writes the times of segments."""


def _segment(number: int, spoken: Spoken) -> dict[str, Any]:
    segment = spoken.segment
    return {
        "id": number,
        "seek": round(spoken.window_start * FRAMES_PER_SECOND),
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": spoken.temperature,
        "avg_logprob": spoken.mean_log_probability,
        "compression_ratio": spoken.compression_ratio,
        "no_speech_prob": spoken.no_speech_probability,
        "prompt": PurePath(segment.prompt).name if segment.prompt else None,
    }
