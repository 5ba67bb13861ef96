"""Every method trains two steps through the command line, is saved, loaded, and transcribes in a mixed batch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from spt_whisper.cli import main
from spt_whisper.cli.parser import command_parser, instantiate
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.engines.engine import Row
from spt_whisper.errors import InputError
from spt_whisper.evaluation.report import Report
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.training import methods
from spt_whisper.training.batch import collate
from spt_whisper.training.data_module import ExampleSet
from spt_whisper.training.epoch_batches import Draw
from spt_whisper.training.methods.adapted_model import LoraLearner
from spt_whisper.training.methods.language_prompts import LanguagePromptsLearner
from spt_whisper.training.preparation import prepare
from spt_whisper.training.prompt_tuner import PromptTuner
from spt_whisper.training.recipe import LoraConfig, OptimizerConfig, Recipe
from spt_whisper.training.run import build_learner, fit
from spt_whisper.training.start import Listener
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.whisper.adapted import CARD_FILE, adapter_base, read_model_card, write_card
from spt_whisper.whisper.fingerprint import fingerprint_weights
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import single_pass
from tests.tiny_corpus import write_home, write_model
from tests.tiny_model import tiny_whisper

METHODS: dict[str, list[str]] = {
    "prompt": ["--languages", "[es]"],
    "prompt, cross": ["--languages", "[es]", "--prompt.site", "cross"],
    "prompt, gated": [
        "--languages", "[es]", "--prompt.site", "[attention, cross]", "--prompt.gate", "true",
    ],
    "prompt, key_value": [
        "--languages", "[es]", "--prompt.site", "attention", "--prompt.parameterization", "key_value",
    ],
    "prompt, low_rank": ["--languages", "[es]", "--prompt.parameterization", "low_rank"],
    "prompt, soft language": ["--languages", "[es]", "--prompt.site", "[feed_forward, language]"],
    "slct": ["--languages", "[es]"],
    "slct, heard": ["--corpus.language", "qug"],
    "spt4asr": ["--languages", "[zh, en]"],
    "language_prompts": ["--languages.zh", "[zh]", "--languages.en", "[en]"],
    "lapt": ["--languages.zh", "[zh]", "--languages.en", "[en]"],
    "lapt, attention": ["--prompt.site", "attention", "--lapt.combine", "hadamard"],
    "lapt, concat": ["--lapt.combine", "concat", "--lapt.soft_token", "false"],
    "lora": ["--languages", "[es]"],
    "lora, decoder": ["--languages", "[es]", "--lora.side", "decoder", "--lora.targets", "all_linear"],
    "full": ["--languages", "[es]"],
    "full_with_prompts": ["--languages", "[es]"],
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(
        tmp_path_factory.mktemp("methods"), train=6, dev=4, test=4, languages=("zh", "en", "zh+en")
    )


def arguments(home: Path, output: Path, method: str) -> list[str]:
    return [
        "--corpus.root", str(home / "corpus"), "--model", str(home / "model"), "--output", str(output),
        "--method", method.split(",")[0], "--window_seconds", "2", "--prompt.length", "4",
        "--data.batch_size", "3", "--optimizer.learning_rate", "0.05",
        "--optimizer.model_learning_rate", "0.01", "--trainer.precision", "32-true",
        "--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false", *METHODS[method],
    ]  # fmt: skip


@pytest.fixture(scope="module")
def runs(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Fits a method once, and gives the folder of its run."""
    made: dict[str, Path] = {}

    def run(method: str) -> Path:
        if method not in made:
            made[method] = tmp_path_factory.mktemp("run")
            assert main(["fit", *arguments(home, made[method], method)]) == 0
        return made[method]

    return run


@pytest.mark.slow
def test_no_warning_of_a_library_stands_before_the_user(home: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "spt_whisper", "fit", *arguments(home, tmp_path / "run", "lora")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Warning:" not in done.stderr + done.stdout


IN_PYTHON = """
import logging, sys, warnings
from pathlib import Path
from spt_whisper import (
    CorpusConfig, EvaluateConfig, Prompt, PromptConfig, Recipe, evaluate, fit, read_split, word_error_rate,
)
home, output, method = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
corpus, lightning = CorpusConfig(root=home / "corpus"), logging.getLogger("lightning.pytorch")
recipe = Recipe(
    corpus=corpus, model=home / "model", output=output, method=method, languages=["es"], window_seconds=2.0,
    prompt=PromptConfig(length=4), trainer={"max_epochs": 1, "enable_progress_bar": False},
)
before = [*warnings.filters], lightning.level
result = fit(recipe)
assert ([*warnings.filters], lightning.level) == before
report = evaluate(EvaluateConfig(corpus=corpus, zero_shot=False, **{result.artifact: result.folder}))
scored = report.systems[0]
errors = word_error_rate(
    [utterance.text for utterance in read_split(corpus, "test")], [own.hypothesis for own in scored.details]
)
assert errors.rate == scored.wer
print(result.folder)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("method", "artifact"), [("prompt", "prompt"), ("lora", "model")])
def test_in_python_a_run_is_trained_and_scored_as_quietly(
    method: str, artifact: str, home: Path, tmp_path: Path
) -> None:
    """Settings may be paths; what the user had set for warnings and logs is as before."""
    call = [sys.executable, "-c", IN_PYTHON, str(home), str(tmp_path / "run"), method]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "run" / artifact)]
    lines = [line for line in done.stderr.splitlines() if "Loading weights" not in line]
    assert not "".join(lines).strip()


def artifact(run: Path) -> tuple[str, Path]:
    kind = next(name for name in ("prompt", "bank", "model") if (run / name).is_dir())
    return kind, run / kind


def test_every_method_of_the_table_is_tried_here() -> None:
    assert {method.split(",")[0] for method in METHODS} == set(methods.METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_trained_saved_loaded_and_scored(
    method: str, runs: Callable[[str], Path], home: Path
) -> None:
    kind, folder = artifact(runs(method))
    status = main(
        ["evaluate", "--corpus.root", str(home / "corpus"), f"--{kind}", str(folder), "--zero_shot", "false"]
    )  # fmt: skip
    assert status == 0
    (system,) = Report.read(runs(method) / "report.json").systems
    assert system.name == {"prompt": "prompt", "bank": "bank", "model": "adapted"}[kind]
    assert system.utterances == 4


@pytest.mark.slow
def test_prompts_of_all_methods_share_a_batch(runs: Callable[[str], Path], home: Path) -> None:
    prompts: list[Prompt | None] = [None]
    for method in METHODS:
        kind, folder = artifact(runs(method))
        if kind == "prompt" and method != "full_with_prompts":  # whose Whisper is another
            prompts.append(Prompt.from_pretrained(folder))
        if kind == "bank":
            bank = Bank.from_pretrained(folder)
            prompts += [bank.prompt(language) for language in bank.languages]
    whisper = Whisper.from_pretrained(home / "model")
    noise = torch.randn(len(prompts), 16_000, generator=torch.Generator().manual_seed(0))
    rows = [Row(wave * 0.1, prompt, ("es",) if prompt is None else None) for wave, prompt in zip(noise, prompts, strict=True)]  # fmt: skip
    options = single_pass(tokens_per_second=5.0)
    together = whisper.decode(rows, options, 2.0, batch_size=len(rows))
    for row, found in zip(rows, together, strict=True):
        alone = whisper.decode([row], options, 2.0)[0]
        assert found.hypothesis.tokens == alone.hypothesis.tokens


def recipe_of(flags: list[str]) -> Recipe:
    """The recipe that `spt-whisper fit` would build."""
    parser = command_parser("fit", "")
    parser.add_class_arguments(Recipe, None)
    return Recipe(**vars(instantiate(parser, flags)))


@pytest.mark.parametrize("method", METHODS)
def test_exactly_what_the_method_trains_gets_gradient(
    method: str, home: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(arguments(home, tmp_path, method))
    whisper = FrozenWhisper.from_pretrained(home / "model")
    assert not any(parameter.requires_grad for parameter in whisper.model.parameters())
    prepared = prepare(recipe, whisper)
    learner = build_learner(recipe, prepared)
    data = ExampleSet(prepared.train, prepared.builder, {})
    batch = collate(
        [data[Draw(0, index)] for index in range(len(prepared.train))], whisper.tokens.end
    )
    tuner = PromptTuner(whisper, learner, recipe.optimizer)
    tuner._sums(batch).loss.backward()
    reached = {name for name, p in tuner.named_parameters() if p.grad is not None}
    trained = {id(parameter) for parameter in learner.trained()}
    assert reached == {name for name, p in tuner.named_parameters() if id(p) in trained}
    of_whisper = [p for p in whisper.model.parameters() if p.grad is not None]
    assert bool(of_whisper) == (recipe.method in ("lora", "full", "full_with_prompts"))
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in learner.trained())
    if recipe.method == "slct":
        assert learner.trained_parameters == whisper.shape.width
    if recipe.method == "full":
        fixed = whisper.model.model.encoder.embed_positions.weight.numel()
        assert learner.trained_parameters == whisper.model.num_parameters() - fixed


def test_both_tokens_of_a_mix_reach_the_decoder(home: Path, runs: Callable[[str], Path]) -> None:
    """In training and in decoding, whatever languages an utterance's own tag names."""
    recipe = Recipe(
        CorpusConfig(str(home / "corpus")), method="spt4asr", model=str(home / "model"),
        languages=["zh", "en"], window_seconds=2.0,
    )  # fmt: skip
    whisper = FrozenWhisper.from_pretrained(home / "model")
    prepared = prepare(recipe, whisper)
    both = [whisper.tokens.language("zh"), whisper.tokens.language("en")]
    for example in prepared.train:
        inputs, _ = prepared.builder.inputs_and_labels(example, 0)
        start = inputs.index(whisper.tokens.start_of_transcript)
        assert inputs[start + 1 : start + 3] == both
    prompt = Prompt.from_pretrained(runs("spt4asr") / "prompt")
    assert prompt.card.language_tokens == ("zh", "en")
    found = Whisper(whisper).decode([Row(torch.zeros(8000), prompt)], single_pass())
    assert found[0].languages == ("zh", "en")


@pytest.mark.parametrize("method", ["spt4asr", "language_prompts"])
def test_the_prompts_of_a_mix_start_apart(method: str, tmp_path: Path) -> None:
    """All speech is mixed: each language's prompt is captured from the same utterances."""
    home = write_home(tmp_path, languages=("zh+en",))
    by_language = {"zh": ["zh"], "en": ["en"]}
    recipe = Recipe(
        CorpusConfig(str(home / "corpus")), method=method, model=str(home / "model"), window_seconds=2.0,
        languages=["zh", "en"] if method == "spt4asr" else by_language,
        prompt=PromptConfig(site="attention", length=4),
    )  # fmt: skip
    learner = build_learner(recipe, prepare(recipe, FrozenWhisper.from_pretrained(home / "model")))
    assert isinstance(learner, LanguagePromptsLearner)
    zh, en = (learner.prompt_of(code).fold().named_tensors() for code in ("zh", "en"))
    assert set(zh) == {"encoder.attention.vector", "decoder.attention.vector"}
    for name in zh:
        assert not torch.equal(zh[name], en[name])


def test_dropout_of_lora_is_there_in_training_alone() -> None:
    whisper = tiny_whisper()
    tuner = PromptTuner(whisper, LoraLearner(whisper, LoraConfig(dropout=0.5)), OptimizerConfig())
    dropouts = [m for m in whisper.model.modules() if isinstance(m, nn.Dropout)]
    assert dropouts
    tuner.train()
    assert all(dropout.training for dropout in dropouts)
    assert not whisper.model.training
    tuner.eval()
    assert not any(dropout.training for dropout in dropouts)


def test_a_lora_adapter_is_peft_own_and_changes_the_model(
    runs: Callable[[str], Path], home: Path
) -> None:
    folder = runs("lora") / "model"
    assert {path.name for path in folder.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "spt_whisper.json",
    }  # fmt: skip
    base = FrozenWhisper.from_pretrained(home / "model")
    adapted = FrozenWhisper.from_pretrained(folder)
    assert fingerprint_weights(adapted.model) != base.fingerprint
    assert adapted.card is not None
    assert adapted.card.fingerprint == base.fingerprint
    found = Whisper(adapted).decode([Row(torch.zeros(8000))], single_pass())
    assert found[0].languages == ("es",)  # the token it was trained with, without being told
    (folder / "adapter_model.safetensors").rename(folder / "gone")
    with pytest.raises(InputError, match="no adapter_model.safetensors in it"):
        FrozenWhisper.from_pretrained(folder)
    (folder / "gone").rename(folder / "adapter_model.safetensors")


@pytest.mark.parametrize(
    ("method", "folder"),
    [("prompt", "prompt"), ("lora", "model"), ("full", "model"), ("spt4asr", "prompt")],
)
def test_a_folder_of_somebody_else_is_refused_before_training(
    method: str, folder: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "run" / folder / "my_only_copy.py"
    own.parent.mkdir(parents=True)
    own.write_text("1")
    assert main(["fit", *arguments(home, tmp_path / "run", method)]) == 2
    kind = "model of spt-whisper" if folder == "model" else "prompt"
    assert f"holds files that are not a {kind}; name another folder" in capsys.readouterr().err
    assert own.read_text() == "1"
    assert not (tmp_path / "run" / "logs").exists()


@pytest.mark.parametrize("method", ["lora", "full"])
def test_what_lies_in_a_model_is_not_lost(
    method: str,
    runs: Callable[[str], Path],
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(runs(method) / "model", tmp_path / "model")
    assert main(["fit", *arguments(home, tmp_path, method)]) == 0
    own = tmp_path / "model" / "README.md"
    own.write_text("mine")
    assert main(["fit", *arguments(home, tmp_path, method)]) == 2
    assert "holds README.md beside the model, which would be lost" in capsys.readouterr().err
    assert own.read_text() == "mine"


def test_an_adapted_model_is_the_same_in_any_format(runs: Callable[[str], Path]) -> None:
    folder = runs("lora") / "model"
    formats = (torch.float32, torch.bfloat16)
    assert (
        len({FrozenWhisper.from_pretrained(folder, dtype=dtype).fingerprint for dtype in formats})
        == 1
    )


def test_an_adapter_trained_on_an_adapted_model_belongs_to_that(
    runs: Callable[[str], Path], home: Path, tmp_path: Path
) -> None:
    before = runs("lora") / "model"
    assert main(["fit", *arguments(home, tmp_path, "lora"), "--model", str(before)]) == 0
    adapted = FrozenWhisper.from_pretrained(tmp_path / "model")
    assert adapter_base(tmp_path / "model") == str(before)
    assert adapted.card is not None
    assert adapted.card.fingerprint == FrozenWhisper.from_pretrained(before).fingerprint


def test_an_adapter_names_its_base_as_others_find_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPT_WHISPER_CACHE", str(tmp_path / "cache"))
    shutil.copytree(home / "model", tmp_path / "cache" / "whisper-base")
    shutil.copytree(home / "model", tmp_path / "mine")
    for model, name in (("base", "openai/whisper-base"), (str(tmp_path / "mine"),) * 2):
        base = FrozenWhisper.from_pretrained(model)
        card = PromptCard(base.name, base.fingerprint, base.shape, ("qug",), ("es",))
        folder = LoraLearner(base, LoraConfig()).write(tmp_path / "run", card)
        assert adapter_base(folder) == name
    write_card(folder / CARD_FILE, replace(card, base="openai/whisper-base"))
    (tmp_path / "mine").rename(tmp_path / "moved")  # as on another machine
    assert FrozenWhisper.from_pretrained(folder).card is not None
    write_model(tmp_path / "cache" / "whisper-base", seed=1)
    with pytest.raises(InputError, match="load the adapter's own base model"):
        FrozenWhisper.from_pretrained(folder)


def test_the_prompt_of_full_with_prompts_belongs_to_the_new_model(
    runs: Callable[[str], Path], home: Path
) -> None:
    run = runs("full_with_prompts")
    prompt = Prompt.from_pretrained(run / "prompt")
    adapted = FrozenWhisper.from_pretrained(run / "model")
    prompt.check_base(adapted)
    base = FrozenWhisper.from_pretrained(home / "model")
    with pytest.raises(InputError, match="load the prompt's own base model"):
        prompt.check_base(base)


def test_wrong_pairs_of_method_and_settings_are_refused(home: Path, tmp_path: Path) -> None:
    def recipe(**settings: object) -> Recipe:
        values = {"model": str(home / "model"), "output": str(tmp_path), "window_seconds": 2.0}
        return Recipe(CorpusConfig(str(home / "corpus")), **{**values, **settings})  # type: ignore[arg-type]

    with pytest.raises(InputError, match="method zero_shot: trains nothing"):
        fit(recipe(method="zero_shot"))
    with pytest.raises(InputError, match="spt4asr wants the Whisper tokens of the mix"):
        fit(recipe(method="spt4asr", languages=["zh"]))
    with pytest.raises(InputError, match="each once, such as"):
        fit(recipe(method="spt4asr", languages=["zh", "zh"]))
    with pytest.raises(InputError, match=r"prompt\.length: found 1200 at attention"):
        fit(
            recipe(
                method="spt4asr", languages=["zh", "en"],
                prompt=PromptConfig(side="decoder", site="attention", length=600),
            )
        )  # fmt: skip
    with pytest.raises(InputError, match="have different language tokens"):
        fit(recipe(languages={"zh": ["zh"], "en": ["en"]}))
    with pytest.raises(InputError, match=r"languages.zh: found zh\+es; wanted one token"):
        fit(recipe(method="lapt", languages={"zh": ["zh", "es"], "en": ["en"]}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", ["language_prompts", "lapt"])
def test_each_language_of_a_bank_has_the_key_of_its_own_speech(
    method: str, runs: Callable[[str], Path], home: Path
) -> None:
    bank = Bank.from_pretrained(runs(method) / "bank")
    listener = Listener(FrozenWhisper.from_pretrained(home / "model"))
    spoken = read_split(CorpusConfig(str(home / "corpus")), "train")
    assert len(bank.languages) == 2
    for language in bank.languages:
        own = [utterance for utterance in spoken if language in utterance.languages]
        assert bank.card(language).key == listener.hear(own, 2.0).key()


@pytest.mark.parametrize(
    ("side", "targets", "layers"),
    [
        ("entire", "attention", 2 * 4 + 2 * 8), ("encoder", "attention", 2 * 4), ("decoder", "attention", 2 * 8),
        ("decoder", "feed_forward", 2 * 2), ("encoder", "all_linear", 2 * 6),
    ],
)  # fmt: skip
def test_lora_stands_where_it_is_asked_for_and_is_scaled(
    side: Any, targets: Any, layers: int
) -> None:
    whisper = tiny_whisper()
    own = LoraLearner(whisper, LoraConfig(rank=4, alpha=12, side=side, targets=targets))
    assert len(own.weights) == 2 * layers
    assert own.on_encoder == (side != "decoder")
    scaled = [m for m in whisper.model.modules() if hasattr(m, "scaling") and hasattr(m, "lora_A")]
    assert {m.scaling["default"] for m in scaled} == {3.0}


def test_a_bank_stores_shared_vectors_and_parts(runs: Callable[[str], Path]) -> None:
    bank = Bank.from_pretrained(runs("lapt") / "bank")
    assert bank.shared is not None
    parts = sum(part.parameter_count for part in bank.parts.values())
    stored = bank.shared.card.training["stored_parameters"]
    assert stored == bank.shared.parameter_count + parts


@pytest.mark.parametrize("method", ["full", "full_with_prompts"])
def test_a_fine_tuned_model_stores_all_of_its_weights(
    method: str, runs: Callable[[str], Path]
) -> None:
    run = runs(method)
    stored = sum(
        tensor.numel()
        for file in run.glob("*/*.safetensors")
        for tensor in load_file(file).values()
    )
    card = read_model_card(run / "model")
    assert card is not None
    assert card.training["stored_parameters"] == stored


@pytest.mark.parametrize(
    ("method", "share"), [("prompt", 0.2), ("language_prompts", 0.2), ("full_with_prompts", 0.0)]
)
def test_whole_prompts_of_a_frozen_whisper_have_dropout_in_many_epochs(
    method: str, share: float, home: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(arguments(home, tmp_path, method))
    prepared = prepare(recipe, FrozenWhisper.from_pretrained(home / "model"))
    assert build_learner(recipe, prepared).slot_dropout == share
