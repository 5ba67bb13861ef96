"""The README of a prompt or a bank: a model card that people and the Hugging Face Hub read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.hub import HUB_ID

LIBRARY = "spt-whisper"
_TASK = "automatic-speech-recognition"
_HUB_LANGUAGE = re.compile(r"[a-z]{2,3}")  # ISO 639; the hub refuses other names of languages


@dataclass(frozen=True)
class Score:
    """An error rate of one system on one corpus, with its 95 % interval, all in percent."""

    corpus: str
    system: str
    rate: str  # WER, CER or mixed
    value: float
    low: float
    high: float
    utterances: int
    text: str  # what was done to the text, and what the interval is of


@dataclass(frozen=True)
class Publication:
    """What a card says that the prompt itself does not know."""

    name: str = "THIS FOLDER"
    """From where it is loaded."""
    license: str | None = None
    """As the hub names it: apache-2.0, cc-by-4.0."""
    scores: Sequence[Score] = ()
    learned: str = "prompt"
    """Which system of the scores this is; the others are there to compare with."""


def render_readme(
    config: PromptConfig,
    card: PromptCard,
    publication: Publication | None = None,
    loading: str | None = None,
) -> str:
    """Returns the README.md of a prompt's folder.

    Args:
        config: what the prompt is.
        card: what it was made from.
        publication: how it is published.
        loading: the expression that loads it; by default that of a folder or repository of its own.
    """
    known = publication or Publication()
    text = (
        f"Side {config.side}, site {', '.join(config.sites)}, length {config.length}; language token "
        f"{', '.join(card.language_tokens) or 'of the language'}; window {card.windows_text}. "
        "Whisper itself is unchanged."
    )
    loading = loading or f'Prompt.from_pretrained("{known.name}")'
    return _render([card], known, f"A soft prompt for {card.base}", text, loading)


def render_bank_readme(cards: Mapping[str, PromptCard], publication: Publication) -> str:
    """Returns the README.md of a bank, of which `cards` has each language's card."""
    first = next(iter(cards))
    text = f"A prompt for each of {', '.join(cards)}. Whisper itself is unchanged."
    loading = f'Bank.from_pretrained("{publication.name}").prompt("{first}")'
    title = f"A bank of soft prompts for {cards[first].base}"
    return _render(list(cards.values()), publication, title, text, loading)


def _render(
    cards: Sequence[PromptCard], known: Publication, title: str, text: str, loading: str
) -> str:
    languages = list(dict.fromkeys(code for card in cards for code in card.languages))
    spoken = ", ".join(languages) or "unknown"
    sections = [
        f"---\n{_metadata(cards[0].base, languages, known)}\n---",
        f"# {title}: {spoken}",
        text,
        "```python\n"
        f"from spt_whisper import {loading.partition('.')[0]}, Whisper\n\n"
        f'whisper = Whisper.from_pretrained("{cards[0].base}")\n'
        f"prompt = {loading}\n"
        'print(whisper.transcribe("speech.wav", prompt=prompt).text)\n'
        "```",
        f"## Scores\n\n{_score_table(known.scores)}" if known.scores else "",
        "## Data\n\n" + "\n".join(dict.fromkeys(_data(card) for card in cards)),
        "## Training\n\n" + "\n".join(_training(cards[0])) if len(cards) == 1 else "",
        f"## License\n\n{known.license or 'Not stated.'}",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _metadata(base: str, languages: Sequence[str], known: Publication) -> str:
    """The YAML that the hub reads."""
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type=_TASK, dataset_type=score.corpus, dataset_name=score.corpus, metric_type=score.rate.lower(),
            metric_value=score.value, metric_name=f"{score.rate} %, 95 % interval {score.low}-{score.high}",
        )
        for score in known.scores
        if score.system == known.learned
    ]  # fmt: skip
    data = ModelCardData(
        base_model=base if HUB_ID.fullmatch(base) else None,
        language=[code for code in languages if _HUB_LANGUAGE.fullmatch(code)] or None,
        library_name=LIBRARY,
        license=known.license,
        pipeline_tag=_TASK,
        tags=["whisper", "soft-prompt"],
        model_name=known.name if results else None,
        eval_results=results or None,
    )
    return data.to_yaml()


def _score_table(scores: Sequence[Score]) -> str:
    rows = [
        f"| {score.corpus} | {score.system} | {score.rate} | {score.value} ({score.low}-{score.high}) | {score.utterances} |"
        for score in scores
    ]
    heading = "| corpus | system | rate | % (95 % interval) | utterances |\n| --- | --- | --- | --- | --- |"
    remarks = dict.fromkeys(f"{score.text[0].upper()}{score.text[1:]}." for score in scores)
    return "\n".join([heading, *rows, "", *remarks])


def _data(card: PromptCard) -> str:
    """One line about what a prompt learned from; of paths only the last name is told."""
    corpus: Any = card.recipe.get("corpus")
    named = corpus if isinstance(corpus, dict) else {}
    parts = [PurePath(str(named.get("root") or "not stated")).name, named.get("subset")]
    amount = [
        f"{card.training[name]} {name}" for name in ("utterances", "hours") if name in card.training
    ]
    spoken = f"- {', '.join(card.languages) or 'unknown'}: "
    return spoken + ", ".join(str(part) for part in (*parts, *amount) if part)


def _training(card: PromptCard) -> list[str]:
    """What training cost and came to; of the folders of prompts that were averaged only the last name is told."""
    told = dict(card.training)
    if "sources" in told:
        told["sources"] = ", ".join(PurePath(str(source)).name for source in told["sources"])
    return [f"- {name.replace('_', ' ')}: {value}" for name, value in told.items()]
