"""Every public name loads, and importing the package does next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import spt_whisper


@pytest.mark.parametrize("name", spt_whisper.__all__)
def test_public_name(name: str) -> None:
    assert getattr(spt_whisper, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Wisper'"):
        _ = spt_whisper.Wisper


def test_importing_loads_nothing_heavy() -> None:
    code = "import spt_whisper, sys; print([n for n in ('torch', 'transformers', 'numpy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
