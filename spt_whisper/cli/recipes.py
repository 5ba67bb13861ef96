"""`spt-whisper recipes`: the recipes that come with the package, in a table or copied into a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

import spt_whisper
from spt_whisper.atomic import write_text
from spt_whisper.cli import DONE
from spt_whisper.cli.parser import CommandParser, run_action
from spt_whisper.corpora import CorpusConfig
from spt_whisper.errors import InputError
from spt_whisper.training.recipe import Recipe


@dataclass(frozen=True)
class PackedRecipe:
    """A recipe of the package."""

    name: str
    path: Path
    summary: str  # its first comment line
    reader: str
    method: str
    methods: tuple[Path, ...]  # files of its folder, each a method to lay over it


def main(arguments: Sequence[str]) -> int:
    """Runs a sub-command and returns its exit status."""
    return run_action("recipes", "The recipes that come with the package.", ACTIONS, arguments)


def list_recipes(arguments: Sequence[str]) -> int:
    """List the recipes: what each is, the reader of its corpus, its method, what its folder holds."""
    parser = CommandParser(prog="spt-whisper recipes list", description=list_recipes.__doc__)
    parser.parse_args(list(arguments))
    table = Table("recipe", "what it is", "reader", "method", "in its folder")
    for recipe in packed_recipes():
        methods = f"{len(recipe.methods)} methods" if recipe.methods else ""
        table.add_row(recipe.name, recipe.summary, recipe.reader, recipe.method, methods)
    Console(markup=False).print(table)
    print("to use one: spt-whisper recipes copy NAME, then spt-whisper fit NAME.yaml")
    return DONE


def copy_recipe(arguments: Sequence[str]) -> int:
    """Copy a recipe into a folder, never over a file that is there."""
    parser = CommandParser(prog="spt-whisper recipes copy", description=copy_recipe.__doc__)
    parser.add_argument("name", type=str, help="a name that `recipes list` shows")
    parser.add_argument("folder", nargs="?", default=".", type=str, help="where it goes; here")
    parser.add_argument(
        "--methods", type=bool, default=False, help="copy its folder of methods along"
    )
    settings = parser.parse_args(list(arguments))
    recipe = _named(settings.name)
    copied = [recipe.path, *(recipe.methods if settings.methods else ())]
    targets = [Path(settings.folder, path.relative_to(recipe.path.parent)) for path in copied]
    for target in targets:
        if target.exists():
            raise InputError(f"{target}: is there already; remove it or name another folder")
    for path, target in zip(copied, targets, strict=True):
        try:
            write_text(target, path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{target}: {error.strerror}; name a folder to write to") from error
        print(target)
    return DONE


ACTIONS: dict[str, Callable[[Sequence[str]], int]] = {"list": list_recipes, "copy": copy_recipe}


def packed_recipes() -> Iterator[PackedRecipe]:
    """The recipes by name: from within the package where it is installed, from beside it in a checkout."""
    package = Path(spt_whisper.__file__).parent
    places = (package / "recipes", package.parent / "recipes")
    folder = next(place for place in places if place.is_dir())
    for path in sorted(folder.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        settings = yaml.safe_load(text)
        yield PackedRecipe(
            name=path.stem,
            path=path,
            summary=text.partition("\n")[0].removeprefix("# "),
            reader=settings["corpus"].get("reader", CorpusConfig.reader),
            method=settings.get("method", Recipe.method),
            methods=tuple(sorted(path.with_suffix("").glob("*.yaml"))),
        )


def _named(name: str) -> PackedRecipe:
    recipes = {recipe.name: recipe for recipe in packed_recipes()}
    found = recipes.get(name.removesuffix(".yaml"))
    if found is None:
        raise InputError(f"recipe {name!r}: there is none; give one of: {', '.join(recipes)}")
    return found
