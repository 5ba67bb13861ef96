"""From where on a corpus check complains: every threshold, with its reason."""

from __future__ import annotations

# Speech is mostly recorded at -40 to -10 dB of full scale, but FLEURS has good clips at -68 dB, and
# Whisper, which scales its input, hears them. Below this, 16 bits leave nothing to hear.
SILENT_DECIBELS = -75.0

# A sample this close to full scale counts as clipped: 1 itself is out of reach of 16-bit audio
# (32767 / 32768), and codecs and resampling move the flat tops of waves a little.
FULL_SCALE = 0.999

# Share of clipped samples: one millisecond a second. A loud recording touches full scale now and
# then; an overdriven one stays there.
CLIPPED_SHARE = 0.001

# Seconds by which a corpus's duration may be off: codecs fill up their first and last frames (mp3:
# about 0.1 s), and corpora round.
DURATION_SECONDS = 0.25

# Pace is UTF-8 bytes of text a second of audio: in bytes, unlike in letters, scripts are about as
# fast as each other. An outlier is so many robust standard deviations (of the logarithm) from the
# median of its languages: 5, since speech with its pauses has heavier tails than a Gaussian.
PACE_DEVIATIONS = 5.0

# The logarithms of pace spread by at least this: in a corpus read by a machine they hardly spread
# at all, and small differences would be named.
PACE_LEAST_SPREAD = 0.1

# Seconds below which an utterance is not called too slow: the pauses around its one or two words
# are longer than they are. It may still be too fast.
PACE_SLOW_SECONDS = 2.0

# Fewer utterances of a language than this do not tell its usual pace.
PACE_FEWEST = 30
