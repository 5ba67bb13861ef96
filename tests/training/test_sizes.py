"""Every published width of Whisper trains a prompt at every site, on two random layers, and transcribes with it."""

from __future__ import annotations

from pathlib import Path

import lightning
import pytest
import torch

from spt_whisper import Prompt, Whisper
from spt_whisper.corpora import CorpusConfig
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.training.preparation import prepare
from spt_whisper.training.recipe import DataConfig, OptimizerConfig, Recipe
from spt_whisper.training.run import build_learner, make_card, train
from tests.tiny_corpus import write_corpus
from tests.tiny_model import tiny_whisper

# width, heads, mel bins, layers of encoder and decoder (openai/whisper, `ModelDimensions` of each checkpoint)
SIZES = {
    "tiny": (384, 6, 80, 2, 2),
    "base": (512, 8, 80, 2, 2),
    "small": (768, 12, 80, 2, 2),
    "medium": (1024, 16, 80, 2, 2),
    "large-v3": (1280, 20, 128, 2, 2),
    "turbo": (1280, 20, 128, 2, 1),  # fewer layers in the decoder
}


@pytest.mark.parametrize("size", SIZES)
def test_a_prompt_trains_and_transcribes_at_every_width(size: str, tmp_path: Path) -> None:
    width, heads, mels, layers, decoder_layers = SIZES[size]
    whisper = tiny_whisper(
        width=width, heads=heads, mels=mels, layers=layers, decoder_layers=decoder_layers
    )
    corpus = write_corpus(tmp_path / "corpus", train=2, dev=1)
    recipe = Recipe(
        CorpusConfig(str(corpus)), output=str(tmp_path / "run"), window_seconds=2.0, languages=["es"],
        prompt=PromptConfig(site=["input", "attention", "cross", "feed_forward"], length=2),
        data=DataConfig(batch_size=1), optimizer=OptimizerConfig(learning_rate=0.01),
        trainer={"max_epochs": 2, "enable_progress_bar": False, "precision": "32-true", "accelerator": "cpu"},
    )  # fmt: skip
    lightning.seed_everything(0, verbose=False)
    fingerprint, prepared = whisper.fingerprint, prepare(recipe, whisper)
    learner = build_learner(recipe, prepared)
    start = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    numbers = train(recipe, prepared, learner)
    assert numbers.last_loss is not None
    moved = [not torch.equal(tensor, start[name]) for name, tensor in learner.state_dict().items()]
    assert all(moved)
    folder = learner.write(tmp_path / "run", make_card(recipe, prepared, numbers, fingerprint))
    prompt = Prompt.from_pretrained(folder)
    assert prompt.card.shape == whisper.shape
    audio = str(corpus / "audio" / "test0.wav")
    assert isinstance(Whisper(whisper).transcribe(audio, prompt=prompt).text, str)
