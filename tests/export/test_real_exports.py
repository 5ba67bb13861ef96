"""On the real Whisper base: plain faster-whisper, plain transformers and onnxruntime write what we write with the prompt on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from spt_whisper import Prompt, PromptConfig, Whisper
from spt_whisper.audio import load_audio
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.vectors import PromptVectors
from spt_whisper.whisper.options import single_pass
from tests.export.exported import exported

pytestmark = [pytest.mark.real_weights, pytest.mark.slow]
COUNT = 8  # vectors of the decoder input prompt


@pytest.fixture(scope="module")
def base() -> Whisper:
    return Whisper.from_pretrained("base", device="cpu")


@pytest.fixture(scope="module")
def prompt(base: Whisper, tmp_path_factory: pytest.TempPathFactory) -> Prompt:
    """Small random slots in the decoder, and the vectors of eight words in the decoder's input."""
    frozen, generator = base.frozen, torch.Generator().manual_seed(0)
    config = PromptConfig(side="decoder", site=["feed_forward", "input"], length=COUNT)
    tensors = {
        name: 0.01 * torch.randn(1, *shape, generator=generator)
        for name, shape in config.tensor_shapes(frozen.shape).items()
    }
    words = frozen.model.model.decoder.embed_tokens.weight[2000 : 2000 + COUNT]
    tensors["decoder.input.vector"] = words[None, None]
    card = PromptCard(frozen.name, frozen.fingerprint, frozen.shape, ("en",), ("en",))
    folder = tmp_path_factory.mktemp("prompt") / "prompt"
    Prompt(config, PromptVectors.from_named_tensors(tensors), card).save_pretrained(folder)
    return Prompt.from_pretrained(folder)


@pytest.fixture(scope="module")
def clips(shared_data: Path) -> list[torch.Tensor]:
    found = sorted((shared_data / "fleurs_control" / "audio").iterdir())
    return [load_audio(path) for path in found[:4]]


def ours(base: Whisper, prompt: Prompt | None, clip: torch.Tensor, timed: bool) -> str:
    options = single_pass(timestamps=timed)
    return base.transcribe(
        clip, prompt=prompt, options=options, window_seconds=30.0, voice_activity=None
    ).text


def test_plain_faster_whisper(
    base: Whisper, prompt: Prompt, clips: list[torch.Tensor], tmp_path: Path
) -> None:
    faster = pytest.importorskip("faster_whisper")
    folder = exported(prompt, "ctranslate2", tmp_path / "out")
    model = faster.WhisperModel(str(folder), device="cpu", compute_type="float32")
    never = json.loads((folder / "config.json").read_text())["suppress_ids"]
    words = "".join(f"<|prompt{n}|>" for n in range(COUNT))
    for clip in clips:
        for timed in (False, True):
            waveform = np.pad(clip.numpy(), (0, 480_000 - len(clip)))
            segments, _ = model.transcribe(
                waveform, language="en", hotwords=words, suppress_tokens=never, condition_on_previous_text=False,
                beam_size=1, temperature=0.0, without_timestamps=not timed,
            )  # fmt: skip
            text = "".join(segment.text for segment in segments if segment.seek == 0)
            assert text.split() == ours(base, prompt, clip, timed).split()


def test_plain_transformers(
    base: Whisper, prompt: Prompt, clips: list[torch.Tensor], tmp_path: Path
) -> None:
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    folder = exported(prompt, "transformers", tmp_path / "out")
    processor = WhisperProcessor.from_pretrained(folder)
    model = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    names = ["<|startofprev|>", *(f"<|prompt{n}|>" for n in range(COUNT))]
    ids = torch.tensor(processor.tokenizer.convert_tokens_to_ids(names))
    for clip in clips:
        audio = processor(clip.numpy(), sampling_rate=16_000, return_tensors="pt")
        tokens = model.generate(
            audio.input_features, language="en", task="transcribe", prompt_ids=ids
        )
        text = processor.batch_decode(tokens, skip_special_tokens=True)[0]
        assert text.split() == ours(base, prompt, clip, timed=False).split()


def test_onnxruntime(
    base: Whisper, prompt: Prompt, clips: list[torch.Tensor], tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript")
    graphs = Whisper.from_pretrained(exported(prompt, "onnx", tmp_path / "out"))
    for clip in clips:
        assert ours(graphs, None, clip, True) == ours(base, prompt, clip, True)
