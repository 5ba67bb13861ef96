"""A training run from recipe to prompt: the steps in order."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
import yaml
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from spt_whisper.atomic import write_text
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError
from spt_whisper.features import log_mel
from spt_whisper.prompts.files import Prompt, PromptCard
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.training.batch import Example, ExampleBuilder
from spt_whisper.training.callbacks import BEST, LAST, RunNumbers, RunWatch, callbacks
from spt_whisper.training.data_module import SpeechDataModule
from spt_whisper.training.encoder_states import encode_audio, encode_once, load_example
from spt_whisper.training.prompt_tuner import PromptTuner
from spt_whisper.training.recipe import Recipe
from spt_whisper.whisper.capture import capture_start
from spt_whisper.whisper.language import detect_languages
from spt_whisper.whisper.loading import FrozenWhisper

logger = logging.getLogger(__name__)
_HEARD = 32  # utterances from which the language token is chosen, and the start is captured

TRAINER_DEFAULTS: dict[str, Any] = {
    "max_epochs": 5,
    "gradient_clip_val": 1.0,
    "accelerator": "auto",
    "devices": 1,
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 5,
    "enable_model_summary": False,
}


@dataclass(frozen=True)
class FitResult:
    """What a run made."""

    prompt: Prompt
    folder: Path
    numbers: RunNumbers


def fit(recipe: Recipe, resume: bool = False) -> FitResult:
    """Trains a prompt as the recipe says and writes it to `<output>/prompt`.

    Args:
        recipe: the run.
        resume: go on from the last checkpoint in the output folder, if there is one.

    Raises:
        InputError: recipe, corpus or model are not what they should be, or the loss is no longer finite.
    """
    output = Path(recipe.output)
    checkpoint = _checkpoint(output, recipe, resume)
    lightning.seed_everything(recipe.seed, verbose=False)
    whisper = FrozenWhisper.from_pretrained(recipe.model)
    train, dev = read_split(recipe.corpus, "train"), _dev_part(recipe.corpus)
    if recipe.early_stopping is not None and not dev:
        raise InputError("early_stopping: needs a dev part to watch; name one with corpus.dev")
    languages = tuple(recipe.languages) or choose_language(whisper, train, recipe.window_seconds)
    builder = ExampleBuilder(
        whisper.tokens, languages, recipe.prompt.decoder_positions, recipe.window_seconds,
        recipe.data.timestamps_share, recipe.seed,
    )  # fmt: skip
    train_examples = builder.examples(train, [recipe.text.apply(u.text) for u in train], "train")
    dev_examples = (
        builder.examples(dev, [recipe.text.apply(u.text) for u in dev], "dev") if dev else []
    )
    tuner = _tuner(recipe, whisper, builder, train_examples)
    trainer, watch = _trainer(recipe, output)
    whisper.model.to(trainer.strategy.root_device)
    data = SpeechDataModule(
        train_examples, dev_examples, builder,
        _states(recipe, whisper, [*train_examples, *dev_examples]), recipe.data,
    )  # fmt: skip
    if checkpoint is None:  # of another run: resuming must never take them for this one's
        shutil.rmtree(output / "checkpoints", ignore_errors=True)
    _write_recipe(recipe, output)
    trainer.fit(tuner, data, ckpt_path=checkpoint, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    if recipe.early_stopping is not None:
        best = torch.load(output / "checkpoints" / f"{BEST}.ckpt", weights_only=True)
        tuner.load_state_dict(best["state_dict"])
    numbers = watch.numbers(trainer)
    prompt = _prompt(recipe, tuner, languages, train_examples, numbers)
    return FitResult(prompt, prompt.save_pretrained(output / "prompt"), numbers)


def choose_language(
    whisper: FrozenWhisper, utterances: Sequence[Utterance], window_seconds: float
) -> tuple[str]:
    """Returns the language token that Whisper hears most in the first utterances."""
    heard: Counter[str] = Counter()
    builder = ExampleBuilder(whisper.tokens, ("en",), 0, window_seconds)
    examples = builder.examples(utterances[:_HEARD], [u.text for u in utterances[:_HEARD]], "train")
    for example in examples:
        heard.update(
            detect_languages(
                whisper,
                encode_audio(whisper, [load_example(example, window_seconds)], window_seconds),
            )
        )
    language = heard.most_common(1)[0][0]
    logger.info(
        "language token: <|%s|>, heard in %d of %d utterances",
        language,
        heard[language],
        len(examples),
    )
    return (language,)


def _dev_part(corpus: CorpusConfig) -> list[Utterance]:
    """The dev split; a corpus without one trains without watching."""
    return read_split(corpus, "dev") if corpus.dev else []


def _checkpoint(output: Path, recipe: Recipe, resume: bool) -> Path | None:
    if not resume:
        return None
    checkpoint, saved = output / "checkpoints" / f"{LAST}.ckpt", output / "recipe.yaml"
    if not checkpoint.is_file():
        logger.warning("resume: no checkpoint in %s yet; starting from the beginning", output)
        return None
    before = yaml.safe_load(saved.read_text(encoding="utf-8")) if saved.is_file() else {}
    changed = [
        key
        for key, value in _plain(recipe).items()
        if key != "trainer" and before.get(key) != value
    ]
    if changed:
        raise InputError(
            f"resume: {output} was trained with other settings of {', '.join(changed)}; "
            "restore them, or start anew with another output"
        )
    return checkpoint


def _tuner(
    recipe: Recipe, whisper: FrozenWhisper, builder: ExampleBuilder, examples: Sequence[Example]
) -> PromptTuner:
    generator = torch.Generator().manual_seed(recipe.seed)
    captured = (
        _captured(recipe, whisper, builder, examples) if recipe.prompt.start == "capture" else None
    )
    start = start_vectors(recipe.prompt, whisper.shape, generator, captured)
    prompt = SoftPrompt(recipe.prompt, start, generator)
    logger.info(
        "trains %s numbers, stores %s; Whisper's %s stay frozen",
        f"{prompt.trained_numbers:,}", f"{prompt.stored_numbers:,}", f"{whisper.model.num_parameters():,}",
    )  # fmt: skip
    return PromptTuner(whisper, prompt, recipe.optimizer, recipe.window_seconds)


def _captured(
    recipe: Recipe, whisper: FrozenWhisper, builder: ExampleBuilder, examples: Sequence[Example]
) -> dict[str, torch.Tensor]:
    """Starting vectors from training speech and its text."""
    if recipe.prompt.sites == ("feed_forward",):
        return {}
    sample = examples[:_HEARD]
    waveforms = [load_example(example, recipe.window_seconds) for example in sample]
    features = log_mel(waveforms, recipe.window_seconds, whisper.config.num_mel_bins)
    plain = ExampleBuilder(whisper.tokens, builder.languages, 0, recipe.window_seconds)
    inputs = [torch.tensor(plain.inputs_and_labels(example, 0)[0]) for example in sample]
    tokens = torch.nn.utils.rnn.pad_sequence(
        inputs, batch_first=True, padding_value=whisper.tokens.end
    )
    return capture_start(whisper, recipe.prompt, features, tokens)


def _states(
    recipe: Recipe, whisper: FrozenWhisper, examples: Sequence[Example]
) -> dict[str, torch.Tensor]:
    if "encoder" in recipe.prompt.sides:
        return {}
    return encode_once(
        whisper, examples, recipe.window_seconds, recipe.data.encoder_cache_gigabytes
    )


def _trainer(recipe: Recipe, output: Path) -> tuple[lightning.Trainer, RunWatch]:
    reserved = {"callbacks", "logger", "default_root_dir"} & set(recipe.trainer)
    if reserved:
        raise InputError(f"trainer: {', '.join(sorted(reserved))} are set by fit; leave them out")
    watch = RunWatch()
    loggers = [
        CSVLogger(output, name="logs", version="csv"),
        TensorBoardLogger(output, name="logs", version="tensorboard"),
    ]
    settings = {"precision": fastest_precision(), **TRAINER_DEFAULTS, **recipe.trainer}
    try:
        trainer = lightning.Trainer(
            **settings,
            callbacks=[*callbacks(output / "checkpoints", recipe.early_stopping), watch],
            logger=loggers,
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"trainer: {' '.join(str(error).split())}") from error
    return trainer, watch


def fastest_precision() -> str:
    """Returns `bf16-mixed` where the processor or GPU multiplies bfloat16 in hardware, else `32-true`."""
    if torch.cuda.is_available():
        return (
            "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
        )
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16-mixed" if native else "32-true"


def _plain(recipe: Recipe) -> dict[str, Any]:
    """The recipe as YAML can hold it."""
    plain: dict[str, Any] = yaml.safe_load(
        yaml.safe_dump(asdict(recipe), allow_unicode=True, sort_keys=False)
    )
    return plain


def _write_recipe(recipe: Recipe, output: Path) -> None:
    write_text(
        output / "recipe.yaml", yaml.safe_dump(_plain(recipe), allow_unicode=True, sort_keys=False)
    )


def _prompt(
    recipe: Recipe,
    tuner: PromptTuner,
    languages: tuple[str, ...],
    examples: Sequence[Example],
    numbers: RunNumbers,
) -> Prompt:
    whisper = tuner.whisper
    spoken = sorted({code for example in examples for code in example.utterance.languages})
    card = PromptCard(
        base=whisper.name,
        fingerprint=whisper.fingerprint,
        shape=whisper.shape,
        languages=tuple(spoken),
        language_tokens=languages,
        window_seconds=recipe.window_seconds,
        text=asdict(recipe.text),
        recipe=_plain(recipe),
        training={
            "utterances": len(examples),
            "hours": round(sum(example.duration for example in examples) / 3600, 3),
            "trained_numbers": tuner.prompt.trained_numbers,
            "stored_numbers": tuner.prompt.stored_numbers,
            **asdict(numbers),
        },
    )
    return Prompt(recipe.prompt, tuner.prompt.fold(), card, str(Path(recipe.output) / "prompt"))
