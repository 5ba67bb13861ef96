"""The catalog by itself: workers that fail and names that are there twice."""

from __future__ import annotations

import asyncio
import logging
from itertools import count

import pytest

from spt_whisper.serving.catalog import Catalog
from spt_whisper.serving.faults import Fault
from spt_whisper.serving.sources import BareSource
from spt_whisper.serving.tasks import FoundModels, Look, ServedModel

VERSIONS = count()


class Changing(BareSource):
    """A source whose files are others at each look."""

    def version(self) -> str:
        return str(next(VERSIONS))


def test_a_worker_that_fails_is_asked_again() -> None:
    asked: list[Look] = []

    async def look(task: Look) -> FoundModels:
        asked.append(task)
        if len(asked) == 1:
            raise TimeoutError
        return FoundModels((ServedModel("whisper-1", task.edition, "", 30.0),))

    catalog = Catalog([BareSource("tiny")], None, look)
    asyncio.run(catalog.refresh())
    assert not catalog.models
    asyncio.run(catalog.refresh())
    asyncio.run(catalog.refresh())
    assert (set(catalog.models), len(asked)) == ({"whisper-1"}, 2)


def test_a_model_of_several_languages_is_asked_in_the_token_of_each() -> None:
    async def look(task: Look) -> FoundModels:
        codes = {"ast": "es", "ky": "it", "ast+ky": None}
        return FoundModels((ServedModel("own", task.edition, "", 30.0, frozenset({"zh"}), codes),))

    catalog = Catalog([BareSource("tiny")], None, look)
    asyncio.run(catalog.refresh())
    found = {
        language: catalog.choose("own", language).code
        for language in ("ky", "ast", "ast+ky", "zh", None)
    }
    assert found == {"ky": "it", "ast": "es", "ast+ky": None, "zh": "zh", None: None}


def test_a_name_that_is_there_twice_is_the_first_ones_and_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def look(task: Look) -> FoundModels:
        return FoundModels((ServedModel("same", task.edition, task.edition.source.name, 30.0),))

    catalog = Catalog([BareSource("tiny", "a"), BareSource("tiny", "b")], None, look)
    with caplog.at_level(logging.WARNING):
        asyncio.run(catalog.refresh())
        asyncio.run(catalog.refresh())
    assert catalog.models["same"].key == "a"
    assert caplog.text.count("model same appears twice") == 1


def test_a_banks_language_is_its_own_whatever_else_has_its_name() -> None:
    async def look(task: Look) -> FoundModels:
        if task.edition.source.name == "quz":
            return FoundModels((ServedModel("quz", task.edition, "", 30.0),))
        whole = ServedModel("andes", task.edition, "", 30.0, members=frozenset({"quz"}))
        return FoundModels((whole, ServedModel("quz", task.edition, "quz", 30.0)))

    catalog = Catalog([BareSource("tiny", "quz"), BareSource("tiny", "andes")], None, look)
    asyncio.run(catalog.refresh())
    chosen = catalog.choose("andes", "quz").model
    assert (chosen.edition.source.name, chosen.key) == ("andes", "quz")
    assert catalog.choose("quz", None).model.edition.source.name == "quz"


def test_a_bank_that_has_lost_a_language_has_it_until_all_is_looked_into() -> None:
    chosen: list[str] = []

    async def look(task: Look) -> FoundModels:
        if task.edition.source.name == "other" and catalog.models:
            chosen.append(catalog.choose("andes", "quz").model.key)
        members = frozenset[str]() if catalog.models else frozenset({"quz"})
        whole = ServedModel(task.edition.source.name, task.edition, "", 30.0, members=members)
        return FoundModels((whole, *(ServedModel(own, task.edition, own, 30.0) for own in members)))

    sources = [Changing("tiny", "andes"), Changing("tiny", "other")]
    catalog = Catalog(sources, None, look)
    asyncio.run(catalog.refresh())
    asyncio.run(catalog.refresh())
    assert chosen == ["quz"]
    with pytest.raises(Fault, match="language: found 'quz'"):
        catalog.choose("andes", "quz")
