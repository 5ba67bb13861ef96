"""Esperanto phrases with agreement in number and case; `grammar` makes sentences of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from esperanto import lexicon

_T = TypeVar("_T")


@dataclass(frozen=True)
class Phrase:
    """Words that act as one noun, with what the words around them must know."""

    text: str
    plural: bool = False
    third_person: bool = True
    animal: bool = False


class Decks:
    """Draws from lists as from decks of cards, so that every entry comes up equally often."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._decks: dict[tuple, list] = {}

    def draw(self, cards: Sequence[_T]) -> _T:
        """Returns the next card; equal lists share one deck, reshuffled when it is empty."""
        deck = self._decks.setdefault(tuple(cards), [])
        if not deck:
            deck.extend(cards)
            self.rng.shuffle(deck)
        return deck.pop()


def inflect(stem: str, ending: str, plural: bool = False, accusative: bool = False) -> str:
    """Returns the stem with its ending, plural -j and accusative -n."""
    return stem + ending + "j" * plural + "n" * accusative


class Phrases:
    """Noun phrases, places and verb phrases; remembers the stems that a sentence has used."""

    _DETERMINERS = (
        *["la"] * 6,
        *["own"] * 3,
        *["number"] * 2,
        *("tiu", "ĉi tiu", "multaj", "kelkaj", "", ""),
    )

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.draw = Decks(rng).draw
        self.used: list[str] = []

    def stem(self, stems: Sequence[str]) -> str:
        """Returns a drawn stem and remembers it."""
        stem = self.draw(stems)
        self.used.append(stem)
        return stem

    def maybe(self, share: float) -> bool:
        """Returns True with the given probability."""
        return self.rng.random() < share

    def noun(
        self,
        group: str,
        accusative: bool = False,
        own: Sequence[str] = lexicon.PRONOUNS,
        determiners: Sequence[str] = _DETERMINERS,
    ) -> Phrase:
        """Returns a noun with determiner and sometimes an adjective, all in agreement."""
        stem = self.stem(lexicon.NOUNS[group])
        mass = stem in lexicon.MASS
        kind = self.draw(determiners)
        if mass and kind in ("number", "multaj", "kelkaj"):
            kind = ""
        many = kind in ("number", "multaj", "kelkaj")
        plural = many or (not mass and self.maybe(0.25))
        words = [self._determiner(kind, own, plural, accusative)]
        if self.maybe(0.45):
            adjective = self.stem(lexicon.ADJECTIVES[group])
            words.append(inflect(adjective, "a", plural, accusative))
        words.append(inflect(stem, "o", plural, accusative))
        return Phrase(" ".join(filter(None, words)), plural, animal=group == "animal")

    def _determiner(self, kind: str, own: Sequence[str], plural: bool, accusative: bool) -> str:
        if kind == "own":
            return inflect(self.draw(own), "a", plural, accusative)
        if kind == "number":
            return self.draw(lexicon.NUMBERS)
        if kind in ("tiu", "ĉi tiu"):
            return inflect(kind, "", plural, accusative)
        return kind + "n" * (accusative and kind in ("multaj", "kelkaj"))

    def bare(self, group: str, accusative: bool = False, plural: bool = False) -> str:
        """Returns a lone noun of the group."""
        return inflect(self.stem(lexicon.NOUNS[group]), "o", plural, accusative)

    def subject(self) -> Phrase:
        """Returns a pronoun, a person or an animal."""
        kind = self.draw(["one", "one", "several", "person", "person", "person", "animal"])
        if kind in ("one", "several"):
            several = kind == "several"
            words = lexicon.PLURAL_PRONOUNS if several else lexicon.SINGULAR_PRONOUNS
            word = self.draw(words)
            return Phrase(word, several, third_person=word in ("li", "ŝi", "ili"))
        return self.noun(kind)

    def pronoun(self) -> Phrase:
        """Returns a personal pronoun."""
        word = self.draw(lexicon.PRONOUNS)
        return Phrase(word, word in ("ni", "ili"), word in ("li", "ŝi", "ili"))

    def object(self, verb: str, subject: Phrase) -> str:
        """Returns an object that the verb can have, in the accusative."""
        if "person" in lexicon.TRANSITIVE[verb] and self.maybe(0.3):
            others = [word for word in lexicon.PRONOUNS if word != subject.text]
            return self.draw(others) + "n"
        return self.noun(self.draw(lexicon.TRANSITIVE[verb]), True, self._own(subject)).text

    def _own(self, subject: Phrase) -> Sequence[str]:
        # With a third-person subject the subject's own things are "sia", never "lia" or "ŝia".
        if subject.third_person:
            return ["si", "si", "mi", "vi"]
        return [word for word in lexicon.PRONOUNS if word[:1] in (subject.text[:1], "l", "ŝ")]

    def place(self) -> str:
        """Returns where: `en la ĝardeno`."""
        noun, stem = self._place_noun()
        return f"{lexicon.PLACE_PREPOSITION.get(stem, 'en')} {noun.text}"

    def direction(self) -> str:
        """Returns where to, from or through: `al la ĝardeno`."""
        noun, stem = self._place_noun()
        open_place = stem in lexicon.PLACE_PREPOSITION
        return f"{self.draw(['al', 'al', 'de'] if open_place else ['al', 'tra', 'el'])} {noun.text}"

    def _place_noun(self) -> tuple[Phrase, str]:
        first = len(self.used)
        noun = self.noun("place", determiners=["la"] * 6 + ["tiu", "ĉi tiu"])
        return noun, self.used[first]

    def action(self, ending: str, subject: Phrase) -> str:
        """Returns a verb with the ending and all that belongs to it."""
        if subject.animal:
            return f"{self.stem(lexicon.ANIMAL_VERBS)}{ending} {self.place()}"
        kinds = [self._doing] * 7 + [self._giving] * 2 + [self._being] * 3 + [self._going] * 3
        return self.draw(kinds)(ending, subject)

    def _doing(self, ending: str, subject: Phrase) -> str:
        # Extra cards for the verbs whose objects come up nowhere else.
        verb = self.stem([*lexicon.TRANSITIVE, "trink", "trink", "lern", "aŭskult", "kuir"])
        return f"{verb}{ending} {self.object(verb, subject)}"

    def _giving(self, ending: str, subject: Phrase) -> str:
        verb = self.stem(lexicon.GIVING)
        thing = self.noun(self.draw(["thing", "text", "food"]), True, self._own(subject)).text
        receiver = self.noun("person", determiners=["la", "own"], own=self._own(subject)).text
        if self.maybe(0.4):
            receiver = self.draw([word for word in lexicon.PRONOUNS if word != subject.text])
        return f"{verb}{ending} {thing} al {receiver}"

    def _being(self, ending: str, _subject: Phrase) -> str:
        verb = self.stem(lexicon.INTRANSITIVE)
        if self.maybe(0.4):
            return f"{verb}{ending} {self.draw(lexicon.MANNERS)} {self.place()}"
        return f"{verb}{ending} {self.place()}"

    def _going(self, ending: str, _subject: Phrase) -> str:
        return f"{self.stem(lexicon.MOTION)}{ending} {self.direction()}"
