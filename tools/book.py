"""The hook of mkdocs: fills in what pages ask of the code, and unlinks what lies outside the book."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from reference import MAKERS

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_MADE = re.compile(r"^<!-- made: ([\w-]+) ?(.*?) -->$", flags=re.MULTILINE)
_LINK = re.compile(r"\[([^]]+)\]\((\.\./[^)#]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replaces each `<!-- made: NAME WORDS -->`, then the links that lead out of `docs/`."""
    filled = _MADE.sub(lambda asked: MAKERS[asked[1]](*asked[2].split()), markdown)
    return without_outer_links(filled, page.file.src_uri)


def without_outer_links(markdown: str, page: str) -> str:
    """Returns the text with links to files of the repository, which a reader of the site lacks, as names.

    Args:
        markdown: of a page.
        page: its path below `docs/`.
    """

    def named(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), link[2]))
        return f"`{target.removeprefix('../')}`" if target.startswith("../") else link[0]

    return _LINK.sub(named, markdown)
