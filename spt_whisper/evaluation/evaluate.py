"""Score a corpus with bare Whisper and with a prompt, under the same guards."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from spt_whisper.audio import SAMPLE_RATE, WINDOW_SECONDS, load_audio
from spt_whisper.corpora import read_dev, read_split, with_duration
from spt_whisper.corpora.rows import is_writable
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.engines.engine import Row, RowResult
from spt_whisper.errors import InputError, first_of
from spt_whisper.evaluation.learned import Learned, bare_name, read_learned
from spt_whisper.evaluation.paired import compare_with_first
from spt_whisper.evaluation.report import Report
from spt_whisper.evaluation.settings import ZERO_SHOT, EvaluateConfig
from spt_whisper.evaluation.shards import decode_in_processes
from spt_whisper.evaluation.system_score import SystemScore, score_system
from spt_whisper.prompts.base import base_for
from spt_whisper.prompts.card import MIX
from spt_whisper.text.normalization import TextProcessing, get_normalizer
from spt_whisper.transcription.transcriber import Whisper

_COMPOSED = TextProcessing()

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ZeroShot:
    """How bare Whisper is asked: the language, or several as `zh+en` (None: what it hears), and the window in seconds."""

    language: str | None
    window_seconds: float

    def __str__(self) -> str:
        return f"language {self.language or 'auto'}, window {self.window_seconds:g} s"


def scored_utterances(config: EvaluateConfig) -> list[Utterance]:
    """Returns the utterances that are scored: those of the split that have at most 30 s.

    Raises:
        InputError: the corpus is not what it should be, or there are none.
    """
    return _fitting(read_split(config.corpus, config.split), config.split)


def evaluate(config: EvaluateConfig, utterances: Sequence[Utterance] | None = None) -> Report:
    """Scores bare Whisper and what was learned, as far as the settings want them, on the same utterances.

    Args:
        config: what is scored, with what, and how.
        utterances: what `scored_utterances` gave, where the caller has it; else it is read here.

    Raises:
        InputError: there is nothing to score with, or nothing to score.
    """
    learned = read_learned(config.prompt, config.bank, config.model)
    if learned is None and not config.zero_shot:
        raise InputError(
            "evaluate: nothing to score; give --prompt, --bank, an adapted --model, or --zero_shot true"
        )
    scorer = _Scorer(config, learned)
    # the folder by its name: reports are published, and paths tell of their machine
    corpus = {**asdict(config.corpus), "root": Path(config.corpus.root).resolve().name}
    _check_names({**corpus, "model": scorer.name, "prompt": learned.name if learned else None})
    utterances = scored_utterances(config) if utterances is None else utterances
    utterances, rows = _heard(utterances, config.split)
    systems, used = [], {}
    own = []
    if learned:
        own = [learned.row(row, utterance) for row, utterance in zip(rows, utterances, strict=True)]
        scorer.check(learned, own)
        _count_longer(learned, own)
    if config.zero_shot:
        way = scorer.best_zero_shot()
        used[ZERO_SHOT] = str(way)
        systems.append(scorer.score_bare(ZERO_SHOT, utterances, rows, way))
    if learned:
        used[learned.system] = learned.name
        systems.append(scorer.score(learned.system, utterances, own, learned.model))
    settings = {
        "systems": used,
        "digests": learned.digests if learned else {},
        "corpus": {**corpus, "split": config.split},
        "model": scorer.name,
        "decoding": asdict(config.decoding),
        "resamples": config.resamples,
        "seed": config.seed,
    }
    comparisons = compare_with_first(systems, config.resamples, config.seed)
    whole = corpus["root"] if config.corpus.is_one_file else f"{corpus['root']} ({config.part})"
    return Report(whole, scorer.normalizer.name, systems, settings, comparisons)


class _Scorer:
    """What all systems of one report share: the models, the normalizer, the guards."""

    def __init__(self, config: EvaluateConfig, learned: Learned | None) -> None:
        self.config = config
        self.card = learned.card if learned else None
        self.normalizer = get_normalizer(config.normalizer)
        self.name = bare_name(learned.model if learned else base_for(config.model, ()))
        self._loaded: dict[str, Whisper] = {}

    def whisper(self, name: str) -> Whisper:
        """Returns a model, loaded where something is scored with it."""
        if name not in self._loaded:
            self._loaded[name] = Whisper.from_pretrained(name)
        return self._loaded[name]

    def score(
        self,
        name: str,
        utterances: Sequence[Utterance],
        rows: Sequence[Row],
        model: str,
        window: float | None = None,
        processes: int | None = None,
    ) -> SystemScore:
        """Decodes rows of audio and scores them against the utterances' texts."""
        config = self.config
        results = self._decode(rows, model, window, processes or config.processes)
        stopped = sum(result.hypothesis.stopped_by != "end" for result in results)
        if stopped:
            logger.info("%s: a guard stopped %d of %d utterances", name, stopped, len(results))
        # letters composed, as a prompt is taught them: `raw` tells no é from another
        references = [replace(u, text=_COMPOSED.apply(u.text)) for u in utterances]
        texts = [_COMPOSED.apply(result.hypothesis.text) for result in results]
        return score_system(name, references, texts, self.normalizer, config.resamples, config.seed)

    def check(self, learned: Learned, rows: Sequence[Row]) -> None:
        """Refuses prompts of another Whisper before anything is decoded.

        Raises:
            InputError: names the prompt.
        """
        frozen = self.whisper(learned.model).frozen
        for prompt in {id(row.prompt): row.prompt for row in rows if row.prompt}.values():
            prompt.check_base(frozen)

    def _decode(
        self, rows: Sequence[Row], model: str, window: float | None, processes: int
    ) -> list[RowResult]:
        config = self.config
        if processes > 1:
            return decode_in_processes(
                model, rows, config.decoding, window, config.batch_size, processes
            )
        return self.whisper(model).decode(rows, config.decoding, window, config.batch_size)

    def score_bare(
        self,
        name: str,
        utterances: Sequence[Utterance],
        rows: Sequence[Row],
        way: ZeroShot,
        processes: int | None = None,
    ) -> SystemScore:
        """Scores Whisper without a prompt."""
        codes = tuple(way.language.split(MIX)) if way.language else None
        bare = [replace(row, languages=codes) for row in rows]
        return self.score(name, utterances, bare, self.name, way.window_seconds, processes)

    def best_zero_shot(self) -> ZeroShot:
        """Returns the way of asking bare Whisper that has the lowest error rate on dev; without a dev part, the first."""
        config, card = self.config, self.card
        taught = card.language_tokens if card else ()
        mix = [MIX.join(taught)] if taught else []  # all at once, as what was learned is asked
        languages = dict.fromkeys([*config.languages, *mix, *taught[:1]])
        windows = dict.fromkeys(
            [float(WINDOW_SECONDS), *config.windows, *([card.window_seconds] if card else [])]
        )
        for code in itertools.chain.from_iterable(way.split(MIX) for way in languages):
            self.whisper(self.name).frozen.tokens.language(code)
        ways = [ZeroShot(*way) for way in itertools.product([*languages, None], windows)]
        if len(ways) == 1:
            return ways[0]
        scored = config.split == "dev" or config.corpus.is_one_file
        utterances = [] if scored else read_dev(config.corpus)
        if not utterances:
            why = "has no dev part" + (" beside what is scored" if scored else "")
            logger.info("%s %s: zero-shot with %s", config.corpus.root, why, ways[0])
            return ways[0]
        dev, rows = _heard(_spread(_fitting(utterances, "dev"), config.dev_limit), "dev")
        # in this process: some utterances are not worth the start of others
        rates = {way: self.score_bare(str(way), dev, rows, way, processes=1).rate for way in ways}
        for way, rate in rates.items():
            logger.info("zero-shot on dev, %s: error rate %.1f %%", way, 100 * rate)
        return min(ways, key=lambda way: rates[way])


def _check_names(settings: Mapping[str, object]) -> None:
    """Refuses a name that no report can hold: those of files may have any bytes.

    Raises:
        InputError: names the setting.
    """
    for setting, value in settings.items():
        if not is_writable(json.dumps(value, ensure_ascii=False)):
            raise InputError(
                f"{setting}: found {value!r}, wanted a name in UTF-8, as the report is; rename the folder"
            )


def _fitting(utterances: Sequence[Utterance], split: str) -> list[Utterance]:
    """Utterances of at most 30 s; longer ones are named."""
    timed = [with_duration(utterance) for utterance in utterances]
    return _kept(timed, [(u.duration or 0.0) <= WINDOW_SECONDS for u in timed], split)


def _heard(utterances: Sequence[Utterance], split: str) -> tuple[list[Utterance], list[Row]]:
    """Utterances with their audio; those whose audio is longer than the corpus says, and than 30 s, are left out."""
    rows = [Row(load_audio(u.audio, u.start, u.end)) for u in utterances]
    fits = [row.waveform.shape[0] <= WINDOW_SECONDS * SAMPLE_RATE for row in rows]
    kept = _kept(utterances, fits, split)
    return kept, list(itertools.compress(rows, fits))


def _count_longer(learned: Learned, rows: Sequence[Row]) -> None:
    """Says how many utterances are longer than the windows of what is scored."""
    longest = [(row.prompt.card if row.prompt else learned.card).window_seconds for row in rows]
    longer = sum(row.seconds > window for row, window in zip(rows, longest, strict=True))
    if longer:
        logger.warning(
            "%s: %d of %d utterances are longer than the windows it was trained with, and get one of %d s, which it has "
            "not seen; --corpus.max_seconds %g leaves them out",
            learned.system,
            longer,
            len(rows),
            WINDOW_SECONDS,
            max(longest),
        )


def _kept(utterances: Sequence[Utterance], fits: Sequence[bool], split: str) -> list[Utterance]:
    """Those that fit a window; the others are named."""
    dropped = [u.id for u, fit in zip(utterances, fits, strict=True) if not fit]
    if dropped:
        logger.warning(
            "corpus, %s: %d utterances over 30 s are not scored: %s",
            split,
            len(dropped),
            first_of(dropped),
        )
    if not any(fits):
        raise InputError(f"corpus, {split}: no utterance of at most {WINDOW_SECONDS} s")
    return list(itertools.compress(utterances, fits))


def _spread(utterances: Sequence[Utterance], limit: int) -> list[Utterance]:
    """So many utterances, of each language in turn, in their order."""
    of_language: dict[str, list[int]] = {}
    for place, utterance in enumerate(utterances):
        of_language.setdefault(utterance.languages[0], []).append(place)
    turns = itertools.chain.from_iterable(itertools.zip_longest(*of_language.values()))
    chosen = [place for place in turns if place is not None][:limit]
    return [utterances[place] for place in sorted(chosen)]
