"""The book as its tests see it: pages, their blocks, and the marks that say why a block is not run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = {str(path.relative_to(DOCS)): path for path in sorted(DOCS.rglob("*.md"))}
REASONS = {"network", "corpus", "cluster"}  # of "not run"; CONTRIBUTING says what they mean

_BLOCK = re.compile(
    r'^(?:<!-- (not run|covered by): (\S+) -->\n)?```(\w+)(?: title="([^"]+)")?\n(.*?)^```$',
    flags=re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    mark: str  # "not run", "covered by", or "" where it is run
    reason: str
    language: str
    title: str  # the file that a reader writes it into, or ""
    text: str

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block, continued ones as one, without comments and blank ones."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line for line in lines if line.strip() and not line.startswith("#")]


def blocks(page: str) -> list[Block]:
    """Returns the blocks of a page, in order."""
    found = _BLOCK.findall(PAGES[page].read_text(encoding="utf-8"))
    return [Block(page, *(part.strip() for part in row[:4]), row[4]) for row in found]


def outside_blocks(page: str) -> str:
    """Returns the text of a page without its blocks."""
    return _BLOCK.sub("", PAGES[page].read_text(encoding="utf-8"))


def links(page: str) -> list[str]:
    """Returns the targets of a page's links and pictures, without those on the network and without anchors."""
    targets = re.findall(r"\]\(([^)#\s]+)", outside_blocks(page))
    return [target for target in targets if not target.startswith("http")]
