"""Add a language to a bank: its own part trains, the shared vectors and every older part stay as they are."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch
from torch import Tensor

from spt_whisper.atomic import write_text
from spt_whisper.engines.engine import Row
from spt_whisper.engines.torch import TorchEngine
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank, language_folder
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.folders import digest_tensors
from spt_whisper.prompts.language_aware import LanguageAwarePrompt, start_part
from spt_whisper.prompts.language_part import LanguagePart
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.training.batch import Example, collate
from spt_whisper.training.callbacks import CHECKPOINTS
from spt_whisper.training.data_module import ExampleSet
from spt_whisper.training.encoder_states import load_example
from spt_whisper.training.epoch_batches import Draw
from spt_whisper.training.expansion_settings import ExpansionConfig
from spt_whisper.training.methods.lapt import LanguageAwareLearner, single_tokens
from spt_whisper.training.methods.learner import Setup
from spt_whisper.training.preparation import Parts, prepare
from spt_whisper.training.prompt_tuner import PromptTuner
from spt_whisper.training.recipe import Recipe
from spt_whisper.training.resuming import first_checkpoint
from spt_whisper.training.run import check_start, make_card, train
from spt_whisper.training.start import Heard, expected_embedding
from spt_whisper.training.window_batches import by_window
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import single_pass

logger = logging.getLogger(__name__)
_TRIED = 32  # utterances on which two starts are compared
_BATCH = 8


@dataclass(frozen=True)
class Evidence:
    """What must be the same before and after: hashes over all older files, transcripts and Whisper's weights."""

    files: str
    transcripts: str
    weights: str


@dataclass(frozen=True)
class Expansion:
    """What the addition of a language made."""

    folder: Path
    trained_numbers: int
    init: str  # where the part started
    older_files: int
    before: Evidence
    after: Evidence


def add_language(config: ExpansionConfig, resume: bool = False) -> Expansion:
    """Learns a language and writes its folder into the bank, as the last step and whole or not at all.

    Args:
        config: the language, the bank, the corpus.
        resume: go on from the last checkpoint in the output folder, if there is one.

    Raises:
        InputError: bank, corpus or model are not what they should be, or the language is there already.
        RuntimeError: something older has changed; the new folder is taken out again.
    """
    bank = Bank.from_folder(Path(config.bank))
    shared = _shared_of(bank, config.language)
    recipe = _recipe(config, bank, shared)
    check_start(recipe, Path(recipe.output), bank.folder)
    checkpoint = _first_checkpoint(config, recipe, shared, resume)
    lightning.seed_everything(recipe.seed, verbose=False)
    whisper = FrozenWhisper.from_pretrained(recipe.model)
    shared.check_base(whisper.name, whisper.fingerprint, whisper.shape, whisper.quantized)
    parts = prepare(recipe, whisper, config.language)
    probes = [load_example(e) for e in parts.train[: config.probes]]
    older = sorted(path for path in bank.folder.rglob("*") if path.is_file())
    before = _evidence(bank, older, whisper, probes, recipe.longest_window)
    learner, init = _learner(config, recipe, parts, bank, shared)
    numbers = train(recipe, parts, learner, checkpoint)
    part = learner.part(config.language, make_card(recipe, parts, numbers, whisper.fingerprint))
    folder = bank.add(part)
    after = _evidence(
        Bank.from_folder(bank.folder), older, whisper, probes, recipe.longest_window,
        list(bank.languages),
    )  # fmt: skip
    if before != after:
        shutil.rmtree(folder)
        raise RuntimeError(f"bank {bank.folder}: {before} became {after}; {folder} is taken out")
    # what is in the bank is finished: taken out again, it is to be learned anew
    shutil.rmtree(Path(recipe.output) / CHECKPOINTS, ignore_errors=True)
    return Expansion(folder, learner.trained_numbers, init, len(older), before, after)


def nearest_language(bank: Bank, heard: Heard) -> str:
    """Returns the language of the bank that sounds most alike to bare Whisper (cosine of mean log-posteriors)."""

    def likeness(language: str) -> float:
        key = bank.card(language).key
        if key is None:
            return -1.0
        other = torch.tensor(key.log_posterior)
        return float(torch.cosine_similarity(heard.log_posterior, other, dim=0))

    return max(bank.parts, key=likeness)


def _shared_of(bank: Bank, language: str) -> Prompt:
    if bank.shared is None:
        raise InputError(
            f"bank {bank.folder}: its prompts share nothing to which a language could be added; "
            "wanted a bank of method lapt"
        )
    target = language_folder(bank.folder, language)
    if language in bank.languages or target.exists():
        raise InputError(
            f"bank {bank.folder}: has {language} already; remove {target} to learn it anew"
        )
    return bank.shared


def _first_checkpoint(
    config: ExpansionConfig, recipe: Recipe, shared: Prompt, resume: bool
) -> Path | None:
    """Where the addition goes on; never from a part that was trained over other shared vectors, or from another start."""
    path = Path(recipe.output) / "addition.json"
    own = {"shared": digest_tensors(shared.vectors.named_tensors()), "init": config.init}
    same = path.is_file() and json.loads(path.read_text(encoding="utf-8")) == own
    checkpoint = first_checkpoint(recipe, resume) if same or resume else None
    if checkpoint is None:
        # an older addition's go first: killed here, the next call must not resume from them
        shutil.rmtree(path.parent / CHECKPOINTS, ignore_errors=True)
        write_text(path, json.dumps(own) + "\n")
    elif not same:
        raise InputError(
            f"resume: {recipe.output} was trained over another bank or from another init; start anew with another output"
        )
    return checkpoint


def _recipe(config: ExpansionConfig, bank: Bank, shared: Prompt) -> Recipe:
    """The run as a recipe: what the bank settles, and what the settings add."""
    from spt_whisper.text.normalization import TextProcessing

    parts: Sequence[LanguagePart] = list(bank.parts.values())
    # those that its recipe allowed: the new language may need one that the others did not
    windows = shared.card.recipe.get("window_seconds", list(shared.card.windows))
    return Recipe(
        corpus=config.corpus,
        method="lapt",
        model=config.model or shared.card.base,
        output=config.output or f"runs/add-{config.language}",
        languages={config.language: config.tokens} if config.tokens else [],
        window_seconds=windows,
        prompt=shared.config.folded,
        lapt=parts[0].aware,
        text=TextProcessing.of_card(shared.card.text),
        optimizer=config.optimizer,
        data=config.data,
        early_stopping=config.early_stopping,
        recompute=config.recompute,
        seed=config.seed,
        trainer=config.trainer,
    )


def _learner(
    config: ExpansionConfig, recipe: Recipe, parts: Parts, bank: Bank, shared: Prompt
) -> tuple[LanguageAwareLearner, str]:
    """The language's part at its start over frozen shared vectors, and the name of that start."""
    generator = torch.Generator().manual_seed(recipe.seed)
    codes = {config.language: parts.builder.codes[config.language]}
    setup = Setup(recipe, parts.whisper, parts.train, codes, generator)
    single_tokens(setup)
    heard = setup.hear(config.language)
    token = expected_embedding(parts.whisper, heard)
    zero = start_part(recipe.prompt, recipe.lapt, parts.whisper.shape, generator, token)

    def learner(part: dict[str, Tensor]) -> LanguageAwareLearner:
        vectors = SoftPrompt(recipe.prompt, shared.vectors).requires_grad_(False)
        prompt = LanguageAwarePrompt(vectors, recipe.lapt, {config.language: part})
        return LanguageAwareLearner(prompt, setup, {config.language: heard})

    starts = {"zero": learner(zero)}
    if config.init != "zero":
        name = nearest_language(bank, heard) if config.init in ("auto", "nearest") else config.init
        if name not in bank.parts:
            raise InputError(
                f"init: found {name!r}; wanted auto, zero, nearest or one of {', '.join(bank.parts)}"
            )
        own = {key: value for key, value in zero.items() if "language" in key}
        starts[name] = learner({**bank.parts[name].tensors, **own})
        if config.init != "auto":
            del starts["zero"]
    losses = {name: _loss(start, recipe, parts) for name, start in starts.items()}
    for name, loss in losses.items():
        logger.info("start %s: loss %.3f before training", name, loss)
    best = min(losses, key=lambda name: losses[name])
    return starts[best], best


def _loss(learner: LanguageAwareLearner, recipe: Recipe, parts: Parts) -> float:
    """Mean loss over the first utterances of dev (of train where there is no dev)."""
    examples: list[Example] = (parts.dev or parts.train)[:_TRIED]
    data = ExampleSet(examples, parts.builder, {})
    tuner = PromptTuner(parts.whisper, learner, recipe.optimizer).eval()
    losses = []
    for indices in by_window(range(len(examples)), lambda index: examples[index].window, _BATCH):
        items = [data[Draw(0, index)] for index in indices]
        losses.append(tuner.loss_on(collate(items, parts.builder.tokens.end)) * len(items))
    return sum(losses) / len(examples)


def _evidence(
    bank: Bank,
    older: Sequence[Path],
    whisper: FrozenWhisper,
    probes: Sequence[Tensor],
    window_seconds: float,
    languages: Sequence[str] | None = None,
) -> Evidence:
    """Hashes of the older files and of what the older prompts, and bare Whisper, write of the probes."""
    from spt_whisper.whisper.fingerprint import fingerprint_weights

    engine, texts = TorchEngine(whisper), []
    for language in [None, *(languages or bank.languages)]:
        prompt = bank.prompt(language) if language else None
        rows = [Row(waveform, prompt) for waveform in probes]
        results = engine.decode_batch(rows, window_seconds, single_pass()) if rows else []
        texts.append([language, *(result.hypothesis.text for result in results)])
    files = [
        [str(path.relative_to(bank.folder)), hashlib.sha256(path.read_bytes()).hexdigest()]
        for path in older
    ]
    return Evidence(_digest(files), _digest(texts), fingerprint_weights(whisper.model))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()
