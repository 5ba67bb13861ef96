"""Which tokens may follow: Whisper's own suppressed tokens, no empty start, and the grammar of timestamps."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from transformers import GenerationConfig, WhisperTimeStampLogitsProcessor

from spt_whisper.errors import InputError
from spt_whisper.whisper.options import OWN_SUPPRESSED, DecodingOptions
from spt_whisper.whisper.tokens import TIMESTAMP_SECONDS, TIMESTAMPS, Tokens
from spt_whisper.whisper.vocabulary import Vocabulary


class TokenRules:
    """Sets the logits of tokens that may not follow to minus infinity."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        options: DecodingOptions,
        device: torch.device,
        signs: Sequence[Collection[int]] = ((),),
    ) -> None:
        """Lists what is never written, and what is not written first.

        Args:
            vocabulary: what the model may write.
            options: what the user lets it write.
            device: of the logits.
            signs: of each row, what its prompt was taught to write though the model's own list has it.

        Raises:
            InputError: `suppress_tokens` names a token that the model does not have.
        """
        tokens = vocabulary.tokens
        never = {tokens.start_of_previous, tokens.start_of_transcript, tokens.no_timestamps}
        never |= {tokens.transcribe, *tokens.languages.values(), *tokens.other_special}
        never |= {token for token in options.suppress_tokens if token != OWN_SUPPRESSED}
        listed = set(vocabulary.suppressed) if OWN_SUPPRESSED in options.suppress_tokens else set()
        taught = sorted((listed & set().union(*signs)) - never)
        never |= listed - set(taught)
        behind = tokens.first_timestamp + (TIMESTAMPS if options.timestamps else 0)
        never.update(range(behind, vocabulary.size))  # rows of an exported prompt, too
        if max(never) >= vocabulary.size:
            raise InputError(
                f"decoding.suppress_tokens: found {max(never)}, wanted less than {vocabulary.size}"
            )
        never.discard(tokens.end)
        first = (vocabulary.suppressed_first or (tokens.end,)) if options.suppress_blank else ()
        self._never = torch.tensor(sorted(never), device=device)
        self._never_first = torch.tensor(first, dtype=torch.long, device=device)
        self._taught = torch.tensor(taught, dtype=torch.long, device=device)
        barred = [[token not in own for token in taught] for own in signs]
        self._barred = torch.tensor(barred, dtype=torch.bool, device=device)  # (R, taught)
        self._grammar = _timestamp_grammar(tokens, options) if options.timestamps else None

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Leaves only some of the rows, by their place in the batch."""
        self._barred = self._barred[list(rows)]

    def apply(self, written: Tensor, logits: Tensor) -> Tensor:
        """Returns the logits of what may follow.

        Args:
            written: the tokens after the first tokens, (W, T).
            logits: (W, V), changed in place; W is a multiple of the rows.
        """
        logits.index_fill_(1, self._never, -torch.inf)
        if len(self._taught):
            barred = self._barred.repeat_interleave(len(logits) // len(self._barred), dim=0)
            allowed = logits[:, self._taught].masked_fill(barred, -torch.inf)
            logits.index_copy_(1, self._taught, allowed)
        if not written.shape[1] and len(self._never_first):
            logits.index_fill_(1, self._never_first, -torch.inf)
        return logits if self._grammar is None else self._grammar(written, logits)


def _timestamp_grammar(tokens: Tokens, options: DecodingOptions) -> WhisperTimeStampLogitsProcessor:
    """Timestamps come in pairs, in order, one at the start."""
    settings = GenerationConfig(
        no_timestamps_token_id=tokens.no_timestamps,
        eos_token_id=tokens.end,
        bos_token_id=tokens.end,
        max_initial_timestamp_index=round(options.max_initial_timestamp / TIMESTAMP_SECONDS),
    )
    return WhisperTimeStampLogitsProcessor(settings, begin_index=0)
