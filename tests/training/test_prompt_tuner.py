"""One training step: what is learned of a batch, and how the batches of an update count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import Optimizer

from spt_whisper.audio import HOP_LENGTH
from spt_whisper.cli import main
from spt_whisper.corpora import CorpusConfig
from spt_whisper.features import log_mel
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.soft_prompt import SoftPrompt
from spt_whisper.training.augmentation import mask_log_mel
from spt_whisper.training.batch import collate
from spt_whisper.training.data_module import ExampleSet
from spt_whisper.training.epoch_batches import Draw
from spt_whisper.training.methods.soft_prompt import PromptLearner
from spt_whisper.training.prompt_tuner import PromptTuner
from spt_whisper.training.recipe import AugmentConfig, DataConfig, OptimizerConfig, Recipe
from spt_whisper.training.run import fit
from spt_whisper.training.schedules import SCHEDULES
from spt_whisper.whisper.loading import FrozenWhisper
from tests.tiny_corpus import fit_flags, write_home
from tests.tiny_model import tiny_whisper
from tests.training.tiny_examples import WINDOW, tiny_examples


def learner(whisper: FrozenWhisper) -> PromptLearner:
    own = PromptConfig(length=2)
    return PromptLearner(SoftPrompt(own, start_vectors(own, whisper.shape, torch.Generator())))


def test_labels_are_smoothed_in_training_alone(tmp_path: Path) -> None:
    whisper = tiny_whisper()
    examples, builder = tiny_examples(tmp_path)
    step = collate([ExampleSet(examples, builder, {})[Draw(0, 0)]], whisper.tokens.end)
    own = learner(whisper)
    plain, smooth = (
        PromptTuner(whisper, own, OptimizerConfig(label_smoothing=share)) for share in (0.0, 0.5)
    )
    with torch.no_grad():
        assert smooth.train()._sums(step).entropy != plain.train()._sums(step).entropy
        assert smooth.eval()._sums(step).entropy == plain.eval()._sums(step).entropy


@pytest.mark.parametrize(
    ("flags", "decay"), [([], 0.0), (["--optimizer.weight_decay", "0.25"], 0.25)]
)
def test_the_decay_is_the_recipes(
    flags: list[str], decay: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = SCHEDULES["one_cycle"], list[float]()

    def looked_at(optimizer: Optimizer, *more: Any) -> Any:
        seen.extend(group["weight_decay"] for group in optimizer.param_groups)
        return real(optimizer, *more)

    monkeypatch.setitem(SCHEDULES, "one_cycle", looked_at)
    made = fit_flags(write_home(tmp_path), tmp_path / "run", "--trainer.max_steps", "1", *flags)
    assert main(["fit", *made]) == 0
    assert seen == [decay]


def test_a_step_hears_the_masks_that_were_drawn(tmp_path: Path) -> None:
    whisper, masks = tiny_whisper(), AugmentConfig(frequency_masks=2, time_masks=2)
    examples, builder = tiny_examples(tmp_path)
    item = ExampleSet(examples, builder, {}, masks)[Draw(0, 3)]
    assert item.waveform is not None
    assert item.mask_seed is not None
    tuner = PromptTuner(whisper, learner(whisper), OptimizerConfig(), masks)
    (found,) = tuner._features(collate([item], whisper.tokens.end), [item.waveform])
    (plain,) = log_mel([item.waveform], WINDOW, 80)
    frames = item.waveform.shape[0] // HOP_LENGTH
    assert not torch.equal(found, plain)
    assert torch.equal(found, mask_log_mel(plain, frames, masks, item.mask_seed))


@pytest.mark.parametrize("utterances", [4, 5])
def test_batches_of_one_update_count_by_their_tokens_like_one_large_batch(
    utterances: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = write_home(tmp_path / "home", train=utterances)

    def gradients(together: int) -> list[torch.Tensor]:
        found: list[torch.Tensor] = []

        def clipped(tuner: PromptTuner, *_: Any, **__: Any) -> None:
            parameters = [p.grad for p in tuner.learner.trained() if p.grad is not None]
            found.append(torch.cat([gradient.flatten() for gradient in parameters]))

        with monkeypatch.context() as patched:
            patched.setattr(PromptTuner, "configure_gradient_clipping", clipped)
            fit(
                Recipe(
                    CorpusConfig(str(home / "corpus")), model=str(home / "model"), output=str(tmp_path / str(together)),
                    languages=["es"], window_seconds=2.0, prompt=PromptConfig(length=4, side="decoder"),
                    data=DataConfig(batch_size=4 // together),
                    trainer={
                        "max_epochs": 1, "precision": "32-true", "enable_progress_bar": False,
                        "accumulate_grad_batches": together,
                    },
                )
            )  # fmt: skip
        return found

    whole, gathered = gradients(1), gradients(4)
    assert len(whole) == len(gathered) == (utterances + 3) // 4
    torch.testing.assert_close(gathered, whole, rtol=1e-3, atol=1e-7)


def test_figures_on_dev_are_those_of_its_tokens_however_it_is_batched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = write_home(tmp_path / "home", train=4)
    rows = [json.loads(line) for line in (home / "corpus/train.jsonl").read_text().splitlines()]
    for number, row in enumerate(rows):
        row["text"] = "a b c " * (1 + 9 * (number % 2))  # short and long in turn
    (home / "corpus/dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found: list[dict[str, float]] = []

    def ended(tuner: PromptTuner) -> None:
        metrics = tuner.trainer.callback_metrics
        found.append({name: float(metrics[name]) for name in ("dev_loss", "dev_token_error")})

    monkeypatch.setattr(PromptTuner, "on_fit_end", ended)
    for size in (1, 4):
        fit(
            Recipe(
                CorpusConfig(str(home / "corpus")), model=str(home / "model"), output=str(tmp_path / str(size)),
                languages=["es"], window_seconds=2.0, prompt=PromptConfig(length=4, side="decoder"),
                data=DataConfig(batch_size=size), optimizer=OptimizerConfig(learning_rate=1e-30),
                trainer={"max_epochs": 1, "precision": "32-true", "enable_progress_bar": False},
            )
        )  # fmt: skip
    assert found[0] == pytest.approx(found[1], rel=1e-4)
