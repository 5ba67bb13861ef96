"""Prompts and banks by name: a folder on disk, or a repository of the Hugging Face Hub, fetched into the hub's cache."""

from __future__ import annotations

import errno
import logging
import re
from pathlib import Path

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from spt_whisper.errors import InputError
from spt_whisper.prompts.safe_files import check_offered

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_SOURCE = re.compile(rf"({HUB_ID.pattern})(?:@([\w./-]+))?", re.ASCII)
_STEMS = ("prompt", "part")
FILES = tuple(f"{stem}.{ending}" for stem in _STEMS for ending in ("json", "safetensors"))
"""The files of a prompt, or of a language of a bank; the only ones that are fetched."""

logger = logging.getLogger(__name__)


def find_folder(source: str, what: str) -> Path:
    """Returns the folder of a prompt or a bank.

    Args:
        source: a folder on disk; where there is none, a hub id (`owner/name`, or `owner/name@revision`). Where the hub
            cannot be reached, what its cache has is taken.
        what: `prompt` or `bank`, for messages.

    Raises:
        InputError: there is neither, or the repository holds what no prompt needs.
        OSError: the hub's cache cannot be written.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    match = _SOURCE.fullmatch(source)
    if match is None:
        raise InputError(
            f"{what} {source}: no such folder; wanted a folder, or a hub id (owner/name or owner/name@revision)"
        )
    return _fetch(match[1], match[2], f"{what} {source}")


def hub_fault(error: Exception) -> str:
    """Says in a few words why the hub did not do what was asked, and what to do."""
    for kind, fault in _FAULTS.items():
        if isinstance(error, kind):
            return fault
    if isinstance(error, HfHubHTTPError) and error.response.status_code in _STATUS_FAULTS:
        return _STATUS_FAULTS[error.response.status_code]
    message = " ".join(str(error).split())
    return f"does not answer as it should ({type(error).__name__}: {message:.200}); try again later"


_FAULTS: dict[type[Exception], str] = {
    GatedRepoError: "has it behind a gate; ask for access on its page, then log in: `hf auth login`",
    RepositoryNotFoundError: "has no such repository, or a private one; check the name, or log in: `hf auth login`",
    RevisionNotFoundError: "has no such revision of it; name another after the @",
    HFValidationError: "takes no such name; wanted owner/name",
    OfflineModeIsEnabled: "is not asked, since HF_HUB_OFFLINE is set; unset it",
}
_STATUS_FAULTS = {
    401: "does not know you; log in: `hf auth login`, or set HF_TOKEN",
    403: "does not let you write there; take a token with write access, or a name of your own",
}
_DISK_FAULTS = (errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EROFS)
_FINAL = (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError)  # gated ones too


def _fetch(name: str, revision: str | None, source: str) -> Path:
    """Downloads a repository's prompt files, once it is known that there is no pickle and nothing large."""
    api = HfApi()
    try:
        about = api.model_info(
            name, revision=revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
        check_offered(source, {file.rfilename: file.size or 0 for file in about.siblings or []})
        return Path(_snapshot(api, name, revision))
    except InputError:
        raise
    except _FINAL as error:
        raise InputError(
            f"{source}: no such folder, and the hub ({constants.ENDPOINT}) {hub_fault(error)}"
        ) from error
    except Exception as error:  # network errors share no base class
        if isinstance(error, OSError) and _of_the_disk(error):
            error.filename = error.filename or constants.HF_HUB_CACHE
            raise
        return _cached(api, name, revision, source, error)


def _of_the_disk(error: OSError) -> bool:
    """Whether it is this machine's disk that failed: such errors name a file, or a fault that the network has not."""
    return error.filename is not None or error.errno in _DISK_FAULTS


def _cached(api: HfApi, name: str, revision: str | None, source: str, failure: Exception) -> Path:
    """What the hub's cache has of a repository that cannot be fetched now."""
    try:
        folder = _snapshot(api, name, revision, local_files_only=True)
    except Exception as error:  # not there, not whole, or the cache is damaged
        raise InputError(
            f"{source}: no such folder, not in the hub's cache, and the hub ({constants.ENDPOINT}) {hub_fault(failure)}"
        ) from error
    if not isinstance(failure, OfflineModeIsEnabled):
        logger.warning("%s: taken from the cache: the hub %s", source, hub_fault(failure))
    return Path(folder)


def _snapshot(api: HfApi, name: str, revision: str | None, local_files_only: bool = False) -> str:
    patterns = [*FILES, *(f"*/{file}" for file in FILES)]
    folder = api.snapshot_download(
        name, revision=revision, allow_patterns=patterns, local_files_only=local_files_only
    )
    assert isinstance(folder, str)
    return folder
