"""`spt-whisper`, whose first process gets a signal at a batch within the second epoch of a run.

python -m tests.training.signalled_run SIGTERM fit ...
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
EPOCH, INDEX = 1, 7


@wraps(STEP)
def signalled(tuner: PromptTuner, batch: Batch, index: int) -> Tensor:
    """The step; before that of the batch, the signal."""
    if (tuner.current_epoch, index) == (EPOCH, INDEX) and tuner.trainer.is_global_zero:
        os.kill(os.getpid(), signal.Signals[sys.argv[1]])
    return STEP(tuner, batch, index)


if __name__ == "__main__":
    PromptTuner.training_step = signalled  # type: ignore[method-assign]
    sys.exit(main(sys.argv[2:]))
