"""Read the tensors of a CTranslate2 `model.bin`; `ctranslate2.py` makes a Whisper of them.

All numbers little-endian:

    u32 version (6)   str spec ("WhisperSpec")   u32 revision (3)
    u32 n, then n times:  str name   u8 rank   u32 dimension x rank   u8 dtype   u32 bytes   data
    u32 n, then n times:  str alias  str name of the tensor that it stands for
    str = u16 length with the closing NUL, UTF-8, NUL

dtypes: 0 float32, 1 int8, 2 int16, 3 int32, 4 float16, 5 bfloat16. An integer matrix `x` has a
tensor `x_scale` beside it, one number (int16) or one a row (int8), and holds `round(w * scale)`.
Numbers of rank 0 are settings of the network. Nothing is allocated before its declared size has
been compared with what is left of the file.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np

from spt_whisper.errors import InputError

VERSION = 6
SPEC = "WhisperSpec"
REVISION = 3
MAX_RANK = 3  # the weight of a convolution
BFLOAT16 = 5
DTYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2", BFLOAT16: "<u2"}
DAMAGED = "the file is truncated or altered: fetch it again"


def refuse(path: Path, found: str) -> NoReturn:
    """Raises the InputError that names a file and what is wrong in it."""
    raise InputError(f"{path}: {found}")


class _Reader:
    """Reads the parts of a model.bin and never past its end."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file
        self.size = path.stat().st_size

    def check(self, wanted: int, what: str) -> None:
        """Refuses what does not fit into the rest of the file."""
        left = self.size - self.file.tell()
        if wanted > left:
            refuse(
                self.path,
                f"{what} needs {wanted} bytes where {left} are left of {self.size}; {DAMAGED}",
            )

    def number(self, code: str, what: str) -> int:
        """The next number, in a code of `struct`."""
        wanted = struct.calcsize(f"<{code}")
        self.check(wanted, what)
        return int(struct.unpack(f"<{code}", self.file.read(wanted))[0])

    def string(self, what: str) -> str:
        """The next string."""
        length = self.number("H", what)
        self.check(length, what)
        data = self.file.read(length)
        if not data.endswith(b"\0") or b"\0" in data[:-1]:
            refuse(self.path, f"{what} does not end with its NUL; {DAMAGED}")
        try:
            return data[:-1].decode("utf-8")
        except UnicodeDecodeError:
            refuse(self.path, f"{what} is not UTF-8; {DAMAGED}")

    def tensor(self, name: str) -> np.ndarray:
        """The next tensor, after its name."""
        rank = self.number("B", f"the rank of {name}")
        if rank > MAX_RANK:
            refuse(self.path, f"{name} has rank {rank}; wanted at most {MAX_RANK}; {DAMAGED}")
        shape = tuple(self.number("I", f"the shape of {name}") for _ in range(rank))
        dtype = self.number("B", f"the dtype of {name}")
        if dtype not in DTYPES:
            refuse(
                self.path, f"{name} has the unknown dtype {dtype}; wanted one of {sorted(DTYPES)}"
            )
        count = 1
        for dimension in shape:  # Python's integers: no overflow
            count *= dimension
        declared = self.number("I", f"the size of {name}")
        wanted = count * np.dtype(DTYPES[dtype]).itemsize
        if declared != wanted or not count:
            refuse(
                self.path,
                f"{name} of shape {shape} declares {declared} bytes; wanted {wanted}; {DAMAGED}",
            )
        self.check(declared, name)
        array = np.fromfile(self.file, dtype=DTYPES[dtype], count=count).reshape(shape)
        if dtype == BFLOAT16:
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array


def read_model(path: Path) -> tuple[dict[str, np.ndarray], bool]:
    """Reads names -> tensors, integer weights as float32, and whether there were integer weights.

    Raises:
        InputError: the file is missing, truncated, altered, or of a kind that is not known here.
    """
    if not path.is_file():
        refuse(path, "no such file; wanted the model.bin of a CTranslate2 folder")
    with path.open("rb") as file:
        reader = _Reader(path, file)
        _check_header(reader)
        tensors: dict[str, np.ndarray] = {}
        for index in range(reader.number("I", "the number of tensors")):
            name = reader.string(f"the name of tensor {index}")
            if name in tensors:
                refuse(path, f"{name} is in it twice; {DAMAGED}")
            tensors[name] = reader.tensor(name)
        count = reader.number("I", "the number of aliases")
        aliases = [
            (reader.string("an alias"), reader.string("the target of an alias"))
            for _ in range(count)
        ]
        left = reader.size - file.tell()
        if left:
            refuse(path, f"{left} bytes follow the last alias; wanted none; {DAMAGED}")
    quantized = _dequantize(path, tensors)
    _add_aliases(path, tensors, aliases)
    return tensors, quantized


def _check_header(reader: _Reader) -> None:
    found = reader.number("I", "the version")
    if found != VERSION:
        refuse(
            reader.path,
            f"CTranslate2 file version {found}; wanted {VERSION}: convert the model again",
        )
    spec = reader.string("the name of the spec")
    if spec != SPEC:
        refuse(reader.path, f"a CTranslate2 {spec!r}; wanted {SPEC!r}")
    revision = reader.number("I", "the revision")
    if revision != REVISION:
        refuse(
            reader.path, f"{SPEC} revision {revision}; wanted {REVISION}: convert the model again"
        )


def _dequantize(path: Path, tensors: dict[str, np.ndarray]) -> bool:
    """Replaces integer weights and their scales by float32 weights; whether there were any."""
    found = False
    for name, array in list(tensors.items()):
        if array.ndim == 0 or array.dtype.kind != "i":
            continue
        scale = tensors.pop(f"{name}_scale", None)
        if scale is None or scale.dtype.kind != "f" or scale.size not in (1, len(array)):
            size = "no" if scale is None else f"a {scale.dtype} {scale.shape}"
            refuse(
                path,
                f"{name} {array.shape} is {array.dtype} with {size} scale; wanted a number a row",
            )
        scale = scale.astype(np.float32).reshape(-1, *[1] * (array.ndim - 1))
        if not (np.isfinite(scale).all() and (scale > 0).all()):
            refuse(path, f"{name}_scale has a number that is not finite or not above 0; {DAMAGED}")
        tensors[name] = array / scale
        found = True
    return found


def _add_aliases(
    path: Path, tensors: dict[str, np.ndarray], aliases: list[tuple[str, str]]
) -> None:
    """Gives every alias a tensor of its own."""
    for alias, name in aliases:
        if alias in tensors:
            refuse(path, f"the alias {alias} is a tensor as well; {DAMAGED}")
        if name not in tensors:
            refuse(path, f"the alias {alias} stands for {name}, which is not in it; {DAMAGED}")
        tensors[alias] = tensors[name].copy()
