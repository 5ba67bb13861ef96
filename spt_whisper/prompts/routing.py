"""Which prompt of a bank, or none, should transcribe audio: by how it sounds to bare Whisper.

For a window with language posterior p and pooled encoder state x, and for a language of the bank whose key holds the mean
log-posterior log q, the mean state m and the spread s (v: the mean of s^2 over the bank), the score is

    H(p) + 0.5 sum_c p_c log q_c - 2 mean_d (x_d - m_d)^2 / v_d

H(p): Whisper is unsure, as it is in a language that it never learned. Cross-entropy: it is unsure in the way that is typical
of this language. Last: the speech sounds alike. Bare Whisper has a fixed score; the best one wins. The weights and that
score were chosen on whisper-base with `benchmarks/routing.py`, which says how well they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.card import LanguageKey

BARE_SCORE = -1.5  # a higher one sends fewer windows of Whisper's own languages to prompts
_POSTERIOR_WEIGHT = 0.5
_STATE_WEIGHT = 2.0
_LEAST_VARIANCE = 1e-6  # where all training utterances are the same


@dataclass(frozen=True)
class Route:
    """Where a window goes."""

    language: str | None
    """A language of the bank; None: bare Whisper."""
    confidence: float
    """Share of this choice under a softmax over all scores, in [0, 1]: it orders choices and is not calibrated."""


class Router:
    """Chooses between the languages of a bank and bare Whisper."""

    def __init__(self, keys: Mapping[str, LanguageKey], bare_score: float = BARE_SCORE) -> None:
        """Takes the key of each language, at least one, all with a spread; and the score of bare Whisper."""
        self.languages = tuple(keys)
        self.bare_score = bare_score
        self.log_posteriors = torch.tensor([key.log_posterior for key in keys.values()])
        self.states = torch.tensor([key.state for key in keys.values()])
        spreads = torch.tensor([key.spread for key in keys.values()])
        self.variance = spreads.square().mean(dim=0).clamp_min(_LEAST_VARIANCE)

    @classmethod
    def from_bank(cls, bank: Bank) -> Router:
        """Returns the router over every language of a bank.

        Raises:
            InputError: a prompt has no key, or one without a spread.
        """
        keys: dict[str, LanguageKey] = {}
        for language in bank.languages:
            key = bank.card(language).key
            if key is None or not key.spread:
                raise InputError(
                    f"bank {bank.folder}: the prompt of {language} has no key by which its speech is known, which "
                    "a bank without a named language (--language auto) needs; train it again, or name the language"
                )
            keys[language] = key
        if len({len(key.log_posterior) for key in keys.values()}) > 1:
            raise InputError(
                f"bank {bank.folder}: the keys of its languages are of Whispers with other languages; train them again"
            )
        return cls(keys)

    def route(self, log_posterior: Tensor, state: Tensor) -> list[Route]:
        """Returns where each window goes.

        Args:
            log_posterior: log-probability of each of Whisper's languages, (B, languages).
            state: pooled state of the bare encoder, (B, D).

        Raises:
            InputError: the keys are of a Whisper with other languages.
        """
        heard, known = log_posterior.shape[1], self.log_posteriors.shape[1]
        if heard != known:
            raise InputError(
                f"bank: its keys are of a Whisper with {known} languages, this one has {heard}; train it again, or name the language"
            )
        scores = self.scores(log_posterior, state)
        bare = torch.full_like(scores[:, :1], self.bare_score)
        shares = torch.cat([bare, scores], dim=1).softmax(dim=1)
        best, places = shares.max(dim=1)
        choices = (None, *self.languages)
        return [
            Route(choices[place], share)
            for place, share in zip(places.tolist(), best.tolist(), strict=True)
        ]

    def scores(self, log_posterior: Tensor, state: Tensor) -> Tensor:
        """Returns the score of each language of the bank, (B, K), in the order of `languages`."""
        log_posterior, state = log_posterior.float().cpu(), state.float().cpu()
        posterior = log_posterior.exp()
        entropy = -torch.xlogy(posterior, posterior).sum(dim=1, keepdim=True)
        typical = posterior @ self.log_posteriors.log_softmax(dim=1).T
        distance = (state[:, None] - self.states).square() / self.variance
        return entropy + _POSTERIOR_WEIGHT * typical - _STATE_WEIGHT * distance.mean(dim=2)
