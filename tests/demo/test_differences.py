"""Where two transcripts differ: by words, across segments, and in scripts without blanks."""

from __future__ import annotations

from spt_whisper.demo.differences import Marked, differences


def shown(marked: Marked) -> list[str]:
    """The segments, what differs in brackets."""
    return [
        "".join(f"[{each.text}]" if each.differs else each.text for each in segment)
        for segment in marked.segments
    ]


def test_words_that_the_other_has_not_are_marked() -> None:
    one, other = differences(["kayman samu ri"], ["kayman shamuychik ari ri"])
    assert shown(one) == ["kayman [samu] ri"]
    assert shown(other) == ["kayman [shamuychik] [ari] ri"]
    assert (one.units, one.different) == (3, 1)
    assert (other.units, other.different) == (4, 2)


def test_case_and_punctuation_do_not_count() -> None:
    one, other = differences(["Kayman,  shamuy - ari!"], ["kayman shamuy ari"])
    assert shown(one) == ["Kayman,  shamuy - ari!"]
    assert shown(other) == ["kayman shamuy ari"]
    assert (one.units, one.different) == (3, 0)


def test_punctuation_within_a_word_does_not_count() -> None:
    one, other = differences(["A well-known man."], ["a well known man"])
    assert (shown(one), shown(other)) == (["A well-known man."], ["a well known man"])
    assert (one.units, one.different, other.units, other.different) == (4, 0, 4, 0)
    one, other = differences(["A well-known man."], ["a well shown man"])
    assert (shown(one), shown(other)) == (["A [well-known] man."], ["a well [shown] man"])
    assert (one.units, one.different) == (4, 1)


def test_segments_need_not_have_the_same_borders() -> None:
    one, other = differences(["wasi llakta", " ñuka", "mana"], ["wasi", "llakta ñuka "])
    assert shown(one) == ["wasi llakta", " ñuka", "[mana]"]
    assert shown(other) == ["wasi", "llakta ñuka "]


def test_scripts_without_blanks_are_compared_by_character() -> None:
    one, other = differences(["我想check邮件。"], ["我要check email"])
    assert shown(one) == ["我[想]check[邮][件]。"]
    assert shown(other) == ["我[要]check [email]"]


def test_nothing_written_differs_in_all_from_something() -> None:
    one, other = differences([], ["ari", ""])
    assert shown(one) == []
    assert shown(other) == ["[ari]", ""]
    assert (one.units, other.different) == (0, 1)
