"""What a run was made on: processor, cores, PyTorch, GPU."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

_LINUX_PROCESSORS = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Machine:
    """Where the seconds and gigabytes of a run were measured."""

    processor: str
    cores: int
    torch: str  # version
    gpu: str | None  # none: there is no GPU that PyTorch can use

    def __str__(self) -> str:
        return f"{self.processor}, {self.cores} cores, torch {self.torch}, {self.gpu or 'no GPU'}"


def this_machine() -> Machine:
    """Returns the machine that this process runs on."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return Machine(_processor(), os.cpu_count() or 1, torch.__version__, gpu)


def _processor() -> str:
    """The processor's name; Python itself knows no more than its architecture on Linux."""
    if _LINUX_PROCESSORS.is_file():
        for line in _LINUX_PROCESSORS.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
