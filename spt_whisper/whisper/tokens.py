"""Whisper's tokens: the first tokens of the decoder, text to tokens and back, and the budget of positions.

    <|startofprev|> P ... P (hotwords, text prompt) <|startoftranscript|> <|lang|> <|transcribe|> <|notimestamps|> text <|endoftext|>

P stands for the N placeholders that a decoder input prompt overwrites, or for the tokens <|prompt0|>, <|prompt1|>, ...
of an exported model, whose vocabulary has the prompt's vectors. They stand in the slot in which Whisper saw the previous
text in its own training. N + hotwords + text prompt <= 223, and everything together <= 448 positions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from spt_whisper.audio import WINDOW_SECONDS
from spt_whisper.errors import InputError

MAX_POSITIONS = 448
MAX_PREVIOUS = MAX_POSITIONS // 2 - 1  # what Whisper's own training left for the previous text
TIMESTAMP_SECONDS = 0.02
TIMESTAMPS = 1501  # tokens, from <|0.00|> to <|30.00|>
PROMPT_TOKEN = "<|prompt{}|>"  # a vector of a prompt that is a row of the vocabulary
LANGUAGE_TOKEN = re.compile(r"<\|([a-z]{2,3})\|>")
TIMESTAMP_TOKEN = re.compile(r"<\|\d+\.\d+\|>")


class Tokens:
    """The tokenizer of one Whisper, with its special tokens by name."""

    def __init__(self, tokenizer: Any) -> None:
        """Takes a transformers Whisper tokenizer.

        Args:
            tokenizer: the tokenizer of a Whisper.

        Raises:
            InputError: a special token is missing. (That of an English-only Whisper has them all; `requirements.py` refuses it.)
        """
        self.tokenizer = tokenizer
        self._ids: dict[str, int] = tokenizer.get_vocab()
        self.start_of_transcript = self._special("startoftranscript")
        self.start_of_previous = self._special("startofprev")
        self.transcribe = self._special("transcribe")
        self.no_timestamps = self._special("notimestamps")
        self.end = self._special("endoftext")
        # large-v3 calls it nospeech, older tokenizers nocaptions
        self.no_speech = self._ids.get("<|nocaptions|>") or self._special("nospeech")
        if not self.languages:
            raise InputError(
                "the model's tokenizer has no language tokens; take a multilingual Whisper"
            )

    def _special(self, name: str) -> int:
        token = self._ids.get(f"<|{name}|>")
        if token is None:
            raise InputError(
                f"the model's tokenizer has no token <|{name}|>; take a multilingual Whisper"
            )
        return token

    @cached_property
    def languages(self) -> dict[str, int]:
        """Language code -> token, in the order of the tokens."""
        found = ((LANGUAGE_TOKEN.fullmatch(token), number) for token, number in self._ids.items())
        codes = {
            match[1]: number
            for match, number in found
            if match and number > self.start_of_transcript
        }
        return dict(sorted(codes.items(), key=lambda item: item[1]))

    @cached_property
    def prompt(self) -> list[int]:
        """Tokens of a decoder input prompt that is a part of the model; none but in an exported one."""
        names = (PROMPT_TOKEN.format(number) for number in range(MAX_PREVIOUS))
        return [self._ids[name] for name in names if name in self._ids]

    @property
    def other_special(self) -> list[int]:
        """Special tokens that no transcript has: translation, and those of other tasks."""
        names = ("translate", "startoflm", "nospeech", "nocaptions")
        return [self._ids[f"<|{name}|>"] for name in names if f"<|{name}|>" in self._ids]

    @property
    def first_timestamp(self) -> int:
        """The token <|0.00|>."""
        return self.no_timestamps + 1

    def timestamp(self, seconds: float) -> int:
        """Returns the timestamp token nearest to a time within the window, in seconds."""
        return self.first_timestamp + round(
            min(max(seconds, 0), WINDOW_SECONDS) / TIMESTAMP_SECONDS
        )

    def language(self, code: str) -> int:
        """Returns the token of a language.

        Raises:
            InputError: Whisper has no such language.
        """
        if code not in self.languages:
            raise InputError(
                f"language {code!r}: Whisper has no token for it; wanted a proxy out of: {' '.join(self.languages)}"
            )
        return self.languages[code]

    def start(
        self,
        languages: Sequence[str],
        *,
        placeholders: int = 0,
        hotwords: Sequence[int] = (),
        text_prompt: Sequence[int] = (),
        timestamps: bool = False,
    ) -> list[int]:
        """Returns the decoder's first tokens.

        Args:
            languages: one language code, or several for mixed speech (`<|zh|><|en|>`).
            placeholders: N of a decoder input prompt.
            hotwords: tokens in front of the previous text; their end is cut where they leave no room for it.
            text_prompt: tokens of the previous text; its beginning is cut where it is too long.
            timestamps: whether timestamps are to follow.
        """
        vectors = [*self.prompt, *[self.end] * placeholders]
        room = MAX_PREVIOUS - len(vectors)
        if room < 0:
            raise InputError(
                f"prompt.length: a decoder input prompt of {len(vectors)} leaves no room; wanted at most {MAX_PREVIOUS}"
            )
        text = list(hotwords)[:room]
        room -= len(text)
        text += list(text_prompt)[-room:] if room else []
        previous = [self.start_of_previous, *vectors, *text] if vectors or text else []
        codes = [self.language(code) for code in languages]
        rest = [] if timestamps else [self.no_timestamps]
        return [*previous, self.start_of_transcript, *codes, self.transcribe, *rest]

    def encode(self, text: str) -> list[int]:
        """Returns the tokens of a text as Whisper writes it; the name of a special token in it is plain text.

        A leading space is a part of the first word's token. Where it would be a token of its own, as in front of Chinese, Thai
        or a word with ү, there is none: no transcript may begin with it.
        """
        tokens: list[int] = self.tokenizer.encode(
            " " + text.strip(), add_special_tokens=False, split_special_tokens=True
        )
        return tokens[1:] if tokens[0] == self._blank else tokens

    @cached_property
    def _blank(self) -> int:
        """The token of a space alone."""
        return self.tokenizer.encode(" ", add_special_tokens=False)[0]

    def decode(self, tokens: Sequence[int]) -> str:
        """Returns the text of tokens, special tokens and timestamps left out."""
        return self.tokenizer.decode([token for token in tokens if token < self.end]).strip()
