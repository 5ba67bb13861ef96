"""Which models a service has: kept up to date with the files of prompts and banks, without a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.exceptions import HTTPException

from spt_whisper.prompts.card import AUTO
from spt_whisper.serving.faults import Fault
from spt_whisper.serving.sources import ModelSource, sources_in
from spt_whisper.serving.tasks import Answer, Edition, FoundModels, Look, Refused, ServedModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """What a request gets."""

    model: ServedModel
    code: (
        str | None
    )  # of Whisper's language, several joined by +; None: the prompt's, else what is heard


class Catalog:
    """The models by name. A broken prompt is logged, and the last one that was sound stays."""

    def __init__(
        self,
        fixed: Sequence[ModelSource],
        folder: str | None,
        look: Callable[[Look], Awaitable[Answer]],
    ) -> None:
        """Takes sources that stay, a folder whose prompts come and go, and who looks into a source."""
        self.models: Mapping[str, ServedModel] = {}
        self._fixed, self._folder, self._look = tuple(fixed), folder, look
        self._versions: dict[ModelSource, str] = {}  # that were looked into
        self._found: dict[ModelSource, tuple[ServedModel, ...]] = {}
        self._offered: Mapping[ModelSource, tuple[ServedModel, ...]] = {}  # as `models` has them
        self._twice: set[str] = set()  # names that were warned of

    async def watch(self, seconds: float) -> None:
        """Looks for changes every so many seconds, until it is cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await self.try_refresh()

    async def try_refresh(self) -> None:
        """Looks for changes; where that fails, the service goes on with what it has."""
        try:
            await self.refresh()
        except Exception as error:  # whatever it is
            logger.error("models cannot be looked for: %s", error)

    async def refresh(self) -> None:
        """Looks into every source whose files have changed."""
        editions = await asyncio.to_thread(self._editions)
        for edition in editions:
            if self._versions.get(edition.source) != edition.version:
                await self._read(edition)
        there = {edition.source for edition in editions}
        for gone in self._versions.keys() - there:
            logger.info("model %s is gone", gone.name)
            del self._versions[gone]
            self._found.pop(gone, None)
        self._offered = dict(self._found)
        self.models = self._by_name(edition.source for edition in editions)

    def choose(self, name: str, language: str | None) -> Chosen:
        """Returns the model of a name, and Whisper's language code where a language was named.

        Raises:
            Fault: there is none, or it does not know the language.
        """
        model = self.models.get(name)
        if model is None:
            raise Fault(
                HTTPStatus.NOT_FOUND,
                f"model: found {name[:100]!r}, wanted one of {', '.join(self.models)}",
                "model_not_found",
                "model",
            )
        if language in (None, "", AUTO):
            return Chosen(model, None)
        if language in model.own_languages:
            return Chosen(model, model.own_languages[language])
        if language in model.members:
            of_bank = self._offered[model.edition.source]
            return Chosen(next(own for own in of_bank if own.key == language), None)
        if language in model.codes:
            return Chosen(model, language)
        known = sorted({*model.own_languages, *model.members, *model.codes})
        raise Fault(
            HTTPStatus.BAD_REQUEST,
            f"language: found {str(language)[:100]!r}, which {model.name} does not know; wanted {AUTO} or one of "
            f"{', '.join(known)}",
            "invalid_value",
            "language",
        )

    def _editions(self) -> list[Edition]:
        sources = (*self._fixed, *sources_in(self._folder))
        return [Edition(source, source.version()) for source in sources]

    async def _read(self, edition: Edition) -> None:
        try:
            answer = await self._look(Look(edition))
        except (HTTPException, TimeoutError) as error:  # the worker failed: it is asked again
            reason = str(error) or "no answer in time"
            logger.error("model %s cannot be checked: %s", edition.source.name, reason)
            return
        self._versions[edition.source] = edition.version
        if isinstance(answer, FoundModels):
            self._found[edition.source] = answer.models
            names = ", ".join(model.name for model in answer.models)
            logger.info("models read: %s", names)
        else:
            kept = "the one before stays" if edition.source in self._found else "it is left out"
            told = answer.reason if isinstance(answer, Refused) else str(answer)
            logger.error("model %s cannot be read (%s); %s", edition.source.name, told, kept)

    def _by_name(self, sources: Iterable[ModelSource]) -> dict[str, ServedModel]:
        models: dict[str, ServedModel] = {}
        twice: set[str] = set()
        for model in (own for source in sources for own in self._found.get(source, ())):
            if models.setdefault(model.name, model) is not model:
                twice.add(model.name)
        for name in twice - self._twice:
            logger.warning("model %s appears twice; the first counts", name)
        self._twice = twice
        return models
