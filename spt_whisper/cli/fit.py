"""`spt-whisper fit`: train a prompt, a bank or a baseline as a recipe says."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from spt_whisper.cli.parser import command_parser, instantiate, recipe_first, show_progress


def main(arguments: Sequence[str]) -> int:
    """Trains and prints where the result is."""
    from spt_whisper.training.recipe import Recipe

    parser = command_parser(
        "fit",
        "Train a prompt, a bank or a baseline: spt-whisper fit RECIPE.yaml [--section.key value ...]. Without a recipe, "
        "--corpus.root DIR is enough: feed-forward slots on both sides of whisper-base.",
    )
    parser.add_class_arguments(Recipe, None)
    parser.add_argument(
        "--resume", type=bool, default=False, help="go on from the last checkpoint in the output"
    )
    settings = instantiate(parser, recipe_first(arguments))

    from spt_whisper.training.run import fit

    show_progress()
    resume = settings.pop("resume")
    result = fit(Recipe(**vars(settings)), resume)
    numbers = result.numbers
    Console(markup=False).print(
        f"{result.artifact}: {result.folder} ({numbers.stored_parameters:,} parameters), {numbers.epochs} epochs in "
        f"{numbers.seconds:.0f} s, last loss {numbers.last_loss}, peak memory {numbers.peak_memory_gigabytes} GiB",
        soft_wrap=True,
    )
    return 0
