"""Normalizers: rows of text before and after, and what holds for every text."""

from __future__ import annotations

import dataclasses
import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spt_whisper.errors import InputError
from spt_whisper.text.normalization import (
    NORMALIZERS,
    STEPS,
    Normalizer,
    TextProcessing,
    get_normalizer,
)

PROCESSINGS = [TextProcessing(low, bare) for low in (False, True) for bare in (False, True)]
ALL = [*NORMALIZERS.values(), *(processing.apply for processing in PROCESSINGS)]
# texts of letters, marks, signs and blanks from all of Unicode, with apostrophes often enough
TEXTS = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("aΣJ'’-̌ ́")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("  Hello,\tworld!\n", "hello world"),
        ("don't 'quote' rock 'n' roll", "don't quote rock n roll"),
        ("L\u2019ACQUA dell\u2019", "l'acqua dell"),
        ("Ñuka p'unchaw, ¿imanallatak?", "ñuka p'unchaw imanallatak"),
        ("well-known — yes…", "well known yes"),
        ("Straße STRASSE", "straße strasse"),
        ("ΟΔΟΣ", "οδος"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ ﬁn ①", "full width fin 1"),
        ("其家人都在澳门定居。How about?", "其家人都在澳门定居 how about"),
        ("हिन्दी में, नमस्ते।", "हिन्दी में नमस्ते"),  # vowel signs and viramas stay
        ("ภาษาไทย “ดี”", "ภาษาไทย ด\u0e35"),
        ("العَرَبِيَّة؟", "العَرَبِيَّة"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # the joiner is spelling, not white space
        ("50 % + $3", "50 3"),
        ("J\u030c", "ǰ"),
        ("a_b", "a b"),
        ("İstanbul İYİ", "istanbul iyi"),
        (
            "p\u02bcunchaw o\u02bbzbek o\u2018zbek n`a qu\u00b4est \u05d2\u05f3\u05d9",
            "p'unchaw o'zbek o'zbek n'a qu'est \u05d2'\u05d9",
        ),
        ("\u2018quoted\u2019 `code`", "quoted code"),
        ("\u02bboku din\u00e9\u02bc 'oku", "oku diné oku"),  # at a word's edge no sign counts
        ("می\u200c روم می\u200c\u200cروم", "می روم می\u200cروم"),  # joiners that join nothing
        ("\u2764\ufe0f ok \u0301x \U0001f468\u200d\U0001f469 fam", "ok x fam"),
        ("葛\U000e0100飾", "葛飾"),  # a selector of one form of the ideograph
        ("rock \u00b4n\u00b4 roll\x00", "rock n roll"),
        ("ինչո\u055eւ արի\u055c։", "ինչու արի"),
        (
            "\u200f\u05e9\u05dc\u05d5\u05dd soft\u00adly \ufeffbom",
            "\u05e9\u05dc\u05d5\u05dd softly bom",
        ),
        ("ខ្ញុំ\u200bទៅ", "ខ្ញុំ ទៅ"),
    ],
)
def test_basic(text: str, expected: str) -> None:
    assert get_normalizer("basic")(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我們 Check 一下 EMAIL，好嗎？", "我们 check 一下 email 好吗"),
        ("<v-noise> 好 (ppl) okay [oh] (really) <unk>", "好 okay really"),
        ("Ｏｋ，１２３ ٣", "ok 123 3"),
        ("乾隆頭髮乾燥", "乾隆头发干燥"),  # by phrase: the emperor keeps his character
        ("薴", "苎"),  # by way of 苧, which is simplified again
        ("don’t go", "don't go"),
        ("ဒီမှာ", "ဒီမှာ"),
    ],
)
def test_code_switching(text: str, expected: str) -> None:
    assert get_normalizer("code_switching")(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("1,000,000 and 1,2", "1000000 and 1,2"), ("12,3456", "12,3456")]
)
def test_digit_groups(text: str, expected: str) -> None:
    assert STEPS["join_digit_groups"](text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("  Hello,\tWORLD! ", "Hello, WORLD!"), ("ﬁn n\u0303", "ﬁn n\u0303"), (" ", "")],
)
def test_raw_collapses_white_space_only(text: str, expected: str) -> None:
    assert get_normalizer("raw")(text) == expected


@pytest.mark.parametrize(
    ("processing", "expected"),
    [
        (TextProcessing(), "Ñuka, l’ACQUA ①!"),
        (TextProcessing(lowercase=True), "ñuka, l’acqua ①!"),
        (TextProcessing(remove_punctuation=True), "Ñuka l'ACQUA ①"),
        (TextProcessing(lowercase=True, remove_punctuation=True), "ñuka l'acqua ①"),
    ],
)
def test_text_processing_of_targets(processing: TextProcessing, expected: str) -> None:
    assert processing.apply(" N\u0303uka,  l’ACQUA ①! ") == expected
    assert TextProcessing.of_card(dataclasses.asdict(processing)) == processing


def test_text_processing_of_a_newer_version_is_refused() -> None:
    with pytest.raises(InputError, match=r"card\.text: found simplify, wanted some of lowercase"):
        TextProcessing.of_card({"lowercase": True, "simplify": True})


@pytest.mark.parametrize("normalize", ALL)
@given(text=TEXTS)
def test_twice_is_once(normalize: Normalizer, text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once


FILLERS_AND_TAGS = re.compile(r"[<\[({＜（［｛]|(?i:hmm|mm|mhm|mmm|uh|um)")


@pytest.mark.parametrize("normalize", ALL)
@given(text=TEXTS)
def test_no_word_of_letters_vanishes(normalize: Normalizer, text: str) -> None:
    for word in text.split():
        if FILLERS_AND_TAGS.search(unicodedata.normalize("NFKC", word)):
            continue
        spoken = [character for character in word if character not in "\u02bb\u02bc"]  # apostrophes
        if any(unicodedata.category(character)[0] == "L" for character in spoken):
            assert normalize(word)


@given(text=TEXTS)
def test_removing_punctuation_takes_punctuation_and_symbols_only(text: str) -> None:
    def spoken(characters: str) -> list[str]:
        """What is no sign, no blank, no mark, nothing invisible and no apostrophe that is a letter."""
        plain = [each for each in characters if each not in "\u02bb\u02bc"]
        kinds = [unicodedata.category(each) for each in plain]
        return [
            each
            for each, kind in zip(plain, kinds, strict=True)
            if kind[0] not in "PSZM" and kind not in ("Cf", "Cc")
        ]

    left = STEPS["remove_punctuation"](text)
    assert spoken(left) == spoken(text)
    assert {each for each in left if unicodedata.category(each)[0] in "PS"} <= {"'"}


def test_every_letter_and_mark_survives_basic_normalization() -> None:
    basic = get_normalizer("basic")
    astray = {*"\u02bb\u02bc\u0640", *map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))}
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        alone = unicodedata.normalize("NFKC", character)[0] == " "  # a mark without a letter
        if unicodedata.category(character)[0] in "LMN" and character not in astray and not alone:
            once = basic(f"a{character}")
            assert once != "a", hex(code)
            assert basic(once) == once, hex(code)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match="normalizer 'basics' is unknown; give one of: raw, basic"):
        get_normalizer("basics")
    with pytest.raises(InputError, match="text step 'stem' is unknown"):
        get_normalizer("nfkc,stem")
    with pytest.raises(InputError, match="text step 'stem' is unknown; give some of: nfc, nfkc"):
        Normalizer("mine", ("nfc", "stem"))


def test_steps_may_be_named_instead_of_a_normalizer() -> None:
    mine = get_normalizer("nfkc, remove_tags,lowercase,collapse_whitespace")
    assert mine.steps == ("nfkc", "remove_tags", "lowercase", "collapse_whitespace")
    assert mine("Ａ <noise> B!") == "a b!"
    assert get_normalizer("lowercase")(" A ") == " a "
    assert get_normalizer("remove_tags,collapse_whitespace")("A (PPL) b <PPO) c") == "A b c"


def test_a_normalizer_is_its_steps_in_order() -> None:
    assert Normalizer("shout", ("remove_punctuation", "collapse_whitespace"))("A, B") == "A B"
    assert list(NORMALIZERS) == [normalizer.name for normalizer in NORMALIZERS.values()]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("\u0d05\u0d35\u0d28\u0d4d\u200d", "\u0d05\u0d35\u0d7b"),  # Malayalam: he
        ("\u09b9\u09a0\u09be\u09a4\u09cd\u200d", "\u09b9\u09a0\u09be\u09ce"),  # Bengali: suddenly
        ("\u0e99\u0ec9\u0eb3", "\u0e99\u0ecd\u0ec9\u0eb2"),  # Lao: water
        ("\u0e19\u0e49\u0e33", "\u0e19\u0e4d\u0e49\u0e32"),  # Thai: water
        ("\u0643\u062a\u0640\u0640\u0627\u0628", "\u0643\u062a\u0627\u0628"),  # Arabic: book
    ],
)
def test_two_spellings_of_one_word_are_one(older: str, newer: str) -> None:
    assert get_normalizer("basic")(older) == get_normalizer("basic")(newer)


def test_a_joiner_that_makes_another_word_is_not_dropped() -> None:
    he, to_him = "\u0d05\u0d35\u0d28\u0d4d\u200d", "\u0d05\u0d35\u0d28\u0d4d"
    for processed in (get_normalizer("basic"), TextProcessing(remove_punctuation=True).apply):
        assert processed(he) != processed(to_him)


def test_a_byte_order_mark_is_no_text() -> None:
    assert TextProcessing().apply("\ufeffImanalla \ufeff kanki") == "Imanalla kanki"
