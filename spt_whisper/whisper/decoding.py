"""Decode: encoder states and first tokens in, hypotheses out, greedy or by beam search.

Calls `GenerationMixin.generate` rather than Whisper's own `generate`, which pops our first tokens, drops rows and
switches the attention implementation. A prompt that is on (`with prompted(...)`) stays on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    GenerationMixin,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
    WhisperTimeStampLogitsProcessor,
)
from transformers.modeling_outputs import BaseModelOutput

from spt_whisper.errors import InputError
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.tokens import MAX_POSITIONS

LONGEST_CYCLE = 8
CYCLE_REPEATS = 6


@dataclass(frozen=True)
class Hypothesis:
    """What was found in one window."""

    tokens: tuple[int, ...]  # after the first tokens, without the end of text
    text: str
    stopped_by: str  # end | loop | budget


@torch.inference_mode()
def decode(
    whisper: FrozenWhisper,
    states: Tensor,
    starts: Sequence[Sequence[int]],
    seconds: Sequence[float],
    options: DecodingOptions,
) -> list[Hypothesis]:
    """Decodes a batch of windows.

    Args:
        whisper: the model; prompts may be on.
        states: encoder states, (B, S, D).
        starts: for each row its first tokens, from `Tokens.start`.
        seconds: for each row how long its audio is.
        options: how to search.

    Returns:
        One hypothesis a row.
    """
    tokens, mask = _left_padded(whisper, starts)
    longest = tokens.shape[1]
    room = MAX_POSITIONS - longest
    if room < 1:
        raise InputError(
            f"decoding: {longest} first tokens leave no room in {MAX_POSITIONS} positions"
        )
    budgets = torch.tensor([min(options.budget(s), room) for s in seconds], device=whisper.device)
    generated = GenerationMixin.generate(
        whisper.model,
        generation_config=_generation_config(whisper, options, longest + int(budgets.max())),
        logits_processor=_timestamp_rules(whisper, longest) if options.timestamps else None,
        stopping_criteria=StoppingCriteriaList([LoopGuard(longest), RowBudget(longest, budgets)]),
        **_model_inputs(states, tokens, mask),
    )
    return [
        _hypothesis(whisper, row, int(budget))
        for row, budget in zip(generated[:, longest:].tolist(), budgets, strict=True)
    ]


def _left_padded(
    whisper: FrozenWhisper, starts: Sequence[Sequence[int]]
) -> tuple[Tensor, Tensor | None]:
    """First tokens, (B, T), filled up on the left; the mask is None where nothing had to be filled."""
    longest = max(len(start) for start in starts)
    fill = [longest - len(start) for start in starts]
    rows = [
        [whisper.tokens.end] * count + list(start)
        for count, start in zip(fill, starts, strict=True)
    ]
    tokens = torch.tensor(rows, device=whisper.device)
    if not any(fill):
        return tokens, None
    places = torch.arange(longest, device=whisper.device)
    return tokens, (places[None] >= torch.tensor(fill, device=whisper.device)[:, None]).long()


def _model_inputs(states: Tensor, tokens: Tensor, mask: Tensor | None) -> dict[str, Any]:
    return {
        "encoder_outputs": BaseModelOutput(last_hidden_state=states),
        # generate asks for one; Whisper does not
        "attention_mask": states.new_ones(states.shape[:2]),
        "decoder_input_ids": tokens,
        **({} if mask is None else {"decoder_attention_mask": mask}),
    }


def _generation_config(
    whisper: FrozenWhisper, options: DecodingOptions, positions: int
) -> GenerationConfig:
    """The search, and Whisper's own rules: tokens that are never written, and no empty start."""
    own, tokens = whisper.model.generation_config, whisper.tokens
    never = {tokens.start_of_previous, tokens.start_of_transcript, tokens.no_timestamps}
    never.update(own.suppress_tokens or [], tokens.languages.values())
    if not options.timestamps:
        never.update(range(tokens.first_timestamp, whisper.config.vocab_size))
    return GenerationConfig(
        max_length=positions,
        num_beams=options.beam_size,
        do_sample=False,
        use_cache=True,
        suppress_tokens=sorted(never),
        begin_suppress_tokens=own.begin_suppress_tokens or [tokens.end],
        eos_token_id=tokens.end,
        pad_token_id=tokens.end,
        bos_token_id=tokens.end,
        decoder_start_token_id=tokens.start_of_transcript,
    )


def _timestamp_rules(whisper: FrozenWhisper, begin: int) -> LogitsProcessorList:
    """The grammar of timestamps: in pairs, in order, one at the start."""
    rules = GenerationConfig(
        no_timestamps_token_id=whisper.tokens.no_timestamps,
        eos_token_id=whisper.tokens.end,
        bos_token_id=whisper.tokens.end,
        max_initial_timestamp_index=50,
    )
    return LogitsProcessorList([WhisperTimeStampLogitsProcessor(rules, begin_index=begin)])


class LoopGuard(StoppingCriteria):
    """Stops a row whose last tokens are a cycle of length 1 to 8, repeated six times."""

    def __init__(self, begin: int) -> None:
        """Takes the number of first tokens, which do not count."""
        self.begin = begin

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: object) -> Tensor:
        """(rows, T) -> (rows,): True where the row is in a loop."""
        written = input_ids[:, self.begin :]
        looping = torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)
        for cycle in range(1, LONGEST_CYCLE + 1):
            if written.shape[1] < cycle * CYCLE_REPEATS:
                break
            tail = written[:, -cycle * CYCLE_REPEATS :].unflatten(1, (CYCLE_REPEATS, cycle))
            looping |= (tail == tail[:, :1]).all(dim=2).all(dim=1)
        return looping


class RowBudget(StoppingCriteria):
    """Stops each row after its own number of tokens."""

    def __init__(self, begin: int, budgets: Tensor) -> None:
        """Takes the number of first tokens and the budget of each row of the batch, (B,)."""
        self.begin, self.budgets = begin, budgets

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: object) -> Tensor:
        """(rows, T) -> (rows,): True where the budget is spent."""
        candidates = input_ids.shape[0] // self.budgets.shape[0]  # of each row, in a beam search
        return input_ids.shape[1] - self.begin >= self.budgets.repeat_interleave(candidates)


def _hypothesis(whisper: FrozenWhisper, row: list[int], budget: int) -> Hypothesis:
    end = whisper.tokens.end
    if end in row:
        tokens = row[: row.index(end)]
        # a stopped row is filled up with the end token just as a finished one ends with it
        stopped_by = "loop" if _is_looping(tokens) else "budget" if len(tokens) >= budget else "end"
    else:
        tokens = row
        stopped_by = "loop" if _is_looping(tokens) else "budget"
    return Hypothesis(tuple(tokens), whisper.tokens.decode(tokens), stopped_by)


def _is_looping(tokens: list[int]) -> bool:
    return (
        bool(LoopGuard(0)(torch.tensor([tokens], dtype=torch.long), torch.empty(0)).item())
        if tokens
        else False
    )
