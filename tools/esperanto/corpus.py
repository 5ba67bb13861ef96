"""The Esperanto corpus on disk: sentences and audio to a folder, once and atomically.

- `train.jsonl`, `dev.jsonl`, `test.jsonl`: a line per utterance with `id`, `audio`, `text`,
  `language`, `duration` (seconds) and `speaker` (the voice);
- `audio/<id>.flac`: 16 kHz, mono, 16 bit;
- `corpus.json`: the arguments and versions that made it;
- `README.md`: what it is; its first line marks the folder as ours.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import random
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from esperanto import lexicon
from esperanto.grammar import CorpusError, Grammar, draw_sentences
from esperanto.speech import VOICES, Manner, espeak_version, speak

VERSION = 1  # raise it when the same sentences give other audio
SAMPLE_RATE = 16_000  # hertz
MOST_UTTERANCES = 20_000  # a split
MARKER = "# Synthetic Esperanto speech (SPT-Whisper)"
_PEAK = 0.5  # of full scale
_NOISE = 2e-4  # standard deviation of the added noise, full scale is 1
_SILENCE = 0.01  # of the peak: below it the ends are silence
_MARGIN = 0.15  # seconds of silence kept at each end
_OURS = {"train.jsonl", "dev.jsonl", "test.jsonl", "audio", "corpus.json", "README.md"}

README = """{marker}

This is **not real speech**. {total} sentences ({train} train, {dev} dev, {test} test;
{hours:.2f} hours) were drawn from a small grammar of our own (about {stems} stems and twenty
sentence frames) and spoken by the espeak-ng synthesizer in {voices} variants of its Esperanto
voice. The lexicon is moderate on purpose, so that a few hundred utterances show each stem often.
No sentence stands in two splits. The splits share words and voices, so the test measures
learning this little language, not new words, new speakers or real Esperanto. Use it to see that
prompt tuning works; use no number from it as a claim about Esperanto.

- made by: `python tools/make_esperanto.py --train {train} --dev {dev} --test {test} --seed {seed}`
- generator {version}, espeak-ng {espeak_ng}, espeakng-loader {espeakng_loader}
- licence: espeak-ng is a GPL-3.0 program; it is not in this folder. The sentences and the audio
  are this project's output, under the project's own licence.
"""


@dataclass(frozen=True)
class CorpusConfig:
    """What decides the content of a corpus."""

    train: int = 400
    dev: int = 40
    test: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses sizes that no corpus can have."""
        for split in ("train", "dev", "test"):
            size = getattr(self, split)
            if not 1 <= size <= MOST_UTTERANCES:
                raise CorpusError(f"--{split} is {size}; wanted 1 to {MOST_UTTERANCES}")
        if self.seed < 0:
            raise CorpusError(f"--seed is {self.seed}; wanted 0 or more")

    def record(self) -> dict[str, object]:
        """Returns the arguments with all else that the content depends on."""
        texts = json.dumps(sentences(self), ensure_ascii=False)
        return {
            "version": VERSION,
            **asdict(self),
            "sentences_sha256": hashlib.sha256(texts.encode()).hexdigest(),
            "espeak_ng": espeak_version(),
            "espeakng_loader": importlib.metadata.version("espeakng-loader"),
            "soxr": soxr.__version__,
        }


def sentences(config: CorpusConfig) -> dict[str, list[str]]:
    """Returns the sentences of each split; test and dev do not depend on the size of train."""
    grammar, taken = Grammar(random.Random(config.seed)), set[str]()
    drawn = {
        split: draw_sentences(grammar.sentence, getattr(config, split), taken)
        for split in ("test", "dev", "train")
    }
    return {split: drawn[split] for split in ("train", "dev", "test")}


def utterance_audio(text: str, voice: str, key: str) -> np.ndarray:
    """Returns 16 kHz samples (T,) in float32; rate, pitch and noise follow from `key` alone."""
    digest = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
    rng = random.Random(digest)
    manner = Manner(voice, rng.randint(140, 180), rng.randint(35, 65), rng.randint(35, 65))
    spoken, rate = speak(text, manner)
    samples = soxr.resample(spoken.astype(np.float32) / 32768, rate, SAMPLE_RATE)
    samples *= _PEAK / np.abs(samples).max()
    samples = _trim(samples)
    noise = np.random.default_rng(digest).normal(0.0, _NOISE, len(samples))
    return (samples + noise).astype(np.float32)


def _trim(samples: np.ndarray) -> np.ndarray:
    """Cuts each end to `_MARGIN` seconds of silence, adding it where there is less."""
    loud = np.flatnonzero(np.abs(samples) > _SILENCE * _PEAK)
    margin = round(_MARGIN * SAMPLE_RATE)
    padded = np.pad(samples, margin)
    return padded[loud[0] : loud[-1] + 1 + 2 * margin]


def make_corpus(out: Path, config: CorpusConfig) -> bool:
    """Makes the corpus at `out`; returns False if it is there already.

    Raises:
        CorpusError: `out` holds something else, or the grammar has too few sentences.
    """
    out = out.resolve()
    record = config.record()
    if _holds(out, record):
        return False
    _check_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        _fill(work / "new", config, record)
        if out.exists():
            out.rename(work / "old")
        try:
            (work / "new").rename(out)
        except OSError:
            if (work / "old").exists():
                (work / "old").rename(out)
            raise
    finally:
        if out.exists() or not (work / "old").exists():  # never delete the only copy
            shutil.rmtree(work)
    return True


def _holds(out: Path, record: dict[str, object]) -> bool:
    try:
        found = json.loads((out / "corpus.json").read_text("utf-8"))
        rows = [row for split in ("train", "dev", "test") for row in read_split(out, split)]
    except (OSError, ValueError):
        return False
    return found == record and all((out / row["audio"]).is_file() for row in rows)


def _check_replaceable(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise CorpusError(f"--out {out} is a file; wanted a folder, or a name that is free")
    present = {path.name for path in out.iterdir()}
    readme = out / "README.md"
    ours = readme.is_file() and readme.read_text("utf-8", "replace").startswith(MARKER)
    if present and not ours:
        raise CorpusError(f"--out {out} is a folder that this tool did not make; name another")
    if present - _OURS:
        extra = ", ".join(sorted(present - _OURS))
        raise CorpusError(f"--out {out} also holds {extra}; move that away or name another folder")


def _fill(folder: Path, config: CorpusConfig, record: dict[str, object]) -> None:
    (folder / "audio").mkdir(parents=True)
    seconds = 0.0
    for split, texts in sentences(config).items():
        rng = random.Random(f"{config.seed} {split} voices")
        voices: list[str] = []
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for number, text in enumerate(texts):
                voices = voices or rng.sample(VOICES, len(VOICES))
                row = _write_utterance(folder, f"{split}-{number:05d}", text, voices.pop(), config)
                seconds += float(row["duration"])
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    sizes = {"total": config.train + config.dev + config.test, "hours": seconds / 3600}
    names = {"marker": MARKER, "stems": len(lexicon.stems()), "voices": len(VOICES)}
    (folder / "README.md").write_text(README.format(**record, **sizes, **names), "utf-8")
    (folder / "corpus.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")


def _write_utterance(
    folder: Path, name: str, text: str, voice: str, config: CorpusConfig
) -> dict[str, str | float]:
    samples = utterance_audio(text, voice, f"{config.seed} {name}")
    audio = f"audio/{name}.flac"
    soundfile.write(folder / audio, samples, SAMPLE_RATE, subtype="PCM_16")
    return {
        "id": name,
        "audio": audio,
        "text": text,
        "language": "eo",
        "duration": len(samples) / SAMPLE_RATE,
        "speaker": voice,
    }


def read_split(folder: Path, split: str) -> list[dict]:
    """Returns the rows of `train`, `dev` or `test`."""
    lines = (folder / f"{split}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]
