"""A prompt or a bank to the Hugging Face Hub: safetensors, JSON and a model card, in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants

from spt_whisper.errors import InputError
from spt_whisper.prompts.hub import FILES, HUB_ID, hub_fault

README = "README.md"


def push_folder(folder: Path, name: str, readme: str, message: str, private: bool = False) -> str:
    """Commits the files of a prompt or a bank that loads, and nothing else, to a repository, made where it is missing.

    Files of an older prompt or bank there that this one does not have are taken away, so that what loads is this one.

    Args:
        folder: the prompt or bank.
        name: hub id, `owner/name`.
        readme: the model card; it takes the place of the folder's own README.md.
        message: of the commit.
        private: the repository is to be seen by its owner alone.

    Returns:
        The address of the repository.

    Raises:
        InputError: the name is none, the repository is public where it is to be private, or the hub refuses.
    """
    if not HUB_ID.fullmatch(name):
        raise InputError(f"push: found {name!r}, wanted a hub id (owner/name)")
    api = HfApi()
    try:
        url = api.create_repo(name, private=private or None, exist_ok=True)
        known = api.model_info(name)
        if private and not known.private:
            raise InputError(
                f"push: {url} is there already, and public; make it private in its settings, or name another"
            )
        there = [file.rfilename for file in known.siblings or []]
        added = _additions(folder, readme)
        api.create_commit(name, [*added, *_deletions(there, added)], commit_message=message)
    except InputError:
        raise
    except Exception as error:  # network, name and permission errors share no base class
        raise InputError(
            f"push: {name}: the hub ({constants.ENDPOINT}) {hub_fault(error)}"
        ) from error
    return str(url)


def _additions(folder: Path, readme: str) -> list[CommitOperationAdd]:
    """The folder's own prompt, or the members of a bank with their READMEs, behind the new model card."""
    files = [folder / name for name in FILES if (folder / name).is_file()] or [
        path
        for path in sorted(folder.glob("*/*"))
        if path.name in (*FILES, README) and not path.parent.name.startswith(".")
    ]
    return [
        CommitOperationAdd(README, readme.encode()),
        *(CommitOperationAdd(path.relative_to(folder).as_posix(), path) for path in files),
    ]


def _deletions(
    there: Sequence[str], added: Sequence[CommitOperationAdd]
) -> list[CommitOperationDelete]:
    """The files of prompts and of banks' members among those in a repository that are not added anew."""
    kept = {operation.path_in_repo for operation in added}
    paths = [PurePosixPath(name) for name in there]
    members = {path.parent for path in paths if path.name in FILES and len(path.parts) <= 2}
    ours = [path for path in paths if path.parent in members and path.name in (*FILES, README)]
    return [CommitOperationDelete(str(path)) for path in ours if str(path) not in kept]
