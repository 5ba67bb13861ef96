"""Which tokens may follow: Whisper's own suppressed tokens, no empty start, and the grammar of timestamps."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import GenerationConfig, WhisperTimeStampLogitsProcessor

from spt_whisper.errors import InputError
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import OWN_SUPPRESSED, DecodingOptions
from spt_whisper.whisper.tokens import TIMESTAMP_SECONDS, TIMESTAMPS


class TokenRules:
    """Sets the logits of tokens that may not follow to minus infinity."""

    def __init__(self, whisper: FrozenWhisper, options: DecodingOptions) -> None:
        """Lists what is never written, and what is not written first.

        Raises:
            InputError: `suppress_tokens` names a token that the model does not have.
        """
        own, tokens = whisper.model.generation_config, whisper.tokens
        never = {tokens.start_of_previous, tokens.start_of_transcript, tokens.no_timestamps}
        never |= {tokens.transcribe, *tokens.languages.values(), *tokens.other_special}
        for token in options.suppress_tokens:
            never |= set(own.suppress_tokens or []) if token == OWN_SUPPRESSED else {token}
        behind = tokens.first_timestamp + (TIMESTAMPS if options.timestamps else 0)
        never.update(range(behind, whisper.config.vocab_size))  # rows of an exported prompt, too
        if max(never) >= whisper.config.vocab_size:
            raise InputError(
                f"decoding.suppress_tokens: found {max(never)}, wanted less than {whisper.config.vocab_size}"
            )
        never.discard(tokens.end)
        first = (own.begin_suppress_tokens or [tokens.end]) if options.suppress_blank else []
        self._never = torch.tensor(sorted(never), device=whisper.device)
        self._never_first = torch.tensor(first, dtype=torch.long, device=whisper.device)
        self._grammar = _timestamp_grammar(whisper, options) if options.timestamps else None

    def apply(self, written: Tensor, logits: Tensor) -> Tensor:
        """Returns the logits of what may follow.

        Args:
            written: the tokens after the first tokens, (W, T).
            logits: (W, V), changed in place.
        """
        logits.index_fill_(1, self._never, -torch.inf)
        if not written.shape[1] and len(self._never_first):
            logits.index_fill_(1, self._never_first, -torch.inf)
        return logits if self._grammar is None else self._grammar(written, logits)


def _timestamp_grammar(
    whisper: FrozenWhisper, options: DecodingOptions
) -> WhisperTimeStampLogitsProcessor:
    """Timestamps come in pairs, in order, one at the start."""
    settings = GenerationConfig(
        no_timestamps_token_id=whisper.tokens.no_timestamps,
        eos_token_id=whisper.tokens.end,
        bos_token_id=whisper.tokens.end,
        max_initial_timestamp_index=round(options.max_initial_timestamp / TIMESTAMP_SECONDS),
    )
    return WhisperTimeStampLogitsProcessor(settings, begin_index=0)
