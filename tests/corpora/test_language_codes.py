"""Languages as corpora name them, and the codes that Whisper has for them."""

from __future__ import annotations

from transformers.models.whisper.tokenization_whisper import LANGUAGES

from spt_whisper.corpora.language_codes import language_code


def test_codes_of_whispers_languages_are_their_own() -> None:
    assert [language_code(code) for code in LANGUAGES] == [*LANGUAGES]


def test_folders_of_fleurs() -> None:
    full = ["ky_kg", "cmn_hans_cn", "fil_ph", "nb_no", "jv_id", "es_419", "yue_hant_hk", "ast_es"]
    short = ["ky", "zh", "tl", "no", "jw", "es", "yue", "ast"]
    assert [language_code(code) for code in full] == short


def test_codes_of_three_letters_old_ones_and_ones_with_a_script_or_a_country() -> None:
    given = {
        "eng": "en", "swh": "sw", "hin": "hi", "amh_Ethi": "am", "cym": "cy", "nob": "no", "zho": "zh", "iw": "he",
        "in": "id", "heb": "he", "fas": "fa", "sv-SE": "sv", "ekk": "et", "ger": "de", "SAH": "sah", "qug": "qug",
    }  # fmt: skip
    assert {name: language_code(name) for name in given} == given


def test_names_that_only_begin_as_a_code_are_none() -> None:
    for name in ("my-kichwa", "is-test", "en-x-mine", "Welsh", "Scottish Gaelic", "ñuka", "", "-"):
        assert language_code(name) is None
