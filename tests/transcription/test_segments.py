"""Words in the segments that hold them."""

from __future__ import annotations

import pytest

from spt_whisper.transcription.segments import split_segments, with_words
from spt_whisper.whisper.tokens import Tokens
from spt_whisper.whisper.words import AlignedWord, split_words
from tests.tiny_model import tiny_tokenizer

TOKENS = Tokens(tiny_tokenizer())


@pytest.mark.parametrize(
    "texts",
    [
        (" one two.", " three"),
        (" one", "  ", " \"two", " three\" ... "),
        ("你好", "(再见)"),
        (" a", ")", " b"),
        (" ñ",),
        (),
    ],
)  # fmt: skip
def test_each_segment_has_the_words_of_its_text(texts: tuple[str, ...]) -> None:
    written: list[int] = []
    for second, text in enumerate(texts):
        letters = TOKENS.tokenizer.encode(text, add_special_tokens=False)
        written += [TOKENS.timestamp(second), *letters, TOKENS.timestamp(second + 1)]
    words = [
        AlignedWord(word.text, 0.02 * word.first, 0.02 * word.after, 1.0)
        for word in split_words(written, TOKENS)
    ]
    segments = with_words(split_segments(written, TOKENS, 10.0), words)
    assert [segment.text for segment in segments] == [t.strip() for t in texts if t.strip()]
    for segment in segments:
        assert "".join(word.text for word in segment.words).strip() == segment.text
    assert [word for segment in segments for word in segment.words] == words


def test_text_without_timestamps_is_one_segment_with_all_words() -> None:
    written = TOKENS.tokenizer.encode(" one two", add_special_tokens=False)
    words = [AlignedWord(" one", 0.0, 0.5, 1.0), AlignedWord(" two", 0.5, 0.9, 1.0)]
    (segment,) = with_words(split_segments(written, TOKENS, 1.0), words)
    assert segment.words == tuple(words)
