"""The words of the Esperanto corpus, as stems by meaning; `grammar` gives them endings.

The list is moderate on purpose, so that a few hundred sentences show every stem several times.
Groups of meaning keep the sentences sensible: one eats food and visits people.
"""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return text.split()


NOUNS: dict[str, list[str]] = {
    "person": _words(
        "knab knabin vir virin patr patrin frat fratin amik infan instruist kuracist kantist "
        "kuirist student najbar gast reĝ monaĥ onkl soldat"
    ),
    "animal": _words("hund kat ĉeval bird bovin kunikl urs mus"),
    "food": _words("pan pom fromaĝ sup kuk viand riz ov ĉokolad legom frukt"),
    "drink": _words("akv lakt te kaf"),
    "thing": _words("tabl seĝ ŝlosil flor pilk ĉapel ŝu horloĝ bild lamp glas ĵurnal"),
    "text": _words("libr leter rakont poem gazet"),
    "sound": _words("muzik kant ĥor"),
    "subject": _words("lingv kant poem vort"),
    "place": _words(
        "dom urb vilaĝ lernej ĝarden arbar kuirej ĉambr preĝej hotel teatr "
        "river lag mar pont strat mont"
    ),
}

MASS = frozenset(_words("fromaĝ sup viand riz ĉokolad akv lakt te kaf muzik"))
"""Stems that are not counted: always singular, never with a number."""

PLACE_PREPOSITION = {
    **dict.fromkeys(_words("river lag mar pont"), "ĉe"),
    **dict.fromkeys(_words("strat mont"), "sur"),
}
"""Where one is at a place; `en` for every other place."""

ADJECTIVES: dict[str, list[str]] = {
    "person": _words("jun maljun saĝ feliĉ lac fort ĝentil riĉ bon kuraĝ"),
    "animal": _words("grand malgrand nigr blank rapid bel maljun"),
    "food": _words("freŝ dolĉ bon varm"),
    "drink": _words("freŝ dolĉ bon varm malvarm"),
    "thing": _words("nov malnov grand malgrand bel ruĝ blu verd blank nigr"),
    "text": _words("nov malnov long bel interes"),
    "sound": _words("bel laŭt nov"),
    "subject": _words("nov facil bel"),
    "place": _words("grand malgrand bel malnov nov kviet"),
}

TRANSITIVE: dict[str, list[str]] = {
    "manĝ": ["food"],
    "trink": ["drink"],
    "leg": ["text"],
    "skrib": ["text"],
    "aĉet": ["food", "thing"],
    "vend": ["food", "thing"],
    "trov": ["thing", "animal"],
    "perd": ["thing"],
    "serĉ": ["thing", "animal"],
    "port": ["thing"],
    "vid": ["person", "animal", "place"],
    "am": ["person", "animal"],
    "help": ["person"],
    "vizit": ["person", "place"],
    "renkont": ["person"],
    "atend": ["person"],
    "aŭskult": ["sound"],
    "aŭd": ["sound", "animal"],
    "lern": ["subject"],
    "forges": ["subject", "text"],
    "kuir": ["food"],
    "lav": ["thing"],
    "pentr": ["place", "animal"],
    "ŝat": ["food", "drink", "sound"],
}
"""A verb and the groups that its object may come from."""

GIVING = _words("don montr send vend port")
INTRANSITIVE = _words("dorm labor rid kant danc lud ripoz naĝ plor sid loĝ star")
MOTION = _words("ir kur marŝ vetur vojaĝ reven")
SAYING = _words("dir pens sci esper")
MODAL = _words("pov dev vol dezir komenc")
ANIMAL_VERBS = _words("dorm lud ripoz sid kur star")

SINGULAR_PRONOUNS = ["mi", "vi", "li", "ŝi"]
PLURAL_PRONOUNS = ["ni", "ili"]
PRONOUNS = ["mi", "vi", "li", "ŝi", "ni", "ili"]
NUMBERS = _words("du tri kvar kvin ses sep ok naŭ dek cent")
HOURS = _words("unua dua tria kvara kvina sesa sepa oka naŭa deka")

TIMES: list[tuple[str, str]] = [
    *(("hieraŭ", "is"), ("morgaŭ", "os"), ("hodiaŭ", "as"), ("nun", "as"), ("ĉiutage", "as")),
    *(("baldaŭ", "os"), ("ofte", "as"), ("ĉiam", "is"), ("matene", "is"), ("vespere", "os")),
    *(("dimanĉe", "os"), ("ĵaŭde", "is")),
]
"""A word for the time and the ending of the verb beside it."""

MANNERS = _words("rapide bone kviete laŭte kune")
TENSES = ["as", "is", "os"]


def stems() -> set[str]:
    """Returns every stem and unchanging word that the sentences are built from."""
    lists: list[list[str]] = [
        *NOUNS.values(),
        *ADJECTIVES.values(),
        GIVING,
        INTRANSITIVE,
        MOTION,
        SAYING,
        MODAL,
    ]
    lists += [list(TRANSITIVE), PRONOUNS, NUMBERS, MANNERS, [word for word, _ in TIMES]]
    return {stem for group in lists for stem in group} | {"est", "hav", "kost"}
