"""The catalog by itself: workers that fail and names that are there twice."""

from __future__ import annotations

import asyncio
import logging

import pytest

from spt_whisper.serving.catalog import Catalog
from spt_whisper.serving.sources import BareSource
from spt_whisper.serving.tasks import FoundModels, Look, ServedModel


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
