"""Code-switching: errors by language, at switches and across languages, counted by hand."""

from __future__ import annotations

from spt_whisper.text.error_rates import ErrorCounts
from spt_whisper.text.normalization import get_normalizer
from spt_whisper.text.switching import (
    UNKNOWN,
    Confusion,
    SwitchingErrors,
    count_switching_errors,
    language_units,
)

MIXED = get_normalizer("code_switching")


def errors(reference: str, hypothesis: str, tags: tuple[str, ...] = ()) -> SwitchingErrors:
    return count_switching_errors([language_units(reference, hypothesis, MIXED, tags)])


def test_each_language_has_its_errors() -> None:
    found = errors("我想 check email 了", "我像 check mail okay 了")
    assert found.by_language == {
        "Han": ErrorCounts(hits=2, substitutions=1),
        "Latin": ErrorCounts(hits=1, substitutions=1, insertions=1),
    }
    assert found.switches == 2
    # 想 | check and email | 了, whichever Latin word is taken for the one too many
    assert found.at_switches.errors >= 2
    assert found.at_switches.reference_length == 4
    assert found.confusions == ()
    assert found.tagged_utterances == 0


def test_an_insertion_at_a_switch_counts_there_and_by_its_own_script() -> None:
    found = errors("我 想 check it", "我 想 呢 check it")
    assert found.by_language["Han"] == ErrorCounts(hits=2, insertions=1)
    assert found.at_switches == ErrorCounts(hits=2, insertions=1)
    assert errors("好 okay", "好 okay").at_switches == ErrorCounts(hits=2)  # the first unit, too
    elsewhere = errors("我 想 check it", "我 都 想 check it")
    assert elsewhere.at_switches == ErrorCounts(hits=2)


def test_one_language_for_another() -> None:
    found = errors("好 okay 走", "好 喔 go")
    assert found.confusions == (Confusion("Han", "Latin", 1), Confusion("Latin", "Han", 1))
    assert found.by_language["Latin"] == ErrorCounts(substitutions=1)


def test_confusions_are_in_the_order_of_languages() -> None:
    pairs = [("好", "go"), ("走", "go"), ("go", "好")]
    found = count_switching_errors(language_units(*pair, MIXED) for pair in pairs)
    assert found.confusions == (Confusion("Han", "Latin", 2), Confusion("Latin", "Han", 1))


def test_the_languages_of_a_corpus_add_up() -> None:
    pairs = [("好", "好"), ("okay 好", "okay"), ("", "um")]
    found = count_switching_errors(language_units(*pair, MIXED) for pair in pairs)
    assert found.by_language == {
        "Han": ErrorCounts(hits=1, deletions=1),
        "Latin": ErrorCounts(hits=1, insertions=1),
    }
    assert found.switches == 1


def test_word_tags_say_more_than_the_script() -> None:
    tags = ("qug", "qug", "es")
    found = errors("Chunka, sukta — capítulo!", "chunka capítulo nueve", tags)
    assert found.by_language == {
        "qug": ErrorCounts(hits=1, substitutions=1),
        "es": ErrorCounts(substitutions=1),
    }
    assert (found.switches, found.tagged_utterances, found.confusions) == (1, 1, ())


def test_an_insertion_into_tagged_words_belongs_to_the_word_before() -> None:
    found = errors("sukta capítulo", "sukta capítulo nueve", ("qug", "es"))
    assert found.by_language["es"] == ErrorCounts(hits=1, insertions=1)
    first = errors("sukta capítulo", "uno sukta capítulo", ("qug", "es"))
    assert first.by_language["qug"] == ErrorCounts(hits=1, insertions=1)


def test_tags_that_do_not_fit_are_not_guessed() -> None:
    found = errors("sukta capítulo", "sukta", ("qug", "qug", "es"))
    assert found.by_language == {UNKNOWN: ErrorCounts(hits=1, deletions=1)}
    assert found.tagged_utterances == 0


def test_tags_do_not_fit_where_a_step_reaches_over_a_blank() -> None:
    pair = language_units("tuta si", "", lambda text: text.replace(" ", ""), ("qug", "es"))
    assert not pair.tagged
    assert [(unit.text, unit.language) for unit in pair.reference] == [("tutasi", None)]


def test_a_sign_alone_may_have_a_tag_or_none() -> None:
    for tags in (("qug", "qug", "es"), ("qug", "es")):
        pair = language_units("tuta — si", "", MIXED, tags)
        assert [unit.language for unit in pair.reference] == ["qug", "es"]


def test_a_hyphenated_word_hands_its_tag_to_its_parts() -> None:
    pair = language_units("tuta-manta si", "", MIXED, ("qug", "es"))
    assert [unit.language for unit in pair.reference] == ["qug", "qug", "es"]
    assert pair.switched
    assert pair.tagged


def test_numbers_are_of_the_language_around_them() -> None:
    found = errors("3 我 有 42 okay", "")
    assert found.by_language == {
        "Han": ErrorCounts(deletions=4),
        "Latin": ErrorCounts(deletions=1),
    }
    assert errors("42", "42").by_language == {UNKNOWN: ErrorCounts(hits=1)}
    assert errors("", "42").by_language == {UNKNOWN: ErrorCounts(insertions=1)}
    assert not language_units("3 我", "", MIXED).switched
    assert errors("我 有 3", "我 有 三").confusions == ()


def test_kana_and_han_are_one_language() -> None:
    found = errors("東京へ行く", "東京に行く")
    assert list(found.by_language) == ["Japanese"]
    assert found.switches == 0
    assert found.confusions == ()
    assert not language_units("東京へ行く", "", MIXED).switched


def test_han_beside_kana_that_was_not_said_stays_han() -> None:
    found = errors("我 走", "我 の 走")
    assert found.by_language == {"Han": ErrorCounts(hits=2), "Japanese": ErrorCounts(insertions=1)}


def test_foreign_words_between_kana_keep_their_script() -> None:
    assert list(errors("東京へ go", "").by_language) == ["Japanese", "Latin"]
