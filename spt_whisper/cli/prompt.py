"""`spt-whisper prompt`: show what a prompt or a bank holds, list a bank's languages, average prompts, push to the hub."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper import __version__
from spt_whisper.cli import DONE, SOME_FAILED
from spt_whisper.cli.parser import command_parser, instantiate, run_action, show_progress
from spt_whisper.errors import InputError
from spt_whisper.evaluation.inspection.settings import ShowConfig
from spt_whisper.printable import WIDE, printable

if TYPE_CHECKING:  # torch takes seconds to import, and help needs none
    from rich.table import Table

    from spt_whisper.prompts.bank import Bank
    from spt_whisper.prompts.files import Prompt


def main(arguments: Sequence[str]) -> int:
    """Runs a sub-command and returns its exit status."""
    return run_action(
        "prompt",
        "Look into prompts and banks, average prompts, or push them to the hub.",
        ACTIONS,
        arguments,
    )


def show(arguments: Sequence[str]) -> int:
    """Show sizes, norms, card, scores, nearest vocabulary tokens, and how alike a bank's languages are."""
    parser = command_parser("prompt show", show.__doc__ or "")
    parser.add_argument(
        "source", metavar="DIR", type=str, help="a prompt or a bank: a folder or a hub id"
    )
    parser.add_class_arguments(ShowConfig, None, skip={"source"})
    config = ShowConfig(**vars(instantiate(parser, arguments)))

    from spt_whisper.evaluation.inspection.contents import stored_tensors, tensor_sizes
    from spt_whisper.evaluation.inspection.table import card_table, tensor_table
    from spt_whisper.prompts.files import Prompt
    from spt_whisper.prompts.prompt_or_bank import read_prompt_or_bank

    show_progress()
    subject = read_prompt_or_bank(config.source, config.language)
    if not isinstance(subject, Prompt):
        _show_languages(subject, config.picture)
    elif config.picture:
        raise InputError(f"picture: {config.source} is one prompt; wanted a bank of languages")
    else:
        _print(card_table(subject))
    _print(tensor_table(tensor_sizes(stored_tensors(subject))))
    return max(_show_scores(config.source), _show_tokens(subject, config))


def list_languages(arguments: Sequence[str]) -> int:
    """List the languages of a bank."""
    parser = command_parser("prompt list", list_languages.__doc__ or "")
    parser.add_argument("bank", metavar="BANK", type=str, help="folder or hub id of a bank")
    folder = instantiate(parser, arguments).bank

    from spt_whisper.evaluation.inspection.contents import bank_rows
    from spt_whisper.evaluation.inspection.table import bank_table
    from spt_whisper.prompts.bank import Bank

    bank = Bank.from_pretrained(folder)
    _print(bank_table(bank, bank_rows(bank)))
    return DONE


def average_prompts(arguments: Sequence[str]) -> int:
    """Average prompts: vector by vector from one start (federated averaging), or what slots of any start add."""
    parser = command_parser("prompt average", average_prompts.__doc__ or "")
    parser.add_argument(
        "sources", metavar="PROMPT", nargs="+", type=str, help="folders or hub ids of prompts"
    )
    parser.add_argument(
        "--weights", nargs="+", type=float, default=None,
        help="a number above 0 for each prompt, such as its hours of speech; equal by default",
    )  # fmt: skip
    parser.add_argument(
        "--side_by_side", type=bool, default=False,
        help="feed-forward slots of any seeds and lengths, one after the other, with their values scaled: the prompt has as "
        "many parameters as all together",
    )  # fmt: skip
    parser.add_argument("--output", type=str, required=True, help="folder for the mean")
    settings = instantiate(parser, arguments)

    from spt_whisper.prompts.averaging import average
    from spt_whisper.prompts.files import Prompt
    from spt_whisper.prompts.side_by_side import side_by_side

    output = Path(settings.output)
    if output.resolve() in {Path(source).resolve() for source in settings.sources}:
        raise InputError(f"output: {output} is one of the prompts; name another folder")
    prompts = [Prompt.from_pretrained(source) for source in settings.sources]
    mean = (side_by_side if settings.side_by_side else average)(prompts, settings.weights)
    folder = mean.save_pretrained(output)
    print(
        f"prompt: {folder} ({mean.parameter_count:,} parameters), weights {mean.card.training['weights']}"
    )
    return DONE


def push(arguments: Sequence[str]) -> int:
    """Push a prompt or a bank that loads to the Hugging Face Hub, with a model card, and nothing else."""
    parser = command_parser("prompt push", push.__doc__ or "")
    parser.add_argument("folder", metavar="DIR", type=str, help="folder of a prompt or a bank")
    parser.add_argument("name", metavar="OWNER/NAME", type=str, help="repository; made if missing")
    parser.add_argument("--private", action="store_true", help="only its owner is to see it")
    parser.add_argument("--license", type=str, help="as the hub names it, such as cc-by-4.0")
    parser.add_argument("--message", type=str, help="of the commit")
    parser.add_argument(
        "--report", type=str, help="scores: what `evaluate` wrote, DIR or report.json"
    )
    settings = instantiate(parser, arguments)
    if not Path(settings.folder).is_dir():
        raise InputError(f"push: {settings.folder} is no folder; wanted that of a prompt or a bank")

    from spt_whisper.evaluation.model_card import model_card
    from spt_whisper.prompts.prompt_or_bank import read_prompt_or_bank
    from spt_whisper.prompts.pushing import push_folder

    subject = read_prompt_or_bank(settings.folder)
    readme = model_card(subject, settings.name, settings.license, settings.report)
    message = settings.message or f"Push with spt-whisper {__version__}"
    print(push_folder(Path(settings.folder), settings.name, readme, message, settings.private))
    return DONE


ACTIONS: dict[str, Callable[[Sequence[str]], int]] = {
    "show": show,
    "list": list_languages,
    "average": average_prompts,
    "push": push,
}


def _show_languages(bank: Bank, picture: str | None) -> None:
    """Prints the languages of a bank and how alike they are; draws it where a picture is wanted."""
    from spt_whisper.evaluation.inspection.contents import bank_rows
    from spt_whisper.evaluation.inspection.picture import draw_similarities
    from spt_whisper.evaluation.inspection.similarity import similarities
    from spt_whisper.evaluation.inspection.table import bank_table, similarity_table

    found = similarities(bank)
    if picture and not found:
        raise InputError(
            f"picture: bank {bank.folder} has {', '.join(bank.languages)}; wanted two languages to compare"
        )
    _print(bank_table(bank, bank_rows(bank)))
    for similarity in found:
        _print(similarity_table(similarity), WIDE)
    if picture:
        draw_similarities(found, picture)
        print(f"picture: {picture}")


def _show_scores(source: str) -> int:
    """Prints the report that stands beside a prompt or a bank; where it cannot be read, says why and returns 1."""
    from spt_whisper.evaluation.inspection.contents import report_beside
    from spt_whisper.evaluation.table import report_table

    try:
        report = report_beside(source)
    except InputError as error:
        return _left_out("scores", error)
    if report is not None:
        _print(report_table(report))
    return DONE


def _show_tokens(subject: Prompt | Bank, config: ShowConfig) -> int:
    """Prints vectors as words: a prompt's, or the soft language tokens of a bank; where no Whisper can, says why."""
    from spt_whisper.evaluation.inspection.lens import can_be_read, read_embeddings, read_slots
    from spt_whisper.evaluation.inspection.table import embedding_table, slot_table
    from spt_whisper.prompts.base import base_for
    from spt_whisper.prompts.files import Prompt
    from spt_whisper.whisper.loading import FrozenWhisper

    if isinstance(subject, Prompt):
        prompts, slots = [subject], config.slots
    else:  # a bank, of which one language's slots are shown with --language
        prompts, slots = [subject.prompt(language) for language in subject.languages], 0
    if not any(can_be_read(prompt, slots) for prompt in prompts):
        return DONE
    try:
        whisper = FrozenWhisper.from_pretrained(base_for(config.model, prompts))
        prompts[0].check_base(whisper)
    except InputError as error:
        return _left_out("nearest tokens", error)
    embedded = [reading for prompt in prompts for reading in read_embeddings(prompt, whisper)]
    promoted = [reading for prompt in prompts for reading in read_slots(prompt, whisper, slots)]
    if embedded:
        _print(embedding_table(embedded))
    if promoted:
        _print(slot_table(promoted))
    return DONE


def _left_out(what: str, error: InputError) -> int:
    print(f"spt-whisper prompt show: {what} left out: {printable(error)}", file=sys.stderr)
    return SOME_FAILED


def _print(table: Table, width: int | None = None) -> None:
    from rich.console import Console

    Console(markup=False, width=width).print(table)
