from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.systems import Store, System, read_run, with_bare
from spt_whisper.errors import InputError
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.model_shape import ModelShape
from spt_whisper.whisper.adapted import CARD_FILE, write_card


def adapted(folder: Path, base: str = "openai/whisper-base") -> Path:
    card = PromptCard(base, "0" * 64, ModelShape(32, 2, 2), ("qug",), ("es",))
    folder.mkdir(parents=True)
    write_card(folder / CARD_FILE, card)
    return folder


def test_a_run_is_found_in_its_own_folder_and_in_that_of_fit(tmp_path: Path) -> None:
    model = adapted(tmp_path / "lora" / "model")
    expected = System("lora", str(model))
    assert read_run(model) == read_run(tmp_path / "lora") == expected
    with pytest.raises(InputError, match="holds no prompt"):
        read_run(tmp_path)


def test_runs_stand_beside_the_one_bare_whisper_that_they_were(tmp_path: Path) -> None:
    one, other = (read_run(adapted(tmp_path / name / "model")) for name in ("lora", "full"))
    assert with_bare([one, other]) == [System("bare", "openai/whisper-base"), one, other]
    small = read_run(adapted(tmp_path / "small", "openai/whisper-small"))
    with pytest.raises(InputError, match="whisper-base, openai/whisper-small"):
        with_bare([one, small])
    with pytest.raises(InputError, match="'lora' is there more than once"):
        with_bare([one, one])


def test_texts_that_are_kept_are_not_made_again_and_a_failure_keeps_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(ZeroDivisionError):
        store.texts("bare-FLEURS en", "a" * 64, lambda: [str(1 // 0)])
    assert store.texts("bare-FLEURS en", "a" * 64, lambda: ["ñuka"]) == ["ñuka"]
    assert store.texts("bare-FLEURS en", "a" * 64, lambda: ["other"]) == ["ñuka"]
    assert store.texts("bare-FLEURS en", "b" * 64, lambda: ["other"]) == ["other"]
    assert len(list(tmp_path.iterdir())) == 2
