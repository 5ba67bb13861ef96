"""How often `--language auto` finds the right prompt, and how often it takes a language of Whisper's own for another.

    python benchmarks/routing.py --data DIR [--window 10] [--store FILE] [--json PATH] [--picture PATH]

DIR holds kichwa/ and common_voice_unseen/<language>/ (train, test: a key is learned on train), common_voice_control/<language>/
(dev, test) and fleurs_control/ (test). A key of few speakers learns their channel too, so Kichwa, which is radio, and
Common Voice stand apart. `harmed` counts false routes of utterances whose language bare Whisper names rightly: only these lose
anything. The score of bare Whisper in `prompts/routing.py` was chosen on the controls in CHOSEN_ON alone; the others are held out.
The form of the score and its two weights were chosen with all of these recordings in sight.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch import Tensor

from spt_whisper.atomic import replacing, write_text
from spt_whisper.audio import SAMPLE_RATE, WINDOW_SECONDS, load_audio
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.evaluation.figure import INK, drawn_figure
from spt_whisper.prompts.card import LanguageKey
from spt_whisper.prompts.routing import BARE_SCORE, Router
from spt_whisper.training.encoder_states import encode_audio
from spt_whisper.training.start import language_sound
from spt_whisper.whisper.language import language_posterior, pooled_state
from spt_whisper.whisper.loading import FrozenWhisper

RADIO, UNSEEN = "Kichwa (radio)", "Common Voice, unseen"
CHOSEN, HELD_OUT, FLEURS = "controls, chosen on", "controls, held out", "FLEURS"
CHOSEN_ON = ("de", "fr", "hi", "tr", "zh-CN")
BARE = "bare"
HEARD = 64  # training utterances of a key, as in `fit`
KICHWA_TEST = 100  # utterances, from all over the test part
BARE_SCORES = tuple(round(-2.0 + 0.1 * step, 1) for step in range(13))


@dataclass(frozen=True)
class Recording:
    """An utterance and what it stands for."""

    group: str
    language: str
    split: str
    utterance: Utterance

    @property
    def name(self) -> str:
        """Its name in the store."""
        return f"{self.group}/{self.language}/{self.split}/{self.utterance.id}"


@dataclass(frozen=True)
class Sound:
    """How recordings sound to bare Whisper."""

    log_posterior: Tensor  # (recordings, languages)
    state: Tensor  # (recordings, D)


@dataclass(frozen=True)
class Row:
    """One line of the table; None where it says nothing."""

    recordings: str
    utterances: int
    right: float | None  # share that went to the prompt of their language
    wrong: float | None  # share that went to another language's prompt
    bare: float  # share that stayed with bare Whisper
    harmed: float | None  # share that left bare Whisper though it knew the language


def spread(rows: Sequence[Utterance], count: int) -> list[Utterance]:
    """Returns so many rows from all over."""
    count = min(count, len(rows))
    return [rows[index * len(rows) // count] for index in range(count)]


def read(data: Path) -> list[Recording]:
    """Returns all recordings: those of train from which keys are learned, and those that are routed."""
    found: list[Recording] = []

    def add(group: str, folder: Path, split: str, count: int = 10**6) -> None:
        rows = spread(read_split(CorpusConfig(str(folder)), split), count)
        found.extend(Recording(group, folder.name, split, row) for row in rows)

    add(RADIO, data / "kichwa", "train", HEARD)
    add(RADIO, data / "kichwa", "test", KICHWA_TEST)
    for folder in sorted((data / "common_voice_unseen").iterdir()):
        add(UNSEEN, folder, "train", HEARD)
        add(UNSEEN, folder, "test")
    for folder in sorted((data / "common_voice_control").iterdir()):
        for split in ("dev", "test"):
            add(CHOSEN if folder.name in CHOSEN_ON else HELD_OUT, folder, split)
    add(FLEURS, data / "fleurs_control", "test")
    return found


def listen(
    whisper: FrozenWhisper, recordings: Sequence[Recording], window: float, store: Path | None
) -> Sound:
    """Runs bare Whisper over what is not in the store yet; longer audio than the window gets 30 s."""
    known = load_file(store) if store is not None and store.is_file() else {}
    for recording in track([r for r in recordings if r.name not in known], "listening"):
        utterance = recording.utterance
        waveform = load_audio(utterance.audio, utterance.start, utterance.end)
        waveform = waveform[: WINDOW_SECONDS * SAMPLE_RATE]
        seconds = waveform.shape[0] / SAMPLE_RATE
        with torch.inference_mode():
            states = encode_audio(
                whisper, [waveform], window if seconds <= window else WINDOW_SECONDS
            )
            log_posterior = language_posterior(whisper, states).clamp_min(1e-10).log()[0]
        known[recording.name] = torch.cat([log_posterior, pooled_state(states, [seconds])[0]]).cpu()
    if store is not None:
        with replacing(store) as temporary:
            save_file(known, temporary)
    joined = torch.stack([known[recording.name] for recording in recordings])
    count = len(whisper.tokens.languages)
    return Sound(joined[:, :count], joined[:, count:])


def learn_keys(recordings: Sequence[Recording], sound: Sound) -> dict[str, LanguageKey]:
    """Returns the key of each language that has training speech."""
    keys = {}
    for language in sorted({r.language for r in recordings if r.split == "train"}):
        own = [i for i, r in enumerate(recordings) if (r.language, r.split) == (language, "train")]
        keys[language] = language_sound(sound.log_posterior[own].exp(), sound.state[own]).key()
    return keys


def spoken(recording: Recording) -> str:
    """Returns Whisper's code for the language of a control."""
    return recording.utterance.languages[0].replace("_", "-").split("-")[0]


def tabulate(
    recordings: Sequence[Recording], routes: Sequence[str | None], heard: Sequence[str]
) -> list[Row]:
    """Returns a row for each group, and one for the unseen languages together."""
    cases = list(zip(recordings, routes, heard, strict=True))

    def row(name: str, groups: Sequence[str], unseen: bool) -> Row:
        own = [case for case in cases if case[0].group in groups]

        def share(count: int) -> float:
            return count / len(own)

        bare = share(sum(route is None for _, route, _ in own))
        right = share(sum(route == recording.language for recording, route, _ in own))
        wrong = share(sum(route not in (None, recording.language) for recording, route, _ in own))
        harmed = share(
            sum(route is not None and code == spoken(recording) for recording, route, code in own)
        )
        if unseen:
            return Row(name, len(own), right, wrong, bare, None)
        return Row(name, len(own), None, wrong, bare, harmed)

    unseen = [row(group, [group], True) for group in (RADIO, UNSEEN)]
    both = row("unseen together", [RADIO, UNSEEN], True)
    return [*unseen, both, *(row(group, [group], False) for group in (CHOSEN, HELD_OUT, FLEURS))]


def confusion(
    recordings: Sequence[Recording], routes: Sequence[str | None]
) -> dict[str, dict[str, int]]:
    """Returns spoken language -> where its recordings went -> how many."""
    found: dict[str, Counter[str]] = {}
    for recording, route in zip(recordings, routes, strict=True):
        name = f"FLEURS {spoken(recording)}" if recording.group == FLEURS else recording.language
        found.setdefault(name, Counter())[route or BARE] += 1
    return {name: dict(counts) for name, counts in found.items()}


def draw(counts: dict[str, dict[str, int]], columns: Sequence[str], path: Path) -> None:
    """Draws where each language's recordings went, in percent."""
    with drawn_figure(path, 7.6, 0.29 * len(counts) + 1.6) as figure:
        axes = figure.subplots()
        shares = [
            [100 * own.get(c, 0) / sum(own.values()) for c in columns] for own in counts.values()
        ]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        axes.set_xticks(range(len(columns)), columns, rotation=90)
        axes.set_yticks(range(len(counts)), [f"{n} ({sum(c.values())})" for n, c in counts.items()])
        axes.tick_params(length=0, labelsize=9, labelcolor=INK)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("routed to", color=INK)
        axes.set_ylabel("spoken (utterances)", color=INK)
        for y, own in enumerate(shares):
            for x, share in enumerate(own):
                if share:
                    ink = "white" if share > 60 else INK
                    axes.text(x, y, f"{share:.0f}", ha="center", va="center", color=ink, fontsize=8)
        axes.axhline(sum(n in columns for n in counts) - 0.5, color=INK, linewidth=0.8)
        axes.set_title("Routing, % of a language's utterances", loc="left", fontsize=10, color=INK)


def print_table(rows: Sequence[Row]) -> None:
    """Prints the rows as Markdown, in percent."""
    print(
        "| recordings | utterances | right % | wrong % | bare % | harmed % |\n| --- | --- | --- | --- | --- | --- |"
    )
    for row in rows:
        shares = (row.right, row.wrong, row.bare, row.harmed)
        cells = ["" if share is None else f"{100 * share:.1f}" for share in shares]
        print("|", " | ".join([row.recordings, str(row.utterances), *cells]), "|")


def main() -> None:
    """Listens, routes, prints the table, and writes the figures and the picture where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--model", default="base", help="Whisper that listens (%(default)s)")
    parser.add_argument("--window", type=float, default=10.0, help="seconds (%(default)s)")
    parser.add_argument("--store", type=Path, help="safetensors file that keeps what was heard")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--picture", type=Path, help="PNG for the confusions")
    settings = parser.parse_args()
    whisper = FrozenWhisper.from_pretrained(settings.model)
    recordings = read(settings.data)
    sound = listen(whisper, recordings, settings.window, settings.store)
    keys = learn_keys(recordings, sound)
    asked = [index for index, r in enumerate(recordings) if r.split != "train"]
    tested = [recordings[index] for index in asked]
    log_posterior, state = sound.log_posterior[asked], sound.state[asked]
    codes = list(whisper.tokens.languages)
    heard = [codes[index] for index in log_posterior.argmax(dim=1).tolist()]

    def routed(bare_score: float) -> list[str | None]:
        return [r.language for r in Router(keys, bare_score).route(log_posterior, state)]

    routes = routed(BARE_SCORE)
    rows = tabulate(tested, routes, heard)
    print_table(rows)
    counts = confusion(tested, routes)
    if settings.json:
        curve = {score: [asdict(r) for r in tabulate(tested, routed(score), heard)] for score in BARE_SCORES}  # fmt: skip
        figures = {
            "model": settings.model, "window": settings.window, "bare_score": BARE_SCORE, "chosen_on": CHOSEN_ON,
            "rows": [asdict(row) for row in rows], "confusion": counts, "by_bare_score": curve,
        }  # fmt: skip
        write_text(settings.json, json.dumps(figures, indent=2) + "\n")
    if settings.picture:
        draw(counts, [*keys, BARE], settings.picture)


if __name__ == "__main__":
    main()
