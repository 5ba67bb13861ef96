"""A training run from recipe to files: the steps in order."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import lightning
import torch

from spt_whisper.atomic import check_writable
from spt_whisper.errors import InputError
from spt_whisper.memory import naming_shortage
from spt_whisper.prompts.averaging import start_digest
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.files import Prompt
from spt_whisper.training.batch import StatesKey, windows_of
from spt_whisper.training.callbacks import BEST, CHECKPOINTS, LAST
from spt_whisper.training.data_module import SpeechDataModule
from spt_whisper.training.encoder_states import encode_once
from spt_whisper.training.faults import naming_faults
from spt_whisper.training.frozen_precision import narrowed
from spt_whisper.training.methods import METHODS, Artifact, Learner, Setup
from spt_whisper.training.preparation import PreparedData, languages_of, prepare
from spt_whisper.training.preparing_device import placed, preparing_device
from spt_whisper.training.processes import (
    check_alone,
    leave_to_first,
    naming_lost_process,
    quiet_others,
)
from spt_whisper.training.prompt_tuner import PromptTuner
from spt_whisper.training.quiet import quiet_libraries
from spt_whisper.training.recipe import Recipe
from spt_whisper.training.resuming import (
    check_kept,
    finished_artifact,
    first_checkpoint,
    plain_settings,
    write_recipe,
)
from spt_whisper.training.run_numbers import RunNumbers
from spt_whisper.training.states_store import StatesStore
from spt_whisper.training.trainer import build_trainer, keep_losses
from spt_whisper.whisper.adapted import read_model_card
from spt_whisper.whisper.attention_kernels import without_cudnn_attention
from spt_whisper.whisper.loading import FrozenWhisper

logger = logging.getLogger(__name__)
_LESS_MEMORY = (
    "set recompute to true or lower data.encoder_cache_gigabytes, and go on with --resume true; or start over with a lower "
    "data.batch_size (and a higher trainer.accumulate_grad_batches) or window_seconds"
)
_SEEN = 0.01  # share of the texts from which on a sign is more than a slip


@dataclass(frozen=True)
class FitResult:
    """What a run made."""

    artifact: Artifact
    folder: Path  # what `evaluate` takes as --prompt, --bank or --model
    numbers: RunNumbers


@quiet_libraries()
def fit(recipe: Recipe, resume: bool = False) -> FitResult:
    """Trains what the recipe says and writes it to `<output>/prompt`, `<output>/bank` or `<output>/model`.

    Args:
        recipe: the run.
        resume: go on from the last checkpoint in the output folder, if there is one.

    Raises:
        InputError: recipe, corpus or model are not what they should be, the loss is no longer finite, or an unfinished run of
            these settings would be lost.
    """
    if recipe.method not in METHODS:
        raise InputError(
            f"method {recipe.method}: trains nothing; `spt-whisper evaluate --corpus.root ...` scores bare Whisper"
        )
    output = Path(recipe.output)
    device = check_start(recipe, output)
    checkpoint = first_checkpoint(recipe, resume)
    lightning.seed_everything(recipe.seed, verbose=False)
    whisper = FrozenWhisper.from_pretrained(recipe.model)
    fingerprint = whisper.fingerprint
    with placed(whisper.model, preparing_device(whisper.model, device)):
        prepared = prepare(recipe, whisper)
        learner = build_learner(recipe, prepared)
    learner.check_output(output)
    start = start_of_prompt(recipe, learner)
    numbers = train(recipe, prepared, learner, checkpoint)
    card = make_card(recipe, prepared, numbers, fingerprint, start)
    return FitResult(METHODS[recipe.method].makes, learner.write(output, card), numbers)


def finished_fit(recipe: Recipe) -> FitResult | None:
    """Returns what `fit` has made of this recipe in its output folder, if it has ended; None: there is more to do."""
    artifact = finished_artifact(recipe)
    if artifact is None:
        return None
    folder = Path(recipe.output) / artifact
    card = _READ_CARD[artifact](folder)
    if card is None:
        return None
    return FitResult(artifact, folder, RunNumbers.among(card.training))


_READ_CARD: dict[Artifact, Callable[[Path], PromptCard | None]] = {
    "prompt": lambda folder: Prompt.from_folder(folder).card,
    "bank": lambda folder: Bank.from_folder(folder).common_card,
    "model": read_model_card,
}


def check_start(recipe: Recipe, *written: Path) -> torch.device:
    """Refuses what a run could not go through with, before anything takes time, and leaves the log lines to one process.

    Args:
        recipe: the run.
        written: folders to which it will write.

    Returns:
        On what it will train.

    Raises:
        InputError: wrong settings of the trainer, or a second run after one on several processes.
        OSError: a folder cannot be written.
    """
    check_alone()
    check_kept(recipe)
    trainer, _ = build_trainer(recipe, Path(recipe.output))
    quiet_others(trainer)
    for folder in written:
        check_writable(folder)
    return trainer.strategy.root_device


def start_of_prompt(recipe: Recipe, learner: Learner) -> str | None:
    """Returns the digest of a prompt that has not trained yet; None where the run ends as a bank or a model."""
    is_prompt = METHODS[recipe.method].makes == "prompt"
    return start_digest(learner.vectors(())) if is_prompt else None


def build_learner(recipe: Recipe, prepared: PreparedData) -> Learner:
    """Returns what the recipe's method trains, at its start."""
    generator = torch.Generator().manual_seed(recipe.seed)
    method = METHODS[recipe.method]
    spoken = languages_of([e.utterance for e in prepared.train], method.main_language_only)
    codes = {language: prepared.builder.codes[language] for language in spoken}
    setup = Setup(recipe, prepared.listener, prepared.train, codes, generator)
    return method.build(setup)


def train(
    recipe: Recipe, prepared: PreparedData, learner: Learner, checkpoint: Path | None = None
) -> RunNumbers:
    """Runs the training loop; the learner ends as it ended (or at its best, with early stopping).

    Of several processes only the first returns; the others end here.

    Args:
        recipe: the run.
        prepared: what it learns from.
        learner: what it trains, at its start.
        checkpoint: go on from here.

    Raises:
        InputError: there is too little memory, the loss is no longer finite, the checkpoint is damaged, or another process
            of the run has ended.
        TerminatedError: SIGTERM came; there is a checkpoint.
    """
    output, whisper = Path(recipe.output), prepared.whisper
    logger.info(
        "%s trains %s parameters, stores %s; Whisper has %s",
        recipe.method, f"{learner.trained_parameters:,}", f"{learner.stored_parameters:,}",
        f"{whisper.model.num_parameters():,}",
    )  # fmt: skip
    tuner = PromptTuner(
        whisper, learner, recipe.optimizer, recipe.data.augment, recipe.recompute, recipe.seed
    )
    trainer, watch = build_trainer(recipe, output, len(prepared.train))
    _ = whisper.fingerprint  # taken before the weights lose digits
    with (
        naming_faults(output / CHECKPOINTS / f"{LAST}.ckpt"),
        naming_lost_process(trainer),
        naming_shortage("training", _LESS_MEMORY),
        narrowed(whisper.model, str(trainer.precision)),
        without_cudnn_attention(),
    ):
        whisper.model.to(trainer.strategy.root_device)
        with trainer.precision_plugin.forward_context():
            states = _states(recipe, prepared, learner)
        data = SpeechDataModule(prepared.train, prepared.dev, prepared.builder, states, recipe.data)
        if trainer.is_global_zero:
            if checkpoint is None:  # another run's must never be taken for this one's
                shutil.rmtree(output / CHECKPOINTS, ignore_errors=True)
            else:
                keep_losses(output)
            write_recipe(recipe)
        trainer.fit(tuner, data, ckpt_path=checkpoint, weights_only=True)
    leave_to_first(trainer)
    if recipe.early_stopping is not None:
        best = torch.load(
            output / CHECKPOINTS / f"{BEST}.ckpt", map_location="cpu", weights_only=True
        )
        tuner.load_state_dict(best["state_dict"])
    return watch.numbers(trainer, learner, len(prepared.train))


def make_card(
    recipe: Recipe,
    prepared: PreparedData,
    numbers: RunNumbers,
    fingerprint: str,
    start: str | None = None,
) -> PromptCard:
    """Returns the card of what a run made.

    Args:
        recipe: the run.
        prepared: what it learned from.
        numbers: what it cost and where it ended.
        fingerprint: of Whisper's weights before the run.
        start: digest of the prompt's start, by which prompts that may be averaged are known.
    """
    whisper, train = prepared.whisper, prepared.train
    codes = {example.codes for example in train}
    return PromptCard(
        base=whisper.name,
        fingerprint=fingerprint,
        shape=whisper.shape,
        languages=tuple(languages_of([example.utterance for example in train])),
        language_tokens=train[0].codes if len(codes) == 1 else (),
        codes={k: tuple(v) for k, v in prepared.builder.codes.items()},
        windows=windows_of(train),
        method=recipe.method,
        signs=_signs(prepared),
        text=asdict(recipe.text),
        key=prepared.key,
        recipe=plain_settings(recipe),
        training={
            "hours": round(sum(example.duration for example in train) / 3600, 3),
            **asdict(numbers),
            **({"start": start} if start else {}),
        },
        provenance=prepared.provenance,
    )


def _signs(prepared: PreparedData) -> tuple[int, ...]:
    """The tokens of Whisper's list of what it never writes that more than a few of the training texts have."""
    listed = set(prepared.whisper.vocabulary.suppressed)
    texts = Counter(
        token for example in prepared.train for token in listed.intersection(example.text)
    )
    return tuple(sorted(t for t, count in texts.items() if count >= _SEEN * len(prepared.train)))


def _states(
    recipe: Recipe, prepared: PreparedData, learner: Learner
) -> dict[StatesKey, torch.Tensor]:
    """Encoder states that never change; none where the encoder learns or its input is augmented."""
    whisper, data = prepared.whisper, recipe.data
    if learner.on_encoder or data.augment.changes_audio:
        if data.states_store:
            logger.warning(
                "data.states_store: not used, since encoder states change with what trains or with augmentation"
            )
        return {}
    store = None
    if data.states_store:
        store = StatesStore(
            data.states_store, data.states_store_gigabytes, whisper.fingerprint, whisper.shape.width, whisper.dtype,
        )  # fmt: skip
    return encode_once(
        whisper, [*prepared.train, *prepared.dev], data.encoder_cache_gigabytes, store
    )
