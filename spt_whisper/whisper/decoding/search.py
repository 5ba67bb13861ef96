"""Searches: the most probable token at each step, drawn tokens, or several beams."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spt_whisper.whisper.decoding.cached_decoder import CachedDecoder
from spt_whisper.whisper.decoding.guards import stop_reason
from spt_whisper.whisper.decoding.hypothesis import Candidate, StopReason
from spt_whisper.whisper.decoding.rules import TokenRules

_LEAVING = 0.25  # share of finished rows at which the batch is made smaller: that copies the cache


@dataclass(frozen=True)
class SearchResult:
    """What a search found in one row."""

    candidate: Candidate
    no_speech_probability: float


@dataclass
class _Text:
    """A text that grows."""

    tokens: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    stopped_by: StopReason | None = None

    def finished(self) -> Candidate:
        return Candidate(tuple(self.tokens), self.log_probability, self.stopped_by or "budget")


def sample(
    decoder: CachedDecoder,
    rules: TokenRules,
    budgets: Sequence[int],
    temperature: float = 0.0,
    samples: int = 1,
    seeds: Sequence[str] = (),
) -> list[SearchResult]:
    """Takes the most probable token at each step, or draws it.

    Args:
        decoder: R rows at their first tokens.
        rules: which tokens may follow.
        budgets: of each row, in tokens, at least one.
        temperature: 0 for no draw.
        samples: texts drawn for each row, of which the most probable is taken.
        seeds: of each row's draws, where the temperature is above 0; each text has its own stream, so that it does not depend
            on its batch.
    """
    end = decoder.tokens.end
    logits, no_speech = decoder.begin(samples)
    texts = [[_Text() for _ in range(samples)] for _ in budgets]
    draws = [[_generator(decoder, f"{seed}/{n}") for n in range(samples)] for seed in seeds]
    active = list(range(len(budgets)))  # rows in the batch, by their place in the call
    written = logits.new_empty((len(logits), 0), dtype=torch.long)
    while True:
        logits = rules.apply(written, logits)
        if temperature:
            streams = [stream for row in active for stream in draws[row]]
            chosen = _drawn(logits, temperature, streams)
        else:
            chosen = logits.argmax(dim=-1)
        gained = logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(dim=-1)
        running = ((row, text) for row in active for text in texts[row])
        for (row, text), token, gain in zip(running, chosen.tolist(), gained.tolist(), strict=True):
            _grow(text, token, gain, end, budgets[row])
        written = torch.cat([written, chosen[:, None]], dim=1)
        going = [n for n, row in enumerate(active) if any(not t.stopped_by for t in texts[row])]
        if not going:
            break
        if len(going) <= (1 - _LEAVING) * len(active):
            decoder.keep_rows(going)
            rules.keep_rows(going)
            written, chosen = _rows_of(written, going, samples), _rows_of(chosen, going, samples)
            active = [active[n] for n in going]
        logits = decoder.step(chosen)
    finished = ([text.finished() for text in row] for row in texts)
    best = (max(row, key=lambda found: found.mean_log_probability) for row in finished)
    return [SearchResult(*pair) for pair in zip(best, no_speech, strict=True)]


def _grow(text: _Text, token: int, gain: float, end: int, budget: int) -> None:
    """Adds a token to a text that has not stopped."""
    if text.stopped_by:
        return
    text.log_probability += gain
    if token == end:
        text.stopped_by = "end"
        return
    text.tokens.append(token)
    text.stopped_by = stop_reason(text.tokens, budget)


def _generator(decoder: CachedDecoder, seed: str) -> torch.Generator:
    return torch.Generator(decoder.device).manual_seed(random.Random(seed).getrandbits(63))


def _drawn(logits: Tensor, temperature: float, streams: Sequence[torch.Generator]) -> Tensor:
    """(W, V) -> (W,), each row drawn from its own stream (the Gumbel-max trick)."""
    uniform = torch.stack(
        [torch.rand(logits.shape[1], generator=stream, device=logits.device) for stream in streams]
    )
    return (logits / temperature - (-uniform.clamp(min=1e-20).log()).log()).argmax(dim=-1)


def _rows_of(texts: Tensor, rows: Sequence[int], candidates: int) -> Tensor:
    """(R C, ...) -> those of some rows."""
    return texts.unflatten(0, (-1, candidates))[list(rows)].flatten(0, 1)


def beam_search(
    decoder: CachedDecoder,
    rules: TokenRules,
    budgets: Sequence[int],
    beams: int,
    length_penalty: float | None = None,
) -> list[SearchResult]:
    """Keeps the most probable texts at each step; a row is done when as many have ended.

    Args:
        decoder: R rows at their first tokens.
        rules: which tokens may follow.
        budgets: of each row, in tokens, at least one.
        beams: how many texts are kept.
        length_penalty: see `DecodingOptions`.
    """
    logits, no_speech = decoder.begin(beams)
    device, end = logits.device, decoder.tokens.end
    rows = [_BeamRow(beams, budget, end) for budget in budgets]
    active = list(range(len(rows)))
    written = logits.new_empty((len(logits), 0), dtype=torch.long)
    while True:
        gains = rules.apply(written, logits).log_softmax(dim=-1)
        sums = torch.tensor([row.sums for row in (rows[n] for n in active)], device=device)
        total = sums[..., None] + gains.unflatten(0, (-1, beams))  # (R, beams, V)
        vocabulary = total.shape[2]
        values, places = total.flatten(1).topk(2 * beams)
        for n, best, where in zip(active, values.tolist(), places.tolist(), strict=True):
            steps = [
                (value, *divmod(place, vocabulary))
                for value, place in zip(best, where, strict=True)
            ]
            rows[n].advance(steps)
        going = [place for place, n in enumerate(active) if not rows[n].done]
        if not going:
            break
        parents = [
            place * beams + beam for place, n in enumerate(active) for beam in rows[n].parents
        ]
        order, chosen = torch.tensor(parents, device=device), [rows[n].last for n in active]
        written = torch.cat(
            [written[order], torch.tensor(chosen, device=device).view(-1, 1)], dim=1
        )
        decoder.reorder(order)
        if len(going) < len(active):
            decoder.keep_rows(going)
            rules.keep_rows(going)
            written = _rows_of(written, going, beams)
            active = [active[place] for place in going]
        logits = decoder.step(written[:, -1])
    best = (row.best(length_penalty) for row in rows)
    return [SearchResult(*pair) for pair in zip(best, no_speech, strict=True)]


class _BeamRow:
    """The beams of one row, and the texts that have ended."""

    def __init__(self, beams: int, budget: int, end: int) -> None:
        self.beams, self.budget, self.end = beams, budget, end
        self.sums = [0.0] + [-torch.inf] * (beams - 1)  # all beams are the same at first
        self.parents = list(range(beams))  # which beam each beam came from, in the last step
        self.texts: list[tuple[int, ...]] = [()] * beams
        self.ended: list[Candidate] = []
        self.stopped: list[Candidate] = []  # by a guard

    @property
    def last(self) -> list[int]:
        """The last token of each beam."""
        return [text[-1] for text in self.texts]

    @property
    def done(self) -> bool:
        return len(self.ended) >= self.beams or not any(total > -torch.inf for total in self.sums)

    def advance(self, steps: Sequence[tuple[float, int, int]]) -> None:
        """Takes the most probable (sum, beam, token), best first, twice as many as there are beams."""
        if self.done:
            return
        kept: list[tuple[float, int, tuple[int, ...]]] = []
        for total, beam, token in steps:
            if total == -torch.inf or len(kept) == self.beams:
                break
            text = self.texts[beam]
            if token == self.end:
                self.ended.append(Candidate(text, total, "end"))
                continue
            grown = (*text, token)
            reason = stop_reason(grown, self.budget)
            if reason:
                self.stopped.append(Candidate(grown, total, reason))
            else:
                kept.append((total, beam, grown))
        missing = self.beams - len(kept)
        kept += [(-torch.inf, 0, (*self.texts[0], self.end))] * missing
        self.sums, self.parents, self.texts = (list(part) for part in zip(*kept, strict=True))

    def best(self, length_penalty: float | None) -> Candidate:
        """The best text that ended by itself; where none did, the best that a guard stopped."""

        def rank(candidate: Candidate) -> float:
            if length_penalty is None:
                return candidate.mean_log_probability
            return candidate.log_probability / ((6 + len(candidate.tokens)) / 6) ** length_penalty

        return max(self.ended or self.stopped, key=rank)
