"""`spt-whisper evaluate`: score a corpus without and with a prompt, and write the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from spt_whisper.cli.parser import command_parser, instantiate, recipe_first, show_progress
from spt_whisper.corpora import CorpusConfig
from spt_whisper.errors import InputError
from spt_whisper.whisper.options import DecodingOptions


@dataclass(frozen=True)
class EvaluateConfig:
    """What is scored, with what, and how."""

    corpus: CorpusConfig
    prompt: str | None = None
    """Folder or hub id of a prompt; without one only bare Whisper is scored."""
    model: str | None = None
    """Whisper to use; by default the prompt's base."""
    split: Literal["train", "dev", "test"] = "test"
    """Part of the corpus that is scored."""
    zero_shot: bool = True
    """Whether bare Whisper is scored beside the prompt."""
    languages: list[str] = field(default_factory=list)
    """Language tokens for bare Whisper. With a dev part, the best of these, the prompt's and `auto` is taken on dev."""
    windows: list[float] = field(default_factory=list)
    """Windows in seconds for bare Whisper, beside 30 s and the prompt's; the best on dev is taken."""
    normalizer: str = "basic"
    """Text normalizer before scoring: basic or raw."""
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    batch_size: int = 8
    """Utterances decoded together."""
    output: str | None = None
    """File for the report; by default report.json in the folder above the prompt's."""
    resamples: int = 1000
    """Bootstrap resamples of the 95 % intervals."""
    seed: int = 0
    """Seed of the bootstrap."""


def main(arguments: Sequence[str]) -> int:
    """Scores, prints a table and writes the report."""
    parser = command_parser("evaluate", "Score a corpus: WER and CER with bootstrap 95 % intervals.")
    parser.add_class_arguments(EvaluateConfig, None)
    settings = instantiate(parser, recipe_first(arguments))
    show_progress()
    values = {key: value for key, value in vars(settings).items() if key != "config"}
    run(EvaluateConfig(**values))
    return 0


def run(config: EvaluateConfig) -> None:
    """Scores bare Whisper and the prompt on the same utterances under the same guards."""
    from rich.console import Console

    from spt_whisper.corpora import read_split
    from spt_whisper.evaluation.evaluate import PROMPT, ZERO_SHOT, Scorer, fitting, load_rows, with_language
    from spt_whisper.evaluation.report import Report
    from spt_whisper.evaluation.table import report_table
    from spt_whisper.prompts.files import Prompt
    from spt_whisper.text.normalization import TextProcessing, get_normalizer
    from spt_whisper.transcription.transcriber import Whisper

    normalizer = get_normalizer(config.normalizer)
    prompt = Prompt.from_pretrained(config.prompt) if config.prompt else None
    if prompt is None and not config.zero_shot:
        raise InputError("evaluate: neither a prompt nor zero_shot to score; give --prompt or leave --zero_shot true")
    utterances = fitting(read_split(config.corpus, config.split), config.split)
    whisper = Whisper.from_pretrained(config.model or (prompt.card.base if prompt else "base"))
    text = TextProcessing(**prompt.card.text) if prompt else TextProcessing()
    scorer = Scorer(
        whisper, normalizer, config.decoding, text, config.batch_size, config.resamples, config.seed
    )
    rows = load_rows(utterances, prompt, None)
    systems, used = [], {}
    if config.zero_shot:
        way = _zero_shot(config, scorer, prompt)
        used[ZERO_SHOT] = str(way)
        systems.append(
            scorer.score(ZERO_SHOT, utterances, with_language(rows, way.language), way.window_seconds)
        )
    if prompt:
        used[PROMPT] = prompt.name
        systems.append(scorer.score(PROMPT, utterances, rows))
    report = Report(
        corpus=f"{config.corpus.root} ({config.split})",
        normalizer=normalizer.name,
        systems=systems,
        settings={"systems": used, "decoding": asdict(config.decoding), "resamples": config.resamples, "seed": config.seed},
    )  # fmt: skip
    output = Path(config.output) if config.output else _default_output(config.prompt)
    report.write(output)
    Console().print(report_table(report))
    Console().print(f"report: {output}", soft_wrap=True)


def _default_output(prompt: str | None) -> Path:
    if prompt and Path(prompt).is_dir():
        return Path(prompt).parent / "report.json"
    return Path("report.json")


def _zero_shot(config: EvaluateConfig, scorer, prompt):  # type: ignore[no-untyped-def]
    from spt_whisper.audio import WINDOW_SECONDS
    from spt_whisper.corpora import read_split
    from spt_whisper.evaluation.evaluate import ZeroShot, fitting

    languages = [*config.languages, *(prompt.card.language_tokens[:1] if prompt else ())]
    windows = [float(WINDOW_SECONDS), *config.windows, *((prompt.card.window_seconds,) if prompt else ())]
    for code in languages:
        scorer.whisper.frozen.tokens.language(code)
    if config.split == "dev" or not config.corpus.dev:
        return ZeroShot(languages[0] if languages else None, windows[0])
    dev = fitting(read_split(config.corpus, "dev"), "dev")
    return scorer.best_zero_shot(dev, list(dict.fromkeys(languages)), windows)
