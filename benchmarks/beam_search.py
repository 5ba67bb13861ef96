"""What beams cost, and what they are worth: speech transcribed with a prompt by search with 1, 2, 5 and 10 beams.

    python benchmarks/beam_search.py --data DIR --split test --language qug --prompt PROMPT [--clips 60] [--beams 1 2 5 10]

DIR holds a manifest for the split. The times are those of all clips together, from waveform to text, with the guards of
`transcribe`; the counts of beams take turns, and a ratio is the median of the rounds. The error rates are those of the
same clips, so their intervals are wide: `evaluate --decoding.beam_size` scores a whole split.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import partial

import torch
from measure import conditions, interleave, publish, settings_parser, time_ratio
from speech import add_flags, read_clips

from spt_whisper import DecodingOptions, Whisper, word_error_rate
from spt_whisper.prompts.files import Prompt


@dataclass(frozen=True)
class Row:
    """One count of beams."""

    beams: int
    seconds: float  # median over the rounds
    real_time_factor: float
    by_first: float  # time by that of the first count, which is greedy search
    lowest: float
    highest: float
    wer_percent: float


def main() -> None:
    """Prints the table."""
    parser = settings_parser(__doc__)
    add_flags(parser)
    parser.add_argument("--prompt", required=True, help="folder or hub id")
    parser.add_argument("--clips", type=int, default=60, help="how many (%(default)s)")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 2, 5, 10])
    settings = parser.parse_args()
    made = conditions(settings, clips=settings.clips, prompt=settings.prompt)
    clips = read_clips(settings, settings.clips)
    whisper = Whisper.from_pretrained(
        settings.model, device=settings.device, dtype=getattr(torch, settings.dtype)
    )
    prompt = Prompt.from_pretrained(settings.prompt)
    waveforms = [clip.waveform for clip in clips]
    texts: dict[int, list[str]] = {}

    def transcribe(beams: int) -> None:
        options = DecodingOptions(beam_size=beams)
        results = whisper.transcribe(waveforms, prompt=prompt, options=options)
        texts[beams] = [result.text for result in results]

    seconds = interleave(
        {str(beams): partial(transcribe, beams) for beams in settings.beams}, settings.repeats
    )
    spoken = sum(clip.seconds for clip in clips)
    rows = []
    for beams in settings.beams:
        own = seconds[str(beams)]
        ratio = time_ratio(own, seconds[str(settings.beams[0])])
        median = statistics.median(own)
        errors = word_error_rate([clip.text for clip in clips], texts[beams])
        rows.append(
            Row(
                beams,
                median,
                median / spoken,
                ratio.median,
                ratio.lowest,
                ratio.highest,
                100 * errors.rate,
            )
        )
    publish(f"Beams: {len(clips)} clips, {spoken:.0f} s", made, rows, settings.json)


if __name__ == "__main__":
    main()
