"""The first tokens of the decoder and the budget of positions."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer
from transformers import WhisperTokenizer

from spt_whisper.engines.engine import Row
from spt_whisper.engines.languages import first_tokens
from spt_whisper.errors import InputError
from spt_whisper.whisper.options import DecodingOptions
from spt_whisper.whisper.tokens import Tokens
from tests.export.exported import noise
from tests.tiny_model import LANGUAGES, tiny_tokenizer


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens(tiny_tokenizer())


def names(tokens: Tokens, ids: list[int]) -> list[str]:
    return tokens.tokenizer.convert_ids_to_tokens(ids)


def test_languages_are_the_language_tokens_only(tokens: Tokens) -> None:
    assert tuple(tokens.languages) == LANGUAGES


@pytest.mark.parametrize(
    ("languages", "settings", "expected"),
    [
        (["es"], {}, "<|startoftranscript|> <|es|> <|transcribe|> <|notimestamps|>"),
        (["zh", "en"], {"timestamps": True}, "<|startoftranscript|> <|zh|> <|en|> <|transcribe|>"),
        (
            ["es"],
            {"placeholders": 2, "text_prompt": [7]},
            "<|startofprev|> <|endoftext|> <|endoftext|> ( <|startoftranscript|> <|es|> <|transcribe|> <|notimestamps|>",
        ),
    ],
)
def test_first_tokens(tokens: Tokens, languages: list[str], settings: dict, expected: str) -> None:
    assert names(tokens, tokens.start(languages, **settings)) == expected.split()


def test_the_text_prompt_is_cut_first_and_from_its_beginning(tokens: Tokens) -> None:
    start = tokens.start(["es"], placeholders=220, text_prompt=[1, 2, 3, 4, 5])
    assert start[1 + 220 : 1 + 223] == [3, 4, 5]
    assert start[1 + 223] == tokens.start_of_transcript
    assert (
        tokens.start(["es"], placeholders=223, text_prompt=[1])[1 + 223]
        == tokens.start_of_transcript
    )


@pytest.mark.parametrize(
    ("hotwords", "text", "kept"),
    [
        ([1, 2], [3], [1, 2, 3]),
        ([1, 2], [3, 4, 5], [1, 2, 5]),
        ([1, 2, 3], [4], [1, 2, 3]),
        ([1, 2, 3, 4], [5], [1, 2, 3]),
        ([], [3, 4, 5, 6], [4, 5, 6]),
    ],
)
def test_hotwords_stay_where_the_text_prompt_is_cut(
    tokens: Tokens, hotwords: list[int], text: list[int], kept: list[int]
) -> None:
    start = tokens.start(["es"], placeholders=220, hotwords=hotwords, text_prompt=text)
    assert start[1 + 220 : start.index(tokens.start_of_transcript)] == kept


@pytest.mark.parametrize("hotwords", ["Inti", " Inti, Killa ", "你好", "  ", None])
@pytest.mark.parametrize("said", ["ñuka wasi", "你好 w", "'s  it", None])
def test_hotwords_and_a_long_text_prompt(
    tokens: Tokens, hotwords: str | None, said: str | None
) -> None:
    """Tokens are those of one text; of too many, hotwords and the end of the text stay."""
    row = Row(noise(1.0), None, ("es",))

    def previous(text_prompt: str | None) -> list[int]:
        options = DecodingOptions(hotwords=hotwords, text_prompt=text_prompt)
        (start,) = first_tokens([row], tokens, options)
        return start[1 : start.index(tokens.start_of_transcript)]

    together = " ".join(text for text in (hotwords, said) if text)
    assert previous(said) == (tokens.encode(together) if together else [])
    if said is not None:
        long = previous(300 * "wasi " + said)
        first, last = tokens.encode(hotwords or " "), tokens.encode(f"wasi {said}")
        assert len(long) == 223
        assert long[: len(first)] == first
        assert long[-len(last) :] == last


def test_a_prompt_that_leaves_no_room_is_refused(tokens: Tokens) -> None:
    with pytest.raises(
        InputError, match="a decoder input prompt of 224 leaves no room; wanted at most 223"
    ):
        tokens.start(["es"], placeholders=224)


def test_an_unknown_language_is_refused_with_what_there_is(tokens: Tokens) -> None:
    with pytest.raises(
        InputError,
        match="language 'qug': Whisper has no token for it; wanted a proxy out of: en zh es it",
    ):
        tokens.start(["qug"])


@pytest.mark.parametrize(
    ("seconds", "token"), [(0.0, "<|0.00|>"), (1.53, "<|1.52|>"), (30.4, "<|30.00|>")]
)
def test_timestamps(tokens: Tokens, seconds: float, token: str) -> None:
    assert names(tokens, [tokens.timestamp(seconds)]) == [token]


def test_a_space_alone_begins_no_text() -> None:
    """No transcript may begin with it (`begin_suppress_tokens`), so it must not be learned in front of Chinese."""
    tokenizer = tiny_tokenizer()
    model = json.loads(tokenizer.backend_tokenizer.to_str())
    model["model"]["vocab"]["Ġw"] = max(model["model"]["vocab"].values()) + 1
    model["model"]["merges"] = [["Ġ", "w"]]
    tokens = Tokens(WhisperTokenizer(tokenizer_object=Tokenizer.from_str(json.dumps(model))))
    assert names(tokens, tokens.encode("wasi wasi")) == ["Ġw", "a", "s", "i", "Ġw", "a", "s", "i"]
    assert names(tokens, tokens.encode("asi ñ")) == ["a", "s", "i", "Ġ", "Ã", "±"]
    assert tokens.decode(tokens.encode(" 你好 w ")) == "你好 w"
    assert tokens.encode("  ") == []


@pytest.mark.parametrize("name", ["<|startoftranscript|>", "<|es|>", "<|endoftext|>"])
def test_the_name_of_a_special_token_in_a_text_is_plain_text(tokens: Tokens, name: str) -> None:
    written = tokens.encode(f"{name} wasi {name}")
    assert max(written) < tokens.end
    assert tokens.decode(written) == f"{name} wasi {name}"


def test_text_goes_there_and_back_without_special_tokens(tokens: Tokens) -> None:
    written = [*tokens.encode("ñuka wasi"), tokens.timestamp(1.0), tokens.end]
    assert tokens.decode(written) == "ñuka wasi"
