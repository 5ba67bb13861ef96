"""Federated averaging: one prompt out of several that were trained apart from the same start.

After FedAvg (McMahan et al., AISTATS 2017, arXiv 1602.05629). Vector n of one prompt corresponds to vector n of another
only where both were the same vector before training; of other prompts a mean is as good as noise. A prompt's card
therefore keeps the digest of its start (`training["start"]`), and that is what is compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from spt_whisper.errors import InputError
from spt_whisper.prompts.card import KEY_DIGITS, LanguageKey, PromptCard
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.folders import digest_tensors
from spt_whisper.prompts.vectors import PromptVectors

METHOD = "average"
_NOT_OF_ONE_START = (
    ", so their vectors do not correspond; train both with the same model, languages, text, prompt section and seed (slots of "
    "other seeds: --side_by_side true)"
)


def start_digest(vectors: PromptVectors) -> str:
    """Returns the SHA-256 over names, shapes and float32 values of vectors, R = 1."""
    return digest_tensors(vectors.named_tensors())


def average(prompts: Sequence[Prompt], weights: Sequence[float] | None = None) -> Prompt:
    """Returns the weighted mean of prompts, whose card names them and their shares.

    Args:
        prompts: two or more, each read from where its name says.
        weights: one for each, above 0, such as the hours of speech; equal by default.

    Raises:
        InputError: a weight is wrong, or the prompts differ in base, form, language tokens, text processing or start.
    """
    shares = shares_of(prompts, weights)
    for other in prompts[1:]:
        check_same(prompts[0], other, _common, _NOT_OF_ONE_START)
    tables = [prompt.vectors.named_tensors() for prompt in prompts]
    means = {key: _mean([table[key] for table in tables], shares) for key in tables[0]}
    vectors = PromptVectors.from_named_tensors(means)
    card = mean_card(prompts, shares, METHOD)
    start = prompts[0].card.training["start"]
    return Prompt(
        prompts[0].config,
        vectors,
        replace(card, training={"start": start, **card.training}),
        METHOD,
    )


def shares_of(prompts: Sequence[Prompt], weights: Sequence[float] | None) -> list[float]:
    """Returns a weight for each prompt, scaled so that they sum to 1.

    Raises:
        InputError: there is one prompt alone, or a weight is wrong.
    """
    if len(prompts) < 2:
        raise InputError(f"average: found {len(prompts)} prompt; wanted two or more")
    given = [1.0] * len(prompts) if weights is None else list(weights)
    if len(given) != len(prompts):
        raise InputError(
            f"weights: found {len(given)} for {len(prompts)} prompts; wanted one for each"
        )
    if not all(weight > 0 for weight in given) or not math.isfinite(sum(given)):
        raise InputError(f"weights: found {given}; wanted numbers above 0")
    return [weight / sum(given) for weight in given]


def check_same(
    first: Prompt, other: Prompt, common: Callable[[Prompt], dict[str, object]], advice: str
) -> None:
    """Compares what two prompts that become one must have in common.

    Raises:
        InputError: names the first difference, with the advice.
    """
    found = common(other)
    for what, value in common(first).items():
        if found[what] != value:
            raise InputError(
                f"prompt {other.name}: {what} is {found[what]}, in {first.name} it is {value}{advice}"
            )


def _common(prompt: Prompt) -> dict[str, object]:
    """What prompts that are averaged must have in common, by name.

    Raises:
        InputError: the card does not say from where the prompt started.
    """
    card = prompt.card
    if "start" not in card.training:
        raise InputError(
            f"prompt {prompt.name}: its card names no start (training.start), so nobody can tell whether its vectors "
            "correspond to others'; train it again by itself"
        )
    return {
        "the base's fingerprint": card.fingerprint,
        "the base's shape": card.shape,
        **{f"prompt.{setting}": value for setting, value in vars(prompt.config).items()},
        "the language token": "+".join(card.language_tokens),
        "text": card.text,
        "the start": card.training["start"],
    }


def _mean(tensors: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """The weighted mean, summed in float64."""
    summed = sum(share * tensor.double() for share, tensor in zip(shares, tensors, strict=True))
    assert isinstance(summed, Tensor)
    return summed.float()


def mean_card(prompts: Sequence[Prompt], shares: Sequence[float], method: str) -> PromptCard:
    """Returns the card of a prompt made of several."""
    cards = [prompt.card for prompt in prompts]
    training: dict[str, Any] = {
        "hours": round(sum(card.training.get("hours", 0.0) for card in cards), 3),
        "utterances": sum(card.training.get("utterances", 0) for card in cards),
        "sources": [prompt.name for prompt in prompts],
        "weights": [round(share, 6) for share in shares],
    }
    return replace(
        cards[0],
        languages=tuple(dict.fromkeys(code for card in cards for code in card.languages)),
        # those that an utterance needed: clients of one recipe may differ
        windows=tuple(sorted({window for card in cards for window in card.windows})),
        signs=tuple(sorted({token for card in cards for token in card.signs})),
        codes={language: codes for card in cards for language, codes in card.codes.items()},
        method=method,
        key=_mean_key([card.key for card in cards], shares),
        recipe={},
        training=training,
        provenance=None,
    )


def _mean_key(keys: Sequence[LanguageKey | None], shares: Sequence[float]) -> LanguageKey | None:
    """The mean of the keys: how the speech of all sounds; None where one is missing, or only some have a spread."""
    known = [key for key in keys if key is not None]
    if len(known) < len(keys) or len({len(key.spread) for key in known}) > 1:
        return None

    def mean(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
        columns = torch.tensor(rows, dtype=torch.float64).T  # (numbers, prompts)
        means = columns @ torch.tensor(shares, dtype=torch.float64)
        return tuple(round(value, KEY_DIGITS) for value in means.tolist())

    return LanguageKey(
        mean([key.log_posterior for key in known]),
        mean([key.state for key in known]),
        mean([key.spread for key in known]),
    )
