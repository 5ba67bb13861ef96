"""Add a language to a bank: what is its own trains, the shared vectors and every older language stay as they are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lightning

from spt_whisper.atomic import write_text
from spt_whisper.errors import InputError, first_of
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.folders import digest_tensors
from spt_whisper.training.additions import form_of, recipe_of, start_of
from spt_whisper.training.callbacks import CHECKPOINTS
from spt_whisper.training.encoder_states import load_example
from spt_whisper.training.evidence import Evidence, check_same, evidence_of, older_files
from spt_whisper.training.expansion_settings import ExpansionConfig
from spt_whisper.training.preparation import prepare
from spt_whisper.training.preparing_device import placed, preparing_device
from spt_whisper.training.quiet import quiet_libraries
from spt_whisper.training.recipe import Recipe
from spt_whisper.training.resuming import first_checkpoint
from spt_whisper.training.run import check_start, make_card, start_of_prompt, train
from spt_whisper.whisper.loading import FrozenWhisper

IDENTITY_FILE = "addition.json"  # in the output: what its checkpoints belong to


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
        InputError: bank, corpus or model are not what they should be, the language is there already, or somebody changed the bank
            while it trained.
        RuntimeError: older transcripts or Whisper's weights have changed; the new folder is taken out again.
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
    older = older_files(bank.folder)
    with placed(whisper.model, device):
        prepared = prepare(recipe, whisper, config.language)
        probes = [load_example(e) for e in prepared.train[: config.probes]]
        before = evidence_of(bank, older, whisper, probes, recipe.longest_window, bank.languages)
        addition = start_of(config, recipe, prepared, bank, form)
    start = start_of_prompt(recipe, addition.learner)
    if checkpoint is None:
        _start_anew(Path(recipe.output), _identity(config, recipe, like))
    numbers = train(recipe, prepared, addition.learner, checkpoint)
    card = make_card(recipe, prepared, numbers, whisper.fingerprint, start)
    _unchanged(config, recipe, older)
    folder = bank.add(addition.member(card))
    with _taking_out(folder), placed(whisper.model, device):  # another device rounds otherwise
        now = _unchanged(config, recipe, older)
        after = evidence_of(now, older, whisper, probes, recipe.longest_window, bank.languages)
        _unchanged(config, recipe, older)
        check_same(before, after, folder)
    # what is in the bank is finished: taken out again, it is to be learned anew
    shutil.rmtree(Path(recipe.output) / CHECKPOINTS, ignore_errors=True)
    return Expansion(
        folder, addition.learner.trained_parameters, addition.init, len(older), before, after
    )


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


def _unchanged(config: ExpansionConfig, recipe: Recipe, older: Mapping[str, str]) -> Bank:
    """Returns the bank as it is now, where what is older has stayed as it was.

    Raises:
        InputError: names the files that somebody changed or removed while the language trained, and says how to go on.
    """
    now = older_files(Path(config.bank))
    changed = [name for name, digest in older.items() if now.get(name, digest) != digest]
    removed = [name for name in older if name not in now]
    found = [
        f"{first_of(names)} {what}"
        for names, what in ((changed, "changed"), (removed, "removed"))
        if names
    ]
    try:
        if not found:
            return Bank.from_folder(Path(config.bank))
    except InputError as error:  # what was put there meanwhile
        found = [str(error)]
    first = "" if _can_resume(config) else "restore that, and "
    raise InputError(
        f"bank {config.bank}: while {config.language} was learned, it was edited ({', '.join(found)}), so {config.language} "
        f"is not added; {first}--resume true goes on from the checkpoint in {recipe.output} and adds it"
    )


def _can_resume(config: ExpansionConfig) -> bool:
    """Whether the bank, as it is now, takes what the checkpoint has learned."""
    try:
        bank = Bank.from_folder(Path(config.bank))
        form = form_of(config, bank)
        recipe = recipe_of(config, bank, form)
        checkpoint = _first_checkpoint(config, recipe, form.like(bank), resume=True)
    except InputError:
        return False
    return checkpoint is not None and config.init in {"auto", "zero", "nearest", *bank.parts}


@contextmanager
def _taking_out(folder: Path) -> Iterator[None]:
    """Removes a folder where the block fails or is interrupted: a language is added whole and checked, or not at all."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
