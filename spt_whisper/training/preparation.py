"""A corpus made ready for a run: its splits as examples, with Whisper's tokens for each of its languages."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

from spt_whisper.audio.window import shortest_window
from spt_whisper.corpora import read_dev, read_split, with_duration
from spt_whisper.corpora.language_codes import language_code
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError, first_of
from spt_whisper.prompts.card import LanguageKey, Provenance
from spt_whisper.prompts.language_names import composed
from spt_whisper.training.batch import (
    ROUNDED,
    Example,
    ExampleBuilder,
    NothingFitsError,
    windows_of,
)
from spt_whisper.training.language_token import choose_token
from spt_whisper.training.methods import METHODS
from spt_whisper.training.provenance import provenance_of
from spt_whisper.training.recipe import Recipe
from spt_whisper.training.start import Listener
from spt_whisper.whisper.loading import FrozenWhisper

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedData:
    """What a run learns from, ready for the learner and the loop."""

    listener: Listener
    builder: ExampleBuilder
    train: list[Example]
    dev: list[Example]
    key: LanguageKey  # how the training speech sounds to Whisper as it was
    provenance: Provenance  # as it was before the run

    @property
    def whisper(self) -> FrozenWhisper:
        """The frozen model."""
        return self.listener.whisper


def prepare(recipe: Recipe, whisper: FrozenWhisper, language: str | None = None) -> PreparedData:
    """Reads the corpus and turns its texts into tokens.

    Args:
        recipe: the run.
        whisper: the model.
        language: only utterances in this language; None: all.
    """
    train = _spoken_in(language, read_split(recipe.corpus, "train"), "train")
    dev = _spoken_in(language, read_dev(recipe.corpus), "dev")
    if not dev:
        _without_dev(recipe, "has no dev part")
    _check_audio([*train, *dev])
    method, listener = METHODS[recipe.method], Listener(whisper)
    builder = ExampleBuilder(
        whisper.tokens,
        language_codes(recipe, listener, train, dev),
        recipe.prompt.decoder_positions if method.takes_positions else 0,
        recipe.windows,
        recipe.data.timestamps_share,
        recipe.seed,
        method.main_language_only
        or language is not None,  # its folder of a bank stands for one language
    )
    examples = builder.examples(
        train, [recipe.text.apply(u.text) for u in train], "train", recipe.data.augment.slowest
    )
    watched = _watched(recipe, builder, dev)
    if method.per_language:  # of what is left: too long ones are dropped
        learned, seen = ([each.utterance for each in part] for part in (examples, watched))
        _check_dev_languages(learned, seen, method.main_language_only)
    sound = listener.hear([example.utterance for example in examples], windows_of(examples)[-1])
    return PreparedData(
        listener, builder, examples, watched, sound.key(), provenance_of(examples, watched)
    )


def _check_audio(utterances: Sequence[Utterance]) -> None:
    """Refuses a corpus of which files are not there: most are opened only in the training loop, hours later."""
    files = dict.fromkeys(utterance.audio for utterance in utterances)
    missing = [path for path in files if not path.is_file() or not path.stat().st_size]
    if missing:
        raise InputError(
            f"corpus: {len(missing)} of {len(files)} audio files are missing or empty: {first_of(missing, 5)}; restore them, "
            "or take their rows out of the corpus"
        )


def _watched(recipe: Recipe, builder: ExampleBuilder, dev: Sequence[Utterance]) -> list[Example]:
    """What of dev fits; where nothing does, the run goes on without."""
    if not dev:
        return []
    try:
        return builder.examples(dev, [recipe.text.apply(u.text) for u in dev], "dev")
    except NothingFitsError as error:
        if recipe.early_stopping is None:
            logger.warning("%s; until then nothing watches the training", error)
            return []
        raise


def _without_dev(recipe: Recipe, why: str) -> None:
    """Says that nothing is watched, unless somebody wanted that.

    Raises:
        InputError: early stopping has nothing to watch.
    """
    root = recipe.corpus.root
    if recipe.early_stopping is not None:
        raise InputError(
            f"early_stopping: needs a dev part to watch, but {root} {why}; name one with corpus.dev"
        )
    if recipe.corpus.dev is not None:
        logger.warning(
            "%s %s: nothing watches the training, and what the last step leaves is kept", root, why
        )


def language_codes(
    recipe: Recipe,
    listener: Listener,
    train: Sequence[Utterance],
    dev: Sequence[Utterance] = (),
) -> Mapping[str, tuple[str, ...]]:
    """Returns the Whisper tokens of each language: the recipe's, else its own, else the one that suits it."""
    whisper, spoken = listener.whisper, languages_of([*train, *dev])
    if isinstance(recipe.languages, list) and recipe.languages:
        named = dict.fromkeys(spoken, tuple(recipe.languages))
    else:
        given = {} if isinstance(recipe.languages, list) else recipe.languages
        named = {composed(language): tuple(codes) for language, codes in given.items()}
        _warn_of_unheard(named, spoken)
    for codes in named.values():
        for code in codes:
            whisper.tokens.language(code)
    own_codes = {
        language: _code_of(language, whisper) for language in spoken if not named.get(language)
    }
    if None in own_codes.values():  # each header is read once, not for every language again
        train = [with_duration(utterance) for utterance in train]
    for language, own_code in own_codes.items():
        if own_code is not None:
            named[language] = (own_code,)
            if own_code != language:
                logger.info("language token of %s: <|%s|>, by its name", language, own_code)
        else:
            named[language] = (_suiting_token(recipe, listener, language, train, dev),)
            logger.info(
                "language token of %s: <|%s|>, which suits its texts best of those that Whisper hears most in it",
                language,
                *named[language],
            )
    return named


def _warn_of_unheard(named: Mapping[str, object], spoken: Sequence[str]) -> None:
    unheard = sorted(set(named) - set(spoken))
    if unheard:
        logger.warning(
            "languages: names %s, of which there is no speech here; there is %s",
            ", ".join(unheard),
            ", ".join(spoken),
        )


def _suiting_token(
    recipe: Recipe,
    listener: Listener,
    language: str,
    train: Sequence[Utterance],
    dev: Sequence[Utterance],
) -> str:
    """The token for a language that has none: its speech is heard as a learner hears it, so that it is heard once."""
    fitting = _fitting(train, recipe.longest_window)
    own = _in(language, fitting) or _in(language, train) or _in(language, dev)
    longest = max(with_duration(utterance).duration or 0.0 for utterance in fitting or own)
    window = shortest_window((longest + ROUNDED) / recipe.data.augment.slowest, recipe.windows)
    return choose_token(listener.whisper, listener.hear(own, window), own, recipe.text, window)


def _fitting(utterances: Sequence[Utterance], seconds: float) -> list[Utterance]:
    return [each for each in utterances if (with_duration(each).duration or 0.0) <= seconds]


def _in(language: str, utterances: Sequence[Utterance]) -> list[Utterance]:
    return [utterance for utterance in utterances if language in utterance.languages]


def _code_of(language: str, whisper: FrozenWhisper) -> str | None:
    """Whisper's own token of a language, where it has one: that of `sv-SE` is sv, of `swh` sw, of `Welsh` cy."""
    known, lower = whisper.tokens.languages, language.lower()
    codes = (language, lower, TO_LANGUAGE_CODE.get(lower), language_code(language))
    return next((code for code in codes if code in known), None)


def languages_of(utterances: Sequence[Utterance], main_only: bool = False) -> list[str]:
    """Returns the languages of utterances, each once, in order; of mixed speech all or the main one."""
    count = 1 if main_only else None
    return sorted({language for u in utterances for language in u.languages[:count]})


def _check_dev_languages(
    train: Sequence[Utterance], dev: Sequence[Utterance], main_only: bool
) -> None:
    learned = languages_of(train, main_only)
    unknown = sorted(set(languages_of(dev, main_only)) - set(learned))
    if unknown:
        raise InputError(
            f"corpus, dev: has {', '.join(unknown)}, of which train has nothing; wanted {', '.join(learned)} alone"
        )


def _spoken_in(language: str | None, utterances: list[Utterance], split: str) -> list[Utterance]:
    if language is None or not utterances:
        return utterances
    kept = [utterance for utterance in utterances if utterance.languages[0] == language]
    if not kept:
        found = languages_of(utterances, main_only=True)
        raise InputError(
            f"corpus, {split}: nothing in {language}, only in {', '.join(found)}; "
            f"if it is in {language}, say so with corpus.language"
        )
    return kept
