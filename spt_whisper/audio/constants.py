"""The constants of Whisper's input."""

from __future__ import annotations

SAMPLE_RATE = 16_000  # samples a second
HOP_LENGTH = 160  # samples from one log-mel frame to the next
FRAMES_PER_SECOND = SAMPLE_RATE // HOP_LENGTH  # 100: one log-mel frame each 10 ms
STATES_PER_SECOND = FRAMES_PER_SECOND // 2  # 50: the second convolution halves the frames
WINDOW_SECONDS = 30  # what Whisper was trained on: 480,000 samples, 3000 frames, 1500 states
