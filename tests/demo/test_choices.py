"""What the page offers: prompts, the languages of a bank, and the choice by ear where the bank can choose."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spt_whisper.demo.choices import read_choices
from spt_whisper.errors import InputError
from tests.demo.tiny_prompts import random_prompt, write_bank
from tests.tiny_model import tiny_whisper


def test_each_prompt_once_then_the_bank(tmp_path: Path) -> None:
    whisper = tiny_whisper()
    prompt = str(random_prompt(whisper, 1, "rm").save_pretrained(tmp_path / "prompt"))
    bank = str(write_bank(tmp_path / "bank", whisper, ("ky", "qug")))
    choices = read_choices([prompt, prompt], bank)
    assert [choice.label for choice in choices] == [
        f"rm ({prompt})", f"auto: as each window sounds ({bank})", f"ky ({bank})", f"qug ({bank})",
    ]  # fmt: skip
    audio = torch.zeros(16_000)
    requests = [choice.request(audio) for choice in choices]
    languages = [request.prompt and request.prompt.card.languages for request in requests]
    assert languages == [("rm",), None, ("ky",), ("qug",)]
    assert [request.bank is not None for request in requests] == [False, True, False, False]


def test_a_bank_that_cannot_choose_offers_its_languages_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bank = str(write_bank(tmp_path / "bank", tiny_whisper(), ("ky", "qug"), keyed=False))
    assert [choice.label for choice in read_choices([], bank)] == [f"ky ({bank})", f"qug ({bank})"]
    assert "the prompt of ky has no key" in caplog.text


def test_no_prompt_is_no_choice_and_a_missing_one_is_named() -> None:
    assert read_choices([], None) == ()
    with pytest.raises(InputError, match="prompt nowhere: no such folder"):
        read_choices(["nowhere"], None)
