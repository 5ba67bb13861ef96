"""Any corpus -> a manifest, and its audio as 16 kHz files beside it where that is wanted.

A converted file is named after its utterance and a digest of what it was made from, and appears
whole or not at all: if it is there, it is finished, and a second run leaves it alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from spt_whisper.atomic import replacing, write_text
from spt_whisper.audio import SAMPLE_RATE, audio_duration, load_audio
from spt_whisper.corpora import Utterance, read_split
from spt_whisper.corpora.rows import is_writable
from spt_whisper.errors import InputError
from spt_whisper.evaluation.data.parallel import parallel_map
from spt_whisper.evaluation.data.settings import PrepareConfig

logger = logging.getLogger(__name__)
_NAME_LENGTH = 60  # characters of the utterance's id in a file name, which holds at most 255 bytes


@dataclass(frozen=True)
class AudioFormat:
    """A format of audio files, as libsndfile names it."""

    suffix: str
    container: str
    encoding: str


AUDIO_FORMATS = {
    "flac": AudioFormat(".flac", "FLAC", "PCM_16"),  # lossless, about half of a wav
    "opus": AudioFormat(".opus", "OGG", "OPUS"),  # about a tenth of a wav
}


@dataclass(frozen=True)
class Prepared:
    """How many utterances went which way."""

    utterances: int  # in the manifest
    converted: int
    kept: int  # converted before, or not to be converted
    failed: int  # named in the log


@dataclass(frozen=True)
class _Row:
    """One utterance on its way into the manifest."""

    utterance: Utterance
    converted: bool = False
    problem: str = ""  # why it cannot get there


def prepare_manifest(config: PrepareConfig) -> Prepared:
    """Writes the manifest, its audio first; utterances whose audio cannot be read are left out.

    Raises:
        InputError: the corpus cannot be read, none of its audio can, or a manifest cannot hold its path.
    """
    utterances = read_split(config.corpus, config.split)
    folder = Path(config.output).parent
    for audio in (
        [config.audio_folder] if config.audio else dict.fromkeys(own.audio for own in utterances)
    ):
        if not is_writable(_named(audio, folder)):
            raise InputError(
                f"{audio}: the path is not UTF-8, as a manifest is; give the file or the folders above it other names"
            )
    one = partial(_prepare, config, cache(audio_duration))  # many may be cut out of one file
    rows = list(parallel_map(one, utterances, config.workers, "preparing audio"))
    done = [row for row in rows if not row.problem]
    for row in rows:
        if row.problem:
            logger.warning("left out %s: %s", row.utterance.id, row.problem)
    if not done:
        raise InputError(f"{config.corpus.root}: none of the audio can be read: {rows[0].problem}")
    write_text(config.output, "".join(_line(row.utterance, folder) for row in done))
    converted = sum(row.converted for row in done)
    return Prepared(len(done), converted, len(done) - converted, len(rows) - len(done))


def _prepare(config: PrepareConfig, seconds: Callable[[Path], float], utterance: Utterance) -> _Row:
    """Converts one utterance, if that is wanted and not yet done, and takes its duration."""
    try:
        if config.audio is None:
            return _Row(_timed(utterance, seconds(utterance.audio)))
        chosen = AUDIO_FORMATS[config.audio]
        target = config.audio_folder / f"{_name(utterance)}{chosen.suffix}"
        fresh = not target.exists()
        if fresh:
            _convert(utterance, target, chosen)
        whole = dataclasses.replace(utterance, audio=target, start=None, end=None, duration=None)
        return _Row(_timed(whole, audio_duration(target)), converted=fresh)
    except InputError as error:
        return _Row(utterance, problem=str(error))


def _timed(utterance: Utterance, end: float) -> Utterance:
    """The utterance with the duration that its audio of `end` seconds has, or the cut out of it, which ends there too."""
    start = utterance.start or 0.0
    end = end if utterance.end is None else min(end, utterance.end)
    if end <= start:
        raise InputError(f"{utterance.audio}: ends at {end:g} s, before the utterance starts")
    cut = None if utterance.end is None else end
    return dataclasses.replace(utterance, end=cut, duration=round(end - start, 4))


def _name(utterance: Utterance) -> str:
    """A file name that tells the utterance, and changes with its audio or its cut."""
    try:
        made = utterance.audio.stat()
    except OSError as error:
        raise InputError(f"{utterance.audio}: {error.strerror}; give an audio file") from error
    key = [utterance.id, str(utterance.audio.resolve()), utterance.start, utterance.end]
    source = json.dumps([*key, made.st_size, made.st_mtime_ns])
    readable = re.sub(r"[^\w.-]", "_", utterance.id, flags=re.ASCII)[:_NAME_LENGTH]
    return f"{readable}-{hashlib.sha256(source.encode()).hexdigest()[:12]}"


def _convert(utterance: Utterance, target: Path, chosen: AudioFormat) -> None:
    import soundfile

    samples = load_audio(utterance.audio, utterance.start, utterance.end).numpy()
    encoded = io.BytesIO()  # of a disk that is full at the end libsndfile tells nothing
    soundfile.write(encoded, samples, SAMPLE_RATE, format=chosen.container, subtype=chosen.encoding)
    with replacing(target) as temporary:
        temporary.write_bytes(encoded.getvalue())


def _line(utterance: Utterance, folder: Path) -> str:
    """One line of a manifest in `folder`, as `corpora.manifest` reads it; unknown columns are left out."""
    fields = {**vars(utterance), "audio": _named(utterance.audio, folder)}
    known = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(known, ensure_ascii=False) + "\n"


def _named(audio: Path, folder: Path) -> str:
    """How a manifest in `folder` names a file."""
    audio = audio.resolve()
    if audio.is_relative_to(folder.resolve()):
        audio = audio.relative_to(folder.resolve())
    return audio.as_posix()
