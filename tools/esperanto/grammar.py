"""Esperanto sentences from a small grammar of our own; `phrases` has its parts.

Productive, but plain: about twenty sentence frames with agreement in number and case, all tenses,
the conditional, the volitive, questions, relative and subordinate clauses. It is made to be
learned from a few hundred sentences, and says nothing about how Esperanto is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from esperanto import lexicon
from esperanto.phrases import Phrase, Phrases, inflect

SHORTEST, LONGEST = 5, 9  # words in a sentence
_ATTEMPTS_PER_SENTENCE = 200


class CorpusError(ValueError):
    """Says which argument or folder is wrong, what was found and what was wanted."""


def fold(sentence: str) -> str:
    """Returns the sentence without case and punctuation, as it counts for equality."""
    return " ".join(re.findall(r"\w+", sentence.lower()))


class Grammar(Phrases):
    """Whole sentences; `sentence` draws one of the frames below."""

    def sentence(self) -> str:
        """Returns a sentence of 5 to 9 words with capital and final punctuation."""
        frames: list[Callable[[], str]] = [
            *[self._statement] * 5,
            *[self._timed] * 4,
            *[self._modal] * 3,
            *[self._question] * 3,
            *[self._reported] * 4,
            *(self._quality, self._quality, self._comparison, self._existence, self._having),
            *(self._asking, self._asking, self._asking, self._because, self._when, self._if),
            *(self._relative, self._relative, self._wish, self._negation, self._hour, self._count),
            *(self._everyone, self._order, self._pointing),
        ]
        frame = self.draw(frames)
        while True:
            self.used = []
            text = frame()
            words = len(text.split())
            if SHORTEST <= words <= LONGEST and len(set(self.used)) == len(self.used):
                return text[0].upper() + text[1:] + ("" if text[-1] in "?!" else ".")

    def _clause(self, ending: str = "", subject: Phrase | None = None) -> str:
        subject = subject or self.subject()
        return f"{subject.text} {self.action(ending or self.draw(lexicon.TENSES), subject)}"

    def _short(self, ending: str = "") -> str:
        # A clause of two or three words, for sentences of two clauses.
        ending = ending or self.draw(lexicon.TENSES)
        verb = self.stem(lexicon.INTRANSITIVE + lexicon.MOTION)
        if self.maybe(0.5):
            return f"{self.pronoun().text} {verb}{ending}"
        return f"la {self.bare('person')} {verb}{ending}"

    def _statement(self) -> str:
        return self._clause()

    def _timed(self) -> str:
        time, ending = self.draw(lexicon.TIMES)
        clause = self._clause(ending)
        return f"{time} {clause}" if self.maybe(0.6) else f"{clause} {time}"

    def _modal(self) -> str:
        subject = self.pronoun() if self.maybe(0.6) else self.noun("person")
        modal = self.stem(lexicon.MODAL) + self.draw(lexicon.TENSES)
        denial = "ne " if self.maybe(0.25) else ""
        return f"{subject.text} {denial}{modal} {self.action('i', subject)}"

    def _question(self) -> str:
        return f"ĉu {self._clause()}?"

    def _reported(self) -> str:
        speaker = self.pronoun() if self.maybe(0.6) else self.noun("person")
        saying = self.stem(lexicon.SAYING) + self.draw(["as", "is"])
        return f"{speaker.text} {saying}, ke {self._clause()}"

    def _quality(self) -> str:
        group = self.draw(["person", "thing", "place", "animal", "text", "subject", "food"])
        noun = self.noun(group, determiners=["la", "la", "own", "tiu", "ĉi tiu"])
        degree = self.draw(["tre", "tro", "ankaŭ", "ankoraŭ", "jam"])
        quality = inflect(self.stem(lexicon.ADJECTIVES[group]), "a", noun.plural)
        return f"{noun.text} est{self.draw(lexicon.TENSES)} {degree} {quality}"

    def _comparison(self) -> str:
        group = self.draw(["person", "animal", "thing", "place"])
        first, second = (self.noun(group, determiners=["la", "own", "tiu"]) for _ in range(2))
        quality = inflect(self.stem(lexicon.ADJECTIVES[group]), "a", first.plural)
        degree = self.draw(["pli", "malpli"])
        return f"{first.text} est{self.draw(['as', 'is'])} {degree} {quality} ol {second.text}"

    def _existence(self) -> str:
        counted = ["number", "number", "multaj", "kelkaj", ""]
        noun = self.noun(self.draw(["person", "animal", "thing"]), determiners=counted)
        return f"{self.place()} est{self.draw(lexicon.TENSES)} {noun.text}"

    def _having(self) -> str:
        owner = self.pronoun() if self.maybe(0.5) else self.noun("person")
        counted = ["number", "number", "multaj", "kelkaj", ""]
        group = self.draw(["animal", "thing", "text", "drink"])
        owned = self.noun(group, True, determiners=counted)
        return f"{owner.text} hav{self.draw(lexicon.TENSES)} {owned.text}"

    def _asking(self) -> str:
        word = self.draw(["kie", "kiam", "kial", "kiel", "kiu", "kion", "kien"])
        ending, asked = self.draw(lexicon.TENSES), self.pronoun()
        if word == "kiu":
            return f"kiu {self.action(ending, Phrase('kiu'))}?"
        if word == "kion":
            verb = self.stem(["aĉet", "trov", "vid", "manĝ", "leg"])
            return f"kion {asked.text} {verb}{ending} {self.place()}?"
        if word == "kien":
            verb, time = self.stem(lexicon.MOTION), self.draw(lexicon.TIMES)
            return f"kien {asked.text} {verb}{time[1]} {time[0]}?"
        if word == "kie":
            verb = self.stem(["aĉet", "trov", "vid", "perd", "atend"])
            return f"kie {asked.text} {verb}{ending} {self.object(verb, asked)}?"
        return f"{word} {asked.text} {self.action(ending, asked)}?"

    def _because(self) -> str:
        return f"{self._short()}, ĉar {self._clause(subject=self.pronoun())}"

    def _when(self) -> str:
        ending = self.draw(lexicon.TENSES)
        word = self.draw(["kiam", "dum"])
        return f"{word} {self._short(ending)}, {self._clause(ending, self.pronoun())}"

    def _if(self) -> str:
        return f"se {self._short('us')}, {self._clause('us', self.pronoun())}"

    def _relative(self) -> str:
        group = self.draw(["person", "person", "animal", "thing"])
        noun = self.noun(group, determiners=["la", "la", "tiu"])
        which = inflect("kiu", "", noun.plural, accusative=True)
        seen = self.stem(["vid", "trov", "serĉ", "kon"]) + self.draw(["as", "is"])
        quality = inflect(self.stem(lexicon.ADJECTIVES[group]), "a", noun.plural)
        return f"{noun.text}, {which} {self.pronoun().text} {seen}, estas {quality}"

    def _wish(self) -> str:
        subject = self.draw([Phrase("ni", third_person=False), Phrase("li"), Phrase("ŝi")])
        return f"{subject.text} {self.action('u', subject)}!"

    def _order(self) -> str:
        opening = self.draw(["bonvolu ", "ne ", "bonvolu "])
        ending = "i" if opening == "bonvolu " else "u"
        return f"{opening}{self.action(ending, Phrase('vi', third_person=False))}!"

    def _negation(self) -> str:
        if self.maybe(0.5):
            return f"neniu {self._doing(self.draw(lexicon.TENSES), Phrase('neniu'))}"
        subject = self.pronoun()
        return f"{subject.text} neniam {self.action(self.draw(['as', 'is']), subject)}"

    def _hour(self) -> str:
        clause = self._clause(subject=self.pronoun())
        return f"je la {self.draw(lexicon.HOURS)} {clause}"

    def _count(self) -> str:
        if self.maybe(0.5):
            noun = self.noun("thing", determiners=["la", "tiu", "own"])
            return f"kiom kost{self.draw(lexicon.TENSES)} {noun.text}?"
        counted = self.bare(self.draw(["thing", "text"]), plural=True)
        verb = self.stem(["aĉet", "vend", "trov"]) + self.draw(["as", "is"])
        return (
            f"kiom da {counted} {self.pronoun().text} {verb} {self.draw(['nun', 'tie', 'ĉi tie'])}?"
        )

    def _pointing(self) -> str:
        group = self.draw(["person", "animal", "place", "sound", "drink", "food"])
        quality = inflect(self.stem(lexicon.ADJECTIVES[group]), "a")
        return f"{self.draw(['tio', 'ĉi tio'])} estas la plej {quality} {self.bare(group)}"

    def _everyone(self) -> str:
        verb = self.draw(["ŝat", "am", "kon", "hav"])
        group = {"ŝat": "food", "am": "animal", "kon": "place", "hav": "thing"}[verb]
        who = inflect(self.stem(lexicon.NOUNS["person"]), "o")
        return f"ĉiu {who} {verb}as {self.noun(group, True).text}"


def draw_sentences(sample: Callable[[], str], count: int, taken: set[str]) -> list[str]:
    """Returns `count` new sentences and adds their folded forms to `taken`.

    Raises:
        CorpusError: the grammar gave too few sentences that are not in `taken`.
    """
    sentences: list[str] = []
    for _ in range(count * _ATTEMPTS_PER_SENTENCE):
        if len(sentences) == count:
            break
        sentence = sample()
        if fold(sentence) not in taken:
            taken.add(fold(sentence))
            sentences.append(sentence)
    if len(sentences) < count:
        raise CorpusError(
            f"the grammar gave {len(sentences)} new sentences where {count} were wanted; "
            "ask for fewer with --train, --dev or --test"
        )
    return sentences
