"""SEAME, Mandarin-English of Singapore and Malaysia (Lyu et al., Interspeech 2010; LDC2015S04).

    .../<conversation or interview>/audio/01NC01FBX_0101.flac
    .../<conversation or interview>/transcript/phaseII/01NC01FBX_0101.txt
    dev_man/, dev_sge/     Kaldi folders with text, segments, utt2spk

The two test sets (Zeng et al., Interspeech 2019; github.com/zengzp0912/SEAME-dev-set) lie in the
root, the release anywhere below it. Their wav.scp is not read: it holds paths and commands of
another machine, and the recordings' names tell the LDC's files. `train` is every recording whose
speaker is in neither test set. Marks of noises and of unknown words are taken out of the text, and
utterances of which nothing is left are dropped, as in ESPnet's recipe.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from spt_whisper.corpora.kaldi import read_data_folder
from spt_whisper.corpora.rows import check_id, read_lines, row_error
from spt_whisper.corpora.source import CorpusSource, MissingSplitError
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError

TEST_SETS = ("dev_man", "dev_sge")
LANGUAGES = {"EN": ("en",), "ZH": ("zh",), "CS": ("zh", "en")}  # of the transcripts' fourth column

_MARKS = re.compile(r"\(pp\w+\)|<[^<>]*>|\bpp[lcbo]\b", re.IGNORECASE)
_SIGNS = str.maketrans(
    "[]()#", "     "
)  # around particles, [lah], filled pauses, (er), and foreign words, #nasi-lemak#
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
_SHORTEST_SECONDS = 0.01  # utterances up to this length are slips of the transcribers

logger = logging.getLogger(__name__)


def read_seame(source: CorpusSource) -> list[Utterance]:
    """Utterances of `train`, `dev_man` or `dev_sge`.

    Raises:
        InputError: a part of the corpus is missing, or a row is broken.
    """
    root, split = source.path, source.split
    recordings = {path.stem.lower(): path for path in sorted(root.rglob("audio/*.flac"))}
    if not recordings:
        raise InputError(f"{root}: no audio/*.flac below it; give the folder of LDC2015S04")
    for name in TEST_SETS:
        if not (root / name).is_dir():
            raise InputError(f"{root}: no {name}; add the test sets of SEAME-dev-set")
    if split in TEST_SETS:
        return _spoken(
            root / split, [_by_script(u) for u in read_data_folder(root / split, recordings)]
        )
    if split != "train":
        names = ", ".join(("train", *TEST_SETS))
        raise MissingSplitError(
            f"{root}: no split {split!r}; name one of: {names} (dev: null for none)"
        )
    held_out = {
        speaker_of(utterance.audio.stem)
        for name in TEST_SETS
        for utterance in read_data_folder(root / name, recordings)
    }
    transcripts = sorted(root.rglob("transcript/phaseII/*.txt"))
    utterances = [
        utterance
        for utterance in _transcribed(transcripts, recordings)
        if utterance.speaker not in held_out
    ]
    if not utterances:
        raise InputError(
            f"{root}: no transcript/phaseII/*.txt to train on; give the folder of LDC2015S04"
        )
    return _spoken(root, utterances)


def speaker_of(recording: str) -> str:
    """Speaker of a recording, as the test sets write it (`06nc12may_0101` -> `nc12m`)."""
    session = recording.split("_")[0].lower()
    # conversations: a number of two digits, the speaker, two letters; interviews: speaker first
    return session[2:-2] if session[:1].isdigit() else session[:5]


def _transcribed(transcripts: list[Path], recordings: dict[str, Path]) -> Iterator[Utterance]:
    seen: set[str] = set()
    for path in transcripts:
        for number, line in read_lines(path):
            utterance = _utterance(path, number, line, recordings)
            check_id(path, number, utterance.id, seen)
            yield utterance


def _utterance(path: Path, number: int, line: str, recordings: dict[str, Path]) -> Utterance:
    fields = line.split("\t")
    if len(fields) != 5:
        problem = f"found {len(fields)} columns; give recording, start, end, language, text"
        raise row_error(path, number, problem)
    recording, start, end, language, text = (field.strip() for field in fields)
    if recording.lower() not in recordings:
        raise row_error(path, number, f"recording {recording!r} has no audio/*.flac; restore it")
    if language not in LANGUAGES:
        problem = f"language is {language!r}; give one of: {', '.join(LANGUAGES)}"
        raise row_error(path, number, problem)
    if not all(time.isascii() and time.isdigit() for time in (start, end)):
        raise row_error(path, number, f"found {start!r} to {end!r}; give milliseconds")
    speaker = speaker_of(recording)
    begin, finish = int(start) / 1000, int(end) / 1000
    return Utterance(
        # in 1/100 s, as in the test sets: nc12m-06nc12may_0101-00162-00459
        id=f"{speaker}-{recording.lower()}-{round(begin * 100):05d}-{round(finish * 100):05d}",
        audio=recordings[recording.lower()],
        text=text,
        languages=LANGUAGES[language],
        duration=finish - begin,
        start=begin,
        end=finish,
        speaker=speaker,
    )


def _by_script(utterance: Utterance) -> Utterance:
    """With the languages that its letters show, both where there are none: no test set says them."""
    text = _MARKS.sub(" ", utterance.text)
    scripts = {"zh": _HAN, "en": _LATIN}
    languages = tuple(code for code, script in scripts.items() if script.search(text))
    return dataclasses.replace(utterance, languages=languages or LANGUAGES["CS"])


def _words(text: str) -> list[str]:
    return _MARKS.sub(" ", text).translate(_SIGNS).split()


def _spoken(place: Path, utterances: list[Utterance]) -> list[Utterance]:
    """Utterances with the marks taken out of their text, without those that are then empty.

    Particles, filled pauses and foreign words stay, as words without signs, which is how the test sets have them.
    """
    clean = [
        dataclasses.replace(utterance, text=" ".join(_words(utterance.text)))
        for utterance in utterances
    ]
    spoken = [
        utterance
        for utterance in clean
        if utterance.text and (utterance.duration or 0.0) > _SHORTEST_SECONDS
    ]
    if len(spoken) < len(clean):
        dropped = len(clean) - len(spoken)
        logger.warning("%s: dropped %d of %d utterances without words", place, dropped, len(clean))
    return spoken
