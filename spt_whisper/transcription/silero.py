"""Silero's network for voice activity: frames of 32 ms -> probability of speech.

The weights come with the package `silero-vad` (https://github.com/snakers4/silero-vad, MIT), as safetensors; its
TorchScript file holds another training of the same network. Its own code is not imported: that would set PyTorch to
one thread for everyone, and takes frame by frame, some ten times slower than here, where only the LSTM does.

The network remembers how loud the speech was, and takes a quiet speaker behind a loud one for silence. So each frame is
first brought to the same level, by the loudest frame of the last second.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import distribution

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import max_pool1d, pad, relu

_CONTEXT_SAMPLES = 64  # of the frame before, which the network sees too
_BINS = 129  # of a Fourier transform of 256 samples, each 128
_LEVEL = 0.05  # root mean square to which frames are brought
_LEVEL_FRAMES = 31  # 1 s by whose loudest frame they are
_GAINS = (0.2, 100.0)  # lowest and highest factor: silence stays silent
_WEIGHTS = "silero_vad/data/silero_vad_16k.safetensors"


class SileroNetwork(nn.Module):
    """Spectrum, four convolutions within a frame, an LSTM over the frames; modules are named as in the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 2 * _BINS, 256, stride=128, bias=False)
        self.conv1 = nn.Conv1d(_BINS, 128, 3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, 128, 3, padding=1)
        self.lstm_cell = nn.LSTM(128, 128)
        self.final_conv = nn.Conv1d(128, 1, 1)

    def forward(
        self, frames: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Scores frames that follow each other.

        Args:
            frames: (frames, 64 + 512), each with the end of the one before.
            state: of the LSTM, after the frame before the first.

        Returns:
            Probabilities (frames,), and the state after the last.
        """
        real, imaginary = self.stft_conv(pad(frames, (0, 64), mode="reflect")[:, None]).split(
            _BINS, dim=1
        )
        hidden = (real.square() + imaginary.square()).sqrt()  # (frames, bins, 4)
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            hidden = relu(convolution(hidden))
        hidden, state = self.lstm_cell(hidden.squeeze(-1), state)  # (frames, 128)
        return self.final_conv(hidden.relu()[..., None]).sigmoid().flatten(), state


class SpeechProbability:
    """Probability of speech in each frame of one recording, whatever the calls that its frames come in."""

    def __init__(self) -> None:
        self._network = _network()
        self._context = torch.zeros(1, _CONTEXT_SAMPLES)
        self._state: tuple[Tensor, Tensor] | None = None
        self._loudness = torch.zeros(_LEVEL_FRAMES)  # of the last frames

    @torch.inference_mode()
    def __call__(self, frames: Tensor) -> Tensor:
        """(frames, 512), the next ones of the recording -> (frames,)."""
        frames = self._leveled(frames)
        ends = frames[:, -_CONTEXT_SAMPLES:]
        contexts = torch.cat([self._context, ends[:-1]])
        self._context = ends[-1:].clone()  # not a view, which would keep all the frames
        scores, self._state = self._network(torch.cat([contexts, frames], dim=1), self._state)
        return scores

    def _leveled(self, frames: Tensor) -> Tensor:
        """(frames, 512) -> the same, with the gain of the last second."""
        loudness = torch.cat([self._loudness, frames.square().mean(dim=1).sqrt()])
        self._loudness = loudness[-_LEVEL_FRAMES:].clone()
        loudest = max_pool1d(loudness[None], _LEVEL_FRAMES + 1, stride=1)[0]
        return frames * (_LEVEL / loudest.clamp(min=1e-6)).clamp(*_GAINS)[:, None]


@cache
def _network() -> SileroNetwork:
    weights = load_file(str(distribution("silero-vad").locate_file(_WEIGHTS)))
    network = SileroNetwork()
    network.load_state_dict(
        {f"{name}_l0" if "lstm" in name else name: value for name, value in weights.items()}
    )
    return network.eval()
