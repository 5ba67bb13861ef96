"""Language expansion: Decoder SPT, Entire SPT and LAPT on ten languages that Whisper has never met, pooled.

    python benchmarks/expansion.py --data DIR [--site feed_forward] [--languages ky ...] [--only decoder ...]

DIR holds kichwa/ and common_voice_unseen/<language>/, each with train.jsonl and test.jsonl (about 60 and 25 utterances a
language). The claims of LAPT (arXiv 2506.21577): Entire SPT 5 %, LAPT 16 % better than Decoder SPT.

| row | what trains on a language's own utterances |
| --- | --- |
| bare | nothing: Whisper as it is, with the language token and window that are best on dev |
| decoder | Decoder SPT: a prompt in the decoder |
| entire | Entire SPT: a prompt on both sides |
| lapt_decoder, lapt_entire | its part of a LAPT bank on the same sides, whose shared vectors are frozen |
| together_decoder, together_entire | nothing more: its part learned in one LAPT bank together with the other nine |

For lapt_* the languages are in two groups, relatives apart. The bank of a group learned 200 utterances of Kichwa and all of the
other group; then the group's languages are added one after the other by `spt-whisper add-language --form part`. So each language is
new to its bank, once. All rows have the same site, length, windows, batches and seed, no slot dropout, and the package's defaults for
the rest, but for two things in the runs of slots in docs/results: a language's token is the one that bare Whisper hears most, the
default at the time (now it is the one that suits the texts; LAPT learns its own in its place), and all of lapt_* learns at 1e-3, still.
Scored greedily on all test utterances, normalizer basic.

What is finished is not done again: it is one JSON in RESULTS/SITE/. The table is made of these: of the rows in --only and `decoder`
(all rows where --only names none), on those of --languages that all of them have. WER is that of all clips together; the interval
draws speakers; the change is relative to `decoder`, and its interval draws each speaker from both.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

from expansion_table import print_table
from finished_runs import (
    NO_DROPOUT,
    ROOT,
    FinishedRun,
    Settings,
    folder_name,
    once,
    read_run,
    score,
    score_bare,
    spt_whisper,
)

from spt_whisper.prompts.bank import SHARED_FOLDER, Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.folders import digest_tensors
from spt_whisper.training.run_numbers import RunNumbers

GROUPS = (
    ("ky", "rm-sursilv", "cnh", "eo", "hsb"),
    ("sah", "cv", "rm-vallader", "ga-IE", "ia"),
)
LANGUAGES = tuple(chain.from_iterable(GROUPS))
UNSEEN = "common_voice_unseen"
BANK_LIMIT = "200"  # utterances of Kichwa; the other languages have fewer
WINDOWS = "[5, 10.5]"  # seconds; the longest utterance has 10.46
LONGEST = "10.5"
BASELINE = "decoder"
STORED_RATES = {"feed_forward": "1e-3"}  # of lapt_* in docs/results, by site; else the defaults
NOTHING_TRAINED = RunNumbers(0.0, 0, None, 0.0, 0, 0, 0)
OWN = ("model", "site", "length", "epochs", "seed")  # the settings that decide a prompt
IN_BANK = (*OWN, "bank_epochs")  # and a part
IN_ONE_BANK = ("model", "site", "length", "bank_epochs", "seed")


@dataclass(frozen=True)
class Place:
    """Where things are read and written, and how everything is trained."""

    data: Path
    runs: Path
    results: Path
    model: str
    settings: Settings

    @property
    def training(self) -> list[str]:
        """Flags of every training command."""
        return [
            "--corpus.dev", "null", "--corpus.max_seconds", LONGEST, "--seed", str(self.settings["seed"]), "--resume", "true",
            *NO_DROPOUT,
        ]  # fmt: skip

    def deciding(self, names: Sequence[str]) -> Place:
        """Returns the same with only some of the settings."""
        return replace(self, settings={name: self.settings[name] for name in names})

    def states(self, side: str) -> list[str]:
        """Flags that keep encoder states on disk, where no prompt changes them."""
        return ["--data.states_store", str(self.runs / "states")] if side == "decoder" else []

    def prompt(self, side: str) -> list[str]:
        """Flags of what a fit trains."""
        site, length = self.settings["site"], self.settings["length"]
        return [
            "--model", self.model, "--window_seconds", WINDOWS, "--prompt.side", side, "--prompt.site", site,
            "--prompt.length", str(length),
        ]  # fmt: skip

    @property
    def lapt_rate(self) -> list[str]:
        """Flags of a rate that stored banks and the parts added to them have, and the defaults no longer."""
        rate = STORED_RATES.get(self.settings["site"])
        return ["--optimizer.learning_rate", rate] if rate else []

    def corpus(self, language: str) -> tuple[str, str]:
        """Flags of a language's corpus."""
        return ("--corpus.root", str(self.data / UNSEEN / language))

    def folder(self, row: str, name: str) -> Path:
        """Returns where a row trains something."""
        return self.runs / folder_name(self.settings) / row / name

    def result(self, row: str, language: str) -> Path:
        """Returns the file of a finished run."""
        name = f"{row}-{language}-{self.settings['seed']}.json"
        return self.results / self.settings["site"] / name


def end(epochs: int | None) -> list[str]:
    """Returns the flag that ends training; None: where the package's default does."""
    return [] if epochs is None else ["--trainer.max_epochs", str(epochs)]


def bare(row: str, side: str, language: str, place: Place) -> FinishedRun:
    """Scores Whisper as it is; it is tried with the token that prompts of the language have, too."""
    decoder = place.result(BASELINE, language)
    tokens = read_run(decoder).tokens if decoder.is_file() else ()
    report = place.folder(row, language) / "report.json"
    ways = ("--languages", f"[{', '.join(tokens)}]", "--windows", f"[{LONGEST}]")
    scores = score_bare(place.model, report, *place.corpus(language), *ways)
    return FinishedRun(row, language, place.settings, NOTHING_TRAINED, 0.0, scores, tokens)


def own_prompt(row: str, side: str, language: str, place: Place) -> FinishedRun:
    """Trains a prompt on the language alone, and scores it."""
    output = place.folder(row, language)
    if not (output / "prompt").is_dir():
        spt_whisper(
            "fit", *place.corpus(language), *place.training, *place.states(side), *place.prompt(side),
            *end(place.settings["epochs"]), "--output", str(output),
        )  # fmt: skip
    scores = score("prompt", output / "prompt", output / "report.json", *place.corpus(language))
    prompt = Prompt.from_pretrained(output / "prompt")
    digests = {language: digest_tensors(prompt.vectors.named_tensors())}
    return FinishedRun(
        row, language, place.settings, RunNumbers.among(prompt.card.training), prompt.card.training["hours"], scores,
        prompt.card.language_tokens, None, digests,
    )  # fmt: skip


def corpora(names: Sequence[str]) -> tuple[str, str]:
    """Flag of the corpora that a bank learns from."""
    return ("--corpus.subset", f"[{', '.join(names)}]")


def bank_of(row: str, side: str, language: str, place: Place) -> Path:
    """Returns the bank to which a language is new, trained where it is not there yet."""
    group = next(number for number, group in enumerate(GROUPS) if language in group)
    output = place.folder(row, f"bank-{group}")
    if not (output / "bank").is_dir():
        others = [f"{UNSEEN}/{other}" for other in LANGUAGES if other not in GROUPS[group]]
        spt_whisper(
            "fit", "--method", "lapt", "--corpus.root", str(place.data), *corpora(["kichwa", *others]),
            "--corpus.limit", BANK_LIMIT, "--languages", "{qug: [es]}", *place.training, *place.lapt_rate, *place.states(side),
            *place.prompt(side), *end(place.settings["bank_epochs"]), "--output", str(output),
        )  # fmt: skip
    return output / "bank"


def added_part(row: str, side: str, language: str, place: Place) -> FinishedRun:
    """Adds the language to a bank that lacks it, and scores it there."""
    folder, output = bank_of(row, side, language, place), place.folder(row, language)
    if not (folder / language).is_dir():
        spt_whisper(
            "add-language", language, "--bank", str(folder), "--form", "part", *place.corpus(language), *place.training,
            *place.states(side), *end(place.settings["epochs"]), *place.lapt_rate, "--output", str(output),
        )  # fmt: skip
    scores = score("bank", folder, output / "report.json", *place.corpus(language))
    bank = Bank.from_folder(folder)
    shared, card = Prompt.from_pretrained(folder / SHARED_FOLDER).card, bank.card(language)
    order = [*(other for other in bank.languages if other != language), language]
    digests = {each: digest_tensors(bank.prompt(each).vectors.named_tensors()) for each in order}
    return FinishedRun(
        row, language, place.settings, RunNumbers.among(card.training), card.training["hours"], scores, card.language_tokens,
        RunNumbers.among(shared.training), digests,
    )  # fmt: skip


def part_of_all(row: str, side: str, language: str, place: Place) -> FinishedRun:
    """Scores the language in one bank that learned all ten together, trained where it is not there yet."""
    output = place.folder(row, "bank-of-all")
    folder = output / "bank"
    if not folder.is_dir():
        spt_whisper(
            "fit", "--method", "lapt", "--corpus.root", str(place.data / UNSEEN), *corpora(LANGUAGES), *place.training,
            *place.states(side), *place.prompt(side), *end(place.settings["bank_epochs"]), "--output", str(output),
        )  # fmt: skip
    scores = score("bank", folder, output / f"{language}.report.json", *place.corpus(language))
    bank = Bank.from_folder(folder)
    part, of_bank = bank.parts[language], RunNumbers.among(bank.common_card.training)
    own, stored = part.parameter_count, of_bank.stored_parameters
    shared = stored - sum(each.parameter_count for each in bank.parts.values())
    numbers = replace(of_bank, seconds=0.0, trained_parameters=own, stored_parameters=own + shared)
    digests = {language: digest_tensors(bank.prompt(language).vectors.named_tensors())}
    return FinishedRun(
        row, language, place.settings, numbers, part.card.training["hours"], scores, part.card.language_tokens, of_bank, digests,
    )  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One of the systems that are compared."""

    side: str
    run: Callable[[str, str, str, Place], FinishedRun]
    decided_by: tuple[str, ...]


ROWS = {
    "bare": Row("none", bare, ("model", "site", "seed")),  # the last two name its file
    "decoder": Row("decoder", own_prompt, OWN),
    "entire": Row("entire", own_prompt, OWN),
    "lapt_decoder": Row("decoder", added_part, IN_BANK),
    "lapt_entire": Row("entire", added_part, IN_BANK),
    "together_decoder": Row("decoder", part_of_all, IN_ONE_BANK),
    "together_entire": Row("entire", part_of_all, IN_ONE_BANK),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of where things are and how they are trained."""
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument(
        "--site", choices=("input", "attention", "feed_forward"), default="feed_forward"
    )
    parser.add_argument("--length", type=int, default=48, help="vectors a place (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--epochs", type=int, help="of a language; by default the package's")
    parser.add_argument("--bank-epochs", type=int, help="of a bank; by default the package's")
    parser.add_argument("--model", default="base", help="Whisper (%(default)s)")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "expansion")
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "results" / "expansion")


def place_of(arguments: argparse.Namespace) -> Place:
    """Returns the folders and settings that the flags name."""
    settings = {
        "model": Path(arguments.model).name, "site": arguments.site, "length": arguments.length,
        "epochs": arguments.epochs, "bank_epochs": arguments.bank_epochs, "seed": arguments.seed,
    }  # fmt: skip
    data, runs, results = (
        getattr(arguments, name).resolve() for name in ("data", "runs", "results")
    )
    return Place(data, runs, results, arguments.model, settings)


def finished(place: Place) -> Iterator[FinishedRun]:
    """Yields all runs that there are of a site and seed, the languages in their order."""
    for row in ROWS:
        files = (place.result(row, language) for language in LANGUAGES)
        yield from (read_run(file) for file in files if file.is_file())


def main() -> None:
    """Makes the runs that are not there yet, then prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=LANGUAGES)
    parser.add_argument("--only", nargs="*", choices=ROWS, default=ROWS, help="rows to make")
    arguments = parser.parse_args()
    place = place_of(arguments)
    languages = [language for language in LANGUAGES if language in arguments.languages]
    for name in arguments.only:
        row = ROWS[name]
        own = place.deciding(row.decided_by)
        for language in languages:
            make = partial(row.run, name, row.side, language, own)
            once(own.result(name, language), own.settings, make)
    shown = {BASELINE, *arguments.only} if arguments.only else set(ROWS)
    runs = [run for run in finished(place) if run.row in shown and run.speech in languages]
    print_table(runs, BASELINE)


if __name__ == "__main__":
    main()
