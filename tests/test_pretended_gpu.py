"""Training and decoding on a pretended GPU: tensors of two devices are refused, as on a real one."""

from __future__ import annotations

import random
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map
from transformers import masking_utils

from spt_whisper import CorpusConfig, PromptConfig, Recipe, Whisper
from spt_whisper.engines.engine import Row
from spt_whisper.training.additions import _loss as loss_of_start
from spt_whisper.training.batch import collate
from spt_whisper.training.data_module import ExampleSet
from spt_whisper.training.epoch_batches import Draw
from spt_whisper.training.methods.lapt import LanguageAwareLearner
from spt_whisper.training.preparation import prepare
from spt_whisper.training.preparing_device import placed
from spt_whisper.training.prompt_tuner import PromptTuner
from spt_whisper.training.recipe import AugmentConfig, DataConfig, OptimizerConfig
from spt_whisper.training.run import build_learner
from spt_whisper.whisper.decoding import search
from spt_whisper.whisper.options import DecodingOptions, single_pass
from tests.tiny_corpus import write_corpus
from tests.tiny_model import tiny_whisper
from tests.transcription.noise_and_prompts import noise, wild_prompt

pytestmark = pytest.mark.skipif(not torch.backends.cuda.is_built(), reason="PyTorch without CUDA")
GPU, ATEN = "cuda:0", torch.ops.aten
TO_PYTHON = {ATEN._local_scalar_dense.default, ATEN.item.default}
# where FakeTensorMode lets single numbers of the CPU pass
TOGETHER = {ATEN.cat.default, ATEN.stack.default}


class PretendedGpu(FakeTensorMode):
    """FakeTensorMode watches over devices; beside each of its tensors the numbers are computed on the CPU."""

    def __init__(self) -> None:
        super().__init__(allow_non_fake_inputs=True)
        self.within = False

    def dispatch(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operation: whether its devices agree by the mode, its numbers on the CPU."""
        kwargs = kwargs or {}
        if func in TO_PYTHON:
            return numbers(args[0]).item()
        if self.within or func is torch.ops.prim.device.default:
            return super().dispatch(func, types, args, kwargs)
        if torch.is_inference_mode_enabled() and func._can_decompose():
            with self:  # else autograd has done it
                return func.decompose(*args, **kwargs)
        if func in TOGETHER and len({tensor.device for tensor in args[0]}) > 1:
            raise RuntimeError(f"{func}: found different devices")
        return self._run(func, types, args, kwargs)

    def _run(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        own_args, own_kwargs = tree_map(numbers, (args, kwargs))
        self.within, found = True, None
        with suppress(DynamicOutputShapeException):  # its shape depends on the numbers
            found = super().dispatch(func, types, args, kwargs)
        self.within = False
        with _disable_current_modes():
            real = func(*own_args, **own_kwargs)
            if found is None:
                found = tree_map(lambda own: FakeTensor(self, own.to("meta"), args[0].device), real)
        for fake, own in zip(tree_leaves(found), tree_leaves(real), strict=True):
            if isinstance(fake, FakeTensor):
                fake.numbers, fake.constant = own, None
        return found


def numbers(given: Any) -> Any:
    """What stands behind a pretended tensor; a pretended device is the CPU."""
    if isinstance(given, torch.device):
        return torch.device("cpu")
    return given.numbers if isinstance(given, FakeTensor) else given


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> PretendedGpu:
    def to_numpy(tensor: torch.Tensor) -> Any:
        assert tensor.device.type == "cpu", "NumPy takes no tensor of a GPU"
        with _disable_current_modes():
            return plain(numbers(tensor))

    def generator(decoder: object, seed: str) -> torch.Generator:
        return torch.Generator().manual_seed(random.Random(seed).getrandbits(63))

    def moved(module: nn.Module, *to: Any, **dtype: Any) -> nn.Module:
        if not isinstance(to[0], torch.device):
            return plain_to(module, *to, **dtype)
        put(module, mode, str(to[0]))
        return module

    mode, plain, plain_to = PretendedGpu(), torch.Tensor.numpy, nn.Module.to
    monkeypatch.setattr(nn.Module, "to", moved)
    monkeypatch.setattr(torch.Tensor, "numpy", to_numpy)
    monkeypatch.setattr(search, "_generator", generator)
    # transformers makes masks for such tensors that a real GPU would not get
    monkeypatch.setattr(masking_utils, "is_tracing", lambda *_: False)
    monkeypatch.setattr(FakeTensor, "tolist", lambda tensor: numbers(tensor).tolist())
    return mode


def put(module: nn.Module, gpu: PretendedGpu, device: str = GPU) -> None:
    """Moves a module; what two of its parts share stays one."""
    moved: dict[Tensor, nn.Parameter] = {}
    for part in module.modules():
        for name, own in part.named_parameters(recurse=False):
            if own not in moved:
                with gpu if device == GPU else nullcontext():
                    there = own.detach().to(GPU) if device == GPU else numbers(own)
                    moved[own] = nn.Parameter(there, own.requires_grad)
            part._parameters[name] = moved[own]


def loss(recipe: Recipe, gpu: PretendedGpu | None) -> float:
    whisper = tiny_whisper()
    with placed(whisper.model, torch.device(GPU if gpu else "cpu")), gpu or nullcontext():
        prepared = prepare(recipe, whisper)
        learner = build_learner(recipe, prepared)
    tuner = PromptTuner(whisper, learner, recipe.optimizer, recipe.data.augment, recipe.recompute)
    tuner._trainer = SimpleNamespace(global_step=3)  # type: ignore[assignment]
    if gpu:
        put(tuner, gpu)
        tuner._device = torch.device(GPU)
    kept = {} if learner.on_encoder else {prepared.train[0].states_key: torch.ones(100, 32).half()}
    data = ExampleSet(prepared.train, prepared.builder, kept, recipe.data.augment)
    with gpu or nullcontext():
        items = [data[Draw(0, index)] for index in range(3)]
        batch = collate(items, prepared.builder.tokens.end).to(tuner.device)
        return tuner.train()._sums(batch).over_processes().loss.item()


EVERYWHERE = ["input", "attention", "cross", "feed_forward", "language"]
RUNS: dict[str, dict[str, Any]] = {
    "prompt": {"prompt": PromptConfig(length=4, site=EVERYWHERE), "recompute": True},
    "decoder, states kept": {"prompt": PromptConfig(length=4, side="decoder")},
    "gated, masks, dropout": {
        "prompt": PromptConfig(length=4, site=["attention", "cross", "feed_forward"], gate=True),
        "data": DataConfig(augment=AugmentConfig(frequency_masks=1, time_masks=1)),
        "optimizer": OptimizerConfig(slot_dropout=0.3, label_smoothing=0.1),
    },
    "lapt": {"method": "lapt", "prompt": PromptConfig(length=4)},
    "language_prompts": {"method": "language_prompts", "prompt": PromptConfig(length=4)},
    "lora": {"method": "lora"},
    "full": {"method": "full"},
}  # fmt: skip


@pytest.mark.parametrize("run", RUNS)
def test_a_step_has_the_loss_on_a_gpu_that_it_has_on_the_processor(
    run: str, gpu: PretendedGpu, tmp_path: Path
) -> None:
    corpus = CorpusConfig(str(write_corpus(tmp_path, train=3)))
    recipe = Recipe(corpus, window_seconds=2.0, **RUNS[run])
    assert loss(recipe, gpu) == pytest.approx(loss(recipe, None), abs=1e-4)


def test_the_start_of_a_part_is_chosen_on_a_gpu_as_on_the_processor(
    gpu: PretendedGpu, tmp_path: Path
) -> None:
    corpus = CorpusConfig(str(write_corpus(tmp_path, train=3)))
    recipe = Recipe(corpus, window_seconds=2.0, method="lapt", prompt=PromptConfig(length=4))
    losses = []
    for mode in (None, gpu):
        whisper = tiny_whisper()
        with placed(whisper.model, torch.device(GPU if mode else "cpu")), mode or nullcontext():
            prepared = prepare(recipe, whisper)
            learner = cast(LanguageAwareLearner, build_learner(recipe, prepared))
            losses.append(loss_of_start(learner, recipe, prepared))
        assert {parameter.device.type for parameter in learner.parameters()} == {"cpu"}
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)


OPTIONS = {
    "beams, times": single_pass(
        beam_size=2, timestamps=True, word_timestamps=True, tokens_per_second=3.0, extra_tokens=0
    ),
    "left padding": single_pass(hotwords="wasi", tokens_per_second=3.0, extra_tokens=0),
    "samples": DecodingOptions(
        temperatures=[0.0, 1.0], best_of=2, tokens_per_second=3.0, extra_tokens=0
    ),
}


@pytest.mark.parametrize("options", OPTIONS)
def test_prompts_of_all_kinds_write_on_a_gpu_what_they_write_on_the_processor(
    options: str, gpu: PretendedGpu
) -> None:
    written = []
    for mode in (nullcontext(), gpu):
        whisper = Whisper(tiny_whisper(seed=3))
        prompts = [
            wild_prompt(whisper, 1, site=EVERYWHERE[:4]),
            None,
            wild_prompt(whisper, 2, site=["attention", "cross"], gate=True),
        ]
        rows = [Row(noise(2.0 - 0.5 * n, n), own, ("es",)) for n, own in enumerate(prompts)]
        rows.append(Row(noise(1.0, 3)))  # whose language is heard
        if mode is gpu:
            put(whisper.frozen.model, gpu)
        with mode:
            found = whisper.engine.decode_batch(rows, 2.0, OPTIONS[options])
        written.append([(own.hypothesis.tokens, own.languages) for own in found])
    assert written[0] == written[1]
