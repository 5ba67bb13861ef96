"""`spt-whisper`, whose first process gets a signal at a batch (from 0) of the second epoch of a run.

python -m tests.training.signalled_run SIGTERM BATCH fit ...
"""

from __future__ import annotations

import os
import signal
import sys
from functools import wraps

from torch import Tensor

from spt_whisper.cli import main
from spt_whisper.training.batch import Batch
from spt_whisper.training.prompt_tuner import PromptTuner

STEP = PromptTuner.training_step
EPOCH = 1


@wraps(STEP)
def signalled(tuner: PromptTuner, batch: Batch, index: int) -> Tensor:
    """The step; before that of the batch, the signal."""
    at = (tuner.current_epoch, index) == (EPOCH, int(sys.argv[2]))
    if at and tuner.trainer.is_global_zero:
        os.kill(os.getpid(), signal.Signals[sys.argv[1]])
    return STEP(tuner, batch, index)


if __name__ == "__main__":
    PromptTuner.training_step = signalled  # type: ignore[method-assign]
    sys.exit(main(sys.argv[3:]))
