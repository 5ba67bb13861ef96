"""`python -m spt_whisper` is the command `spt-whisper`."""

import sys

from spt_whisper.cli import main

sys.exit(main())
