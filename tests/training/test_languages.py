"""Corpora in several languages: which tokens, prompts and places each method uses, in training and in decoding."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from spt_whisper.corpora import CorpusConfig
from spt_whisper.engines.engine import Row
from spt_whisper.errors import InputError
from spt_whisper.evaluation.learned import read_learned
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.files import Prompt
from spt_whisper.training.expansion import add_language
from spt_whisper.training.expansion_settings import ExpansionConfig
from spt_whisper.training.preparation import prepare
from spt_whisper.training.recipe import DataConfig, Recipe
from spt_whisper.training.run import fit
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import single_pass
from tests.tiny_corpus import write_corpus, write_home

QUIET = {"max_epochs": 1, "enable_progress_bar": False, "precision": "32-true"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(
        tmp_path_factory.mktemp("languages"),
        train=6,
        dev=3,
        test=3,
        languages=("zh", "en", "zh+en"),
    )


def recipe(home: Path, output: Path, method: str, **settings: Any) -> Recipe:
    corpus = settings.pop("corpus", CorpusConfig(str(home / "corpus")))
    return Recipe(
        corpus, method=method, model=str(home / "model"), output=str(output), window_seconds=2.0,  # type: ignore[arg-type]
        data=DataConfig(batch_size=3), trainer=QUIET, **settings,
    )  # fmt: skip


@pytest.mark.parametrize("method", ["slct", "spt4asr", "lora", "full", "language_prompts"])
def test_only_methods_with_an_input_prompt_leave_places_for_one(method: str, home: Path) -> None:
    from spt_whisper.prompts.config import PromptConfig

    whisper = FrozenWhisper.from_pretrained(home / "model")
    given = recipe(
        home, home, method, languages=["zh", "en"], prompt=PromptConfig(site="input", length=5)
    )
    prepared = prepare(given, whisper)
    inputs, _ = prepared.builder.inputs_and_labels(prepared.train[0], 0)
    assert inputs[0] == whisper.tokens.start_of_transcript


def test_an_adapted_model_gives_each_utterance_the_tokens_it_was_trained_with(
    home: Path, tmp_path: Path
) -> None:
    codes = {"zh": ["es"], "en": ["it"]}
    fitted = fit(recipe(home, tmp_path, "lora", languages=codes))
    learned = read_learned(None, None, str(fitted.folder))
    assert learned is not None
    prepared = prepare(
        recipe(home, tmp_path, "lora", languages=codes),
        FrozenWhisper.from_pretrained(home / "model"),
    )
    for example in prepared.train:
        row = learned.row(Row(torch.zeros(8000)), example.utterance)
        assert row.languages == example.codes
    assert {example.codes for example in prepared.train} == {("es",), ("it",), ("es", "it")}
    assert learned.card.language_tokens == ()  # no one token is right for all


def test_mixed_speech_is_decoded_by_lapt_as_it_was_trained(home: Path, tmp_path: Path) -> None:
    given = recipe(home, tmp_path, "lapt")
    bank = Bank.from_pretrained(fit(given).folder)
    prepared = prepare(given, FrozenWhisper.from_pretrained(home / "model"))
    for example in prepared.train:
        prompt = bank.prompt(example.utterance.languages)
        assert prompt.card.language_tokens == example.codes == (example.utterance.languages[0],)


def test_languages_that_cannot_be_learned_are_refused_before_training(
    home: Path, tmp_path: Path
) -> None:
    write_corpus(tmp_path / "train", languages=("zh",))
    corpus = CorpusConfig(str(tmp_path / "train"))
    dev = write_corpus(tmp_path / "dev", languages=("it",)) / "dev.jsonl"
    text = dev.read_text(encoding="utf-8").replace("audio/", f"{tmp_path}/dev/audio/")
    (tmp_path / "train" / "dev.jsonl").write_text(text, encoding="utf-8")
    for method in ("lapt", "language_prompts"):
        with pytest.raises(InputError, match="corpus, dev: has it, of which train has nothing"):
            fit(recipe(home, tmp_path / "run", method, corpus=corpus))
    fit(recipe(home, tmp_path / "run", "prompt", corpus=corpus, languages=["es"]))
    train = tmp_path / "train" / "train.jsonl"
    rows = [json.loads(line) for line in train.read_text(encoding="utf-8").splitlines()]
    rows += [{**row, "id": f"long-{row['id']}", "language": "it"} for row in rows]
    for row in rows[len(rows) // 2 :]:  # all that is Italian is too long
        path = tmp_path / "train" / f"{row['id']}.wav"
        soundfile.write(path, np.full(16_000 * 4, 0.1, np.float32), 16_000)
        row |= {"audio": path.name, "duration": 4.0}
    train.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(InputError, match="corpus, dev: has it, of which train has nothing"):
        fit(recipe(home, tmp_path / "run", "lapt", corpus=corpus))
    from spt_whisper.prompts.config import PromptConfig

    soft = PromptConfig(site=["attention", "language"], length=2, start="normal")
    with pytest.raises(InputError, match="one for each language, and no two the same"):
        fit(
            recipe(
                home, tmp_path / "two", "language_prompts", prompt=soft,
                languages={"zh": ["es"], "en": ["es"]},
            )
        )  # fmt: skip


def test_a_bank_with_added_languages_is_not_trained_over(home: Path, tmp_path: Path) -> None:
    root = write_corpus(tmp_path / "own", languages=("zh", "en"))
    own = recipe(home, tmp_path, "lapt", corpus=CorpusConfig(str(root)))
    folder = fit(own).folder
    shutil.rmtree(root)
    write_corpus(root, languages=("zh",))
    with pytest.raises(InputError, match="has en, which the new one would not have"):
        fit(own)
    assert Bank.from_pretrained(folder).languages == ("en", "zh")


def test_a_language_cannot_be_named_over_a_learned_token(home: Path, tmp_path: Path) -> None:
    prompt = Prompt.from_pretrained(fit(recipe(home, tmp_path, "slct", languages=["es"])).folder)
    whisper = Whisper.from_pretrained(home / "model")
    settings = {"options": single_pass(tokens_per_second=2.0), "voice_activity": None}
    assert whisper.transcribe(torch.zeros(8000), prompt=prompt, language="es", **settings)
    with pytest.raises(InputError, match="language it: prompt .* has a language token of its own"):
        whisper.transcribe(torch.zeros(8000), prompt=prompt, language="it", **settings)


def test_a_row_keeps_its_room_beside_a_long_input_prompt(home: Path, tmp_path: Path) -> None:
    from spt_whisper.prompts.config import PromptConfig

    long = PromptConfig(side="decoder", site="input", length=200, start="normal")
    made = fit(recipe(home, tmp_path, "prompt", languages=["es"], prompt=long))
    prompt = Prompt.from_pretrained(made.folder)
    whisper = Whisper.from_pretrained(home / "model")
    noise = 0.1 * torch.randn(2, 32_000, generator=torch.Generator().manual_seed(0))
    rows = [Row(noise[0], None, ("es",)), Row(noise[1], prompt)]
    options = single_pass(tokens_per_second=200.0)
    together = whisper.decode(rows, options, 2.0)
    for row, found in zip(rows, together, strict=True):
        assert whisper.decode([row], options, 2.0)[0] == found


def test_a_language_whose_name_is_longer_than_whispers_has_its_token(tmp_path: Path) -> None:
    """As Common Voice and others write them; nothing is listened to."""
    home = write_home(tmp_path, languages=("zh-TW", "IT", "es_419"))
    own = recipe(home, tmp_path / "run", "lapt")
    prepared = prepare(own, FrozenWhisper.from_pretrained(home / "model"))
    assert prepared.builder.codes == {"zh-TW": ("zh",), "IT": ("it",), "es_419": ("es",)}


def test_a_languages_name_may_have_blanks(tmp_path: Path) -> None:
    home = write_home(tmp_path, languages=("Scottish Gaelic", "ky"))
    folder = fit(recipe(home, tmp_path / "run", "lapt")).folder
    new = write_corpus(tmp_path / "new", languages=("Saint Lucian Creole",))
    added = add_language(
        ExpansionConfig(
            "Saint Lucian Creole",
            str(folder),
            CorpusConfig(str(new)),
            output=str(tmp_path / "add"),
            trainer=QUIET,
        )
    )
    assert added.folder == folder / "Saint Lucian Creole"
    bank = Bank.from_pretrained(folder)
    assert bank.languages == ("Saint Lucian Creole", "Scottish Gaelic", "ky")
    assert bank.prompt("Scottish Gaelic").card.languages == ("Scottish Gaelic",)
