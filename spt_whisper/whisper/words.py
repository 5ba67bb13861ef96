"""Words out of the decoder's tokens, by what the text shows: blanks, scripts without blanks, punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from spt_whisper.text.scripts import is_unspaced
from spt_whisper.whisper.tokens import Tokens

_REPLACEMENT = "\ufffd"  # what bytes decode to that are not, or not yet, a character
_OPENING = {"Ps", "Pi", "Pd"}  # Unicode's brackets, quotation marks and dashes in front of a word
_INVERTED = "¿¡"
_STRAIGHT = "\"'"


@dataclass(frozen=True)
class AlignedWord:
    """A word and when it was said."""

    text: str  # as the tokens have it: with the blank in front, and its punctuation
    start: float  # seconds
    end: float  # seconds
    probability: float  # mean over the tokens of the word, punctuation left out


@dataclass(frozen=True)
class WordTokens:
    """A word and the tokens that are spoken for it."""

    text: str
    first: int  # index among the text tokens; punctuation in front and behind is not spoken
    after: int


def split_words(written: Sequence[int], tokens: Tokens) -> list[WordTokens]:
    """Splits what the decoder wrote into words.

    A word begins at a blank, and at each piece of a script without blanks (Han, kana, Thai ...), where a piece is the
    fewest tokens that are whole characters. Punctuation goes to its word as in openai-whisper: brackets and quotation
    marks that open to the next, all else to the one before. The text decides, not the language token, which for a new
    language is only a proxy.

    Args:
        written: what the decoder wrote, with or without timestamps: no word reaches across one.
        tokens: the model's tokens.

    Returns:
        The words in order. Their texts in a row are the text of the tokens.
    """
    words: list[WordTokens] = []
    index = 0
    for is_text, stretch in groupby(written, lambda token: token < tokens.end):
        if is_text:
            pieces = list(_pieces(list(stretch), index, tokens))
            index = pieces[-1].after
            words += _joined(pieces)
    return words


def _pieces(text: Sequence[int], index: int, tokens: Tokens) -> Iterator[WordTokens]:
    """The fewest tokens that are whole characters, not only blanks; `index` is that of the first token."""
    first = 0
    for after in range(1, len(text) + 1):
        piece = tokens.tokenizer.decode(text[first:after])
        if after == len(text) or (piece.strip() and not piece.endswith(_REPLACEMENT)):
            yield WordTokens(piece, index + first, index + after)
            first = after


def _joined(pieces: Sequence[WordTokens]) -> list[WordTokens]:
    """Pieces put together to words."""
    words: list[WordTokens] = []
    for piece in pieces:
        if words and not _begins_word(words[-1].text, piece.text):
            words[-1] = _join(words[-1], piece)
        else:
            words.append(piece)
    if len(words) > 1 and not _is_spoken(words[-1].text):  # it opens, and nothing follows
        words[-2:] = [_join(*words[-2:])]
    return [word for word in words if word.text.strip()]


def _begins_word(before: str, piece: str) -> bool:
    """Whether `piece` begins a word behind the word `before`."""
    if not (_is_spoken(before) and piece.strip()) or unicodedata.category(piece[0])[0] == "M":
        return False
    last = next(character for character in reversed(before) if character.isalnum())
    at_boundary = piece[0].isspace() or is_unspaced(last) or is_unspaced(piece[0])
    return at_boundary and (_is_spoken(piece) or _opens(piece))


def _is_spoken(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _opens(sign: str) -> bool:
    """Whether a sign belongs to the word behind it; of straight quotation marks, those behind a blank."""
    straight = sign[0].isspace() and sign[-1] in _STRAIGHT
    return straight or sign[-1] in _INVERTED or unicodedata.category(sign[-1]) in _OPENING


def _join(word: WordTokens, piece: WordTokens) -> WordTokens:
    """Both texts, and the tokens that are spoken of both."""
    text = word.text + piece.text
    if _is_spoken(word.text) and not _is_spoken(piece.text):
        return WordTokens(text, word.first, word.after)
    first = word.first if _is_spoken(word.text) else piece.first
    return WordTokens(text, first, piece.after)
