"""Transcripts as text: one function a format, laid out as openai-whisper's own writers do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from spt_whisper.transcription.transcript import Segment, Transcript

Writer = Callable[[Transcript], str]


def to_txt(transcript: Transcript) -> str:
    """The text alone, one line a segment."""
    return "".join(f"{_line(segment.text)}\n" for segment in transcript.segments)


def to_json(transcript: Transcript) -> str:
    """One object: text, segments (start and end in seconds, to the millisecond, languages, prompt, how sure the choice of the prompt was where
    there was one, words where aligned), language, duration, prompt."""
    segments = [
        {"id": number, **_segment_fields(segment)}
        for number, segment in enumerate(transcript.segments)
    ]
    fields = {
        "text": transcript.text,
        "segments": segments,
        "language": transcript.languages[0] if transcript.languages else None,
        "languages": transcript.languages,
        "duration": _rounded(transcript.duration),
        "prompt": transcript.prompt,
    }
    return json.dumps(fields, ensure_ascii=False)


def to_srt(transcript: Transcript) -> str:
    """SubRip: numbered cues, `HH:MM:SS,mmm`."""
    cues = _cues(transcript, _without_arrows, decimal_mark=",", always_hours=True)
    return "".join(f"{number}\n{cue}\n" for number, cue in enumerate(cues, start=1))


def to_vtt(transcript: Transcript) -> str:
    """WebVTT: `MM:SS.mmm`, with hours only where there are any."""
    cues = _cues(transcript, _without_markup, decimal_mark=".", always_hours=False)
    return "WEBVTT\n\n" + "".join(f"{cue}\n" for cue in cues)


def to_tsv(transcript: Transcript) -> str:
    """A table: start and end in whole milliseconds, text."""
    rows = (
        f"{_milliseconds(segment.start)}\t{_milliseconds(segment.end)}\t{_line(segment.text)}\n"
        for segment in transcript.segments
    )
    return "start\tend\ttext\n" + "".join(rows)


WRITERS: dict[str, Writer] = {
    "txt": to_txt,
    "json": to_json,
    "srt": to_srt,
    "vtt": to_vtt,
    "tsv": to_tsv,
}


def _segment_fields(segment: Segment) -> dict[str, Any]:
    start, end = _rounded(segment.start), _rounded(segment.end)
    fields: dict[str, Any] = {"start": start, "end": end, "text": segment.text}
    fields |= {"languages": segment.languages, "prompt": segment.prompt}
    if segment.confidence is not None:
        fields["confidence"] = segment.confidence
    if segment.words:
        fields["words"] = [
            {
                "word": word.text,
                "start": _rounded(word.start),
                "end": _rounded(word.end),
                "probability": word.probability,
            }
            for word in segment.words
        ]
    return fields


def _cues(
    transcript: Transcript, plain: Callable[[str], str], decimal_mark: str, always_hours: bool
) -> Iterator[str]:
    """Time line and text of each segment; `plain` rewrites what a player would not show as text."""
    for segment in transcript.segments:
        start, end = (
            _clock(seconds, decimal_mark, always_hours) for seconds in (segment.start, segment.end)
        )
        yield f"{start} --> {end}\n{plain(_line(segment.text))}\n"


def _without_arrows(text: str) -> str:
    """SubRip has no escapes; an arrow in the text would be read as a time line."""
    return re.sub("-{2,}>", "->", text)


def _without_markup(text: str) -> str:
    """WebVTT reads `<` as the beginning of a tag, `&` as that of a character's name, and `-->` as a time line."""
    return escape(text, quote=False)


def _clock(seconds: float, decimal_mark: str, always_hours: bool) -> str:
    whole, milliseconds = divmod(_milliseconds(seconds), 1000)
    hours, minutes = divmod(whole // 60, 60)
    hours_text = f"{hours:02d}:" if always_hours or hours else ""
    return f"{hours_text}{minutes:02d}:{whole % 60:02d}{decimal_mark}{milliseconds:03d}"


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _rounded(seconds: float) -> float:
    return round(seconds, 3)


def _line(text: str) -> str:
    """`text` in one line without tabs: line ends divide cues, and tabs columns."""
    return " ".join(text.strip().replace("\t", " ").splitlines())
