"""Encoder states of a frozen encoder on disk, so that the next run on the same audio does not encode it again.

One safetensors file a waveform, `states` (S, D) in float16, named by the SHA-256 of the samples, the window, the weights and
the format in which products are made.
Processes may share a folder: files appear whole, and what another process removes is encoded again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from spt_whisper.atomic import replacing
from spt_whisper.audio import STATES_PER_SECOND
from spt_whisper.errors import InputError

Encode = Callable[[Sequence[Tensor], float], Sequence[Tensor]]  # waveforms, window -> (S, D) each

NAME = re.compile(r"[0-9a-f]{64}\.safetensors")  # nothing else in the folder is ours

logger = logging.getLogger(__name__)


class StatesStore:
    """A folder of encoder states of up to so many gigabytes; the states that were used the longest ago make room."""

    def __init__(
        self,
        folder: str | Path,
        gigabytes: float,
        fingerprint: str,
        width: int,
        dtype: torch.dtype,
    ) -> None:
        """Opens or makes the folder.

        Args:
            folder: where the states are kept.
            gigabytes: the bound; each other process that writes at the same time may exceed it by a hundredth.
            fingerprint: of Whisper's weights.
            width: D of its states.
            dtype: in which its encoder multiplies.

        Raises:
            InputError: a file stands in its place.
        """
        self.folder, self.limit = Path(folder), gigabytes * 1e9
        self.fingerprint, self.width, self.dtype = fingerprint, width, dtype
        self._used: set[Path] = set()  # by this run; these make no room
        self._full = False  # of what this run has used
        self._room = 0.0  # bytes that may be written before the folder is looked through again
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"data.states_store: {folder} is a file, wanted a folder")
        self.folder.mkdir(parents=True, exist_ok=True)

    def states(self, waveforms: Sequence[Tensor], window: float, encode: Encode) -> list[Tensor]:
        """Returns states (S, D) of each waveform, float16: those that are kept; the others are encoded and kept.

        Args:
            waveforms: 16 kHz mono, (samples,) each.
            window: seconds that the encoder takes.
            encode: gives the states of those that are not kept, float16 on the CPU.
        """
        paths = [self._path(waveform, window) for waveform in waveforms]
        shape = (round(window * STATES_PER_SECOND), self.width)
        kept = [self._read(path, shape) for path in paths]
        self._used.update(paths)
        missing = [row for row, states in enumerate(kept) if states is None]
        encoded = encode([waveforms[row] for row in missing], window) if missing else []
        fresh = dict(zip(missing, encoded, strict=True))
        self._write({paths[row]: states for row, states in fresh.items()})
        return [fresh[row] if states is None else states for row, states in enumerate(kept)]

    def _path(self, waveform: Tensor, window: float) -> Path:
        digest = hashlib.sha256(f"{self.fingerprint} {window:g} {self.dtype}\n".encode())
        digest.update(waveform.contiguous().numpy().data)
        return self.folder / f"{digest.hexdigest()}.safetensors"

    def _read(self, path: Path, shape: tuple[int, int]) -> Tensor | None:
        """What a file holds; None where there is none, or a damaged one."""
        try:
            content = path.read_bytes()
            with suppress(PermissionError):  # of another user, who may read it alone
                os.utime(path)
        except (FileNotFoundError, PermissionError):  # not there, or of another user
            return None
        try:
            states = load(content)["states"]
        except (SafetensorError, KeyError):
            states = torch.empty(0)
        if states.shape != shape or states.dtype != torch.float16 or not states.isfinite().all():
            logger.warning("data.states_store: %s is damaged and made again", path)
            return None
        return states

    def _write(self, states: dict[Path, Tensor]) -> None:
        needed = sum(own.nbytes for own in states.values())
        if not states or self._full or not self._make_room(needed):
            return
        for path, own in states.items():
            with replacing(path) as temporary:
                save_file({"states": own.contiguous()}, temporary)

    def _make_room(self, needed: int) -> bool:
        """Removes states that this run has not used, the oldest first; whether there is room now."""
        self._room -= needed
        if self._room >= 0:
            return True
        files = sorted(self._files())
        excess = sum(size for _, size, _ in files) + needed - self.limit
        for _, size, path in files:
            if excess > 0 and path not in self._used:
                path.unlink(missing_ok=True)
                excess -= size
        self._full = excess > 0
        if self._full:
            logger.warning(
                "data.states_store: %s is full (%.2f GB), so some states are not kept; raise data.states_store_gigabytes",
                self.folder, self.limit / 1e9,
            )  # fmt: skip
        self._room = min(-excess, self.limit / 100)
        return not self._full

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """(time of last use, bytes, path) of each file."""
        for path in self.folder.iterdir():
            if not NAME.fullmatch(path.name):
                continue
            with suppress(FileNotFoundError):  # another process has just removed it
                state = path.stat()
                yield state.st_mtime, state.st_size, path
