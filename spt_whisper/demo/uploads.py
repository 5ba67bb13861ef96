"""How Gradio is told, before it is imported, to keep uploads private and to report nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def private_uploads() -> Iterator[None]:
    """Uploads go to a folder that only this user can read, and that is gone at the end.

    Gradio reads these variables as it is imported: import it within.
    """
    with tempfile.TemporaryDirectory(prefix="spt-whisper-demo-") as folder:
        own = {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        before = {name: os.environ.get(name) for name in own}
        os.environ.update(own)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
