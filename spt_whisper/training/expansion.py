"""Add a language to a bank: what is its own trains, the shared vectors and every older language stay as they are."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning
from torch import Tensor

from spt_whisper.atomic import write_text
from spt_whisper.engines.engine import Row
from spt_whisper.engines.torch import TorchEngine
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.folders import digest_tensors
from spt_whisper.training.additions import form_of, recipe_of, start_of
from spt_whisper.training.callbacks import CHECKPOINTS
from spt_whisper.training.encoder_states import load_example
from spt_whisper.training.expansion_settings import ExpansionConfig
from spt_whisper.training.preparation import prepare
from spt_whisper.training.preparing_device import placed, preparing_device
from spt_whisper.training.quiet import quiet_libraries
from spt_whisper.training.recipe import Recipe
from spt_whisper.training.resuming import first_checkpoint
from spt_whisper.training.run import check_start, make_card, start_of_prompt, train
from spt_whisper.whisper.fingerprint import fingerprint_weights
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import single_pass

IDENTITY_FILE = "addition.json"  # in the output: what its checkpoints belong to


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
    trained_parameters: int
    init: str  # where it started
    older_files: int
    before: Evidence
    after: Evidence


@quiet_libraries()
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
    bank.folder_for(config.language)  # refused before anything trains
    form = form_of(config, bank)
    recipe, like = recipe_of(config, bank, form), form.like(bank)
    trained_on = check_start(recipe, Path(recipe.output), bank.folder)
    checkpoint = _first_checkpoint(config, recipe, like, resume)
    lightning.seed_everything(recipe.seed, verbose=False)
    whisper = FrozenWhisper.from_pretrained(recipe.model)
    like.check_base(whisper)
    device = preparing_device(whisper.model, trained_on)
    older = sorted(path for path in bank.folder.rglob("*") if path.is_file())
    with placed(whisper.model, device):
        prepared = prepare(recipe, whisper, config.language)
        probes = [load_example(e) for e in prepared.train[: config.probes]]
        before = _evidence(bank, older, whisper, probes, recipe.longest_window)
        addition = start_of(config, recipe, prepared, bank, form)
    learner = addition.learner
    start = start_of_prompt(recipe, learner)
    if checkpoint is None:
        _start_anew(Path(recipe.output), _identity(config, recipe, like))
    numbers = train(recipe, prepared, learner, checkpoint)
    card = make_card(recipe, prepared, numbers, whisper.fingerprint, start)
    folder = bank.add(addition.member(card))
    with placed(whisper.model, device):  # the same one: another device rounds otherwise
        after = _evidence(
            Bank.from_folder(bank.folder), older, whisper, probes, recipe.longest_window,
            list(bank.languages),
        )  # fmt: skip
    if before != after:
        shutil.rmtree(folder)
        raise RuntimeError(f"bank {bank.folder}: {before} became {after}; {folder} is taken out")
    # what is in the bank is finished: taken out again, it is to be learned anew
    shutil.rmtree(Path(recipe.output) / CHECKPOINTS, ignore_errors=True)
    return Expansion(folder, learner.trained_parameters, addition.init, len(older), before, after)


def _first_checkpoint(
    config: ExpansionConfig, recipe: Recipe, like: Prompt, resume: bool
) -> Path | None:
    """Where the addition goes on; never from one that was trained over other shared vectors, or from another start."""
    path, own = Path(recipe.output) / IDENTITY_FILE, _identity(config, recipe, like)
    same = path.is_file() and json.loads(path.read_text(encoding="utf-8")) == own
    checkpoint = first_checkpoint(recipe, resume) if same or resume else None
    if checkpoint is not None and not same:
        raise InputError(
            f"resume: {recipe.output} was trained over another bank or from another init; start over with another output"
        )
    return checkpoint


def _identity(config: ExpansionConfig, recipe: Recipe, like: Prompt) -> dict[str, str]:
    """What an addition is trained over, and from where."""
    shared = digest_tensors(like.vectors.named_tensors())
    return {"method": recipe.method, "init": config.init, "like": shared}


def _start_anew(output: Path, identity: dict[str, str]) -> None:
    """Removes an older addition's checkpoints, and only then names the new one: killed between, nothing resumes from them."""
    shutil.rmtree(output / CHECKPOINTS, ignore_errors=True)
    write_text(output / IDENTITY_FILE, json.dumps(identity) + "\n")


def _evidence(
    bank: Bank,
    older: Sequence[Path],
    whisper: FrozenWhisper,
    probes: Sequence[Tensor],
    window_seconds: float,
    languages: Sequence[str] | None = None,
) -> Evidence:
    """Hashes of the older files and of what the older prompts, and bare Whisper, write of the probes."""
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
