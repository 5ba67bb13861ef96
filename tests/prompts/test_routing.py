"""Routing: each window to the prompt of the language that it sounds like, and to bare Whisper where none does."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from spt_whisper.errors import InputError
from spt_whisper.evaluation.inspection.similarity import key_similarity
from spt_whisper.prompts.bank import Bank
from spt_whisper.prompts.card import LanguageKey, PromptCard
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.model_shape import ModelShape
from spt_whisper.prompts.routing import BARE_SCORE, Route, Router

SHAPE = ModelShape(8, 2, 2)
CONFIG = PromptConfig(site="feed_forward", length=3)
WHISPER_LANGUAGES = 20


def unsure(*likely: int) -> Tensor:
    """A log-posterior that lies on some of Whisper's languages alike, (languages,)."""
    logits = torch.zeros(WHISPER_LANGUAGES)
    logits[list(likely)] = 3.0
    return logits.log_softmax(dim=0)


def key(posterior: Tensor, state: float, spread: float = 0.1) -> LanguageKey:
    return LanguageKey(tuple(posterior.tolist()), (state,) * 8, (spread,) * 8)


KEYS = {"ky": key(unsure(0, 1, 2, 3), 1.0), "qug": key(unsure(10, 11, 12, 13), -1.0)}


def heard(posterior: Tensor, state: float) -> tuple[Tensor, Tensor]:
    return posterior[None], torch.full((1, 8), state)


def test_each_language_is_found_by_its_own_sound() -> None:
    router = Router(KEYS)
    for language, own in KEYS.items():
        (route,) = router.route(torch.tensor([own.log_posterior]), torch.tensor([own.state]))
        assert route.language == language
        assert 0.5 < route.confidence <= 1.0


def test_a_language_that_whisper_is_sure_of_stays_with_bare_whisper() -> None:
    sure = torch.full((WHISPER_LANGUAGES,), -12.0)
    sure[5] = 0.0
    (route,) = Router(KEYS).route(*heard(sure.log_softmax(dim=0), 1.0))
    assert route.language is None
    assert route.confidence > 0.5


def test_an_unsure_whisper_is_not_enough_where_the_speech_sounds_otherwise() -> None:
    (route,) = Router(KEYS).route(*heard(unsure(0, 1, 2, 3), 5.0))
    assert route.language is None


def test_among_like_posteriors_the_nearer_state_decides() -> None:
    posterior = unsure(0, 1, 2, 3)
    router = Router({"ky": key(posterior, 1.0), "sah": key(posterior, 1.2)})
    found = [router.route(*heard(posterior, state))[0].language for state in (1.02, 1.18)]
    assert found == ["ky", "sah"]


def test_among_like_states_the_posterior_decides() -> None:
    router = Router({"ky": key(unsure(0, 1, 2, 3), 1.0), "qug": key(unsure(10, 11, 12, 13), 1.0)})
    assert router.route(*heard(unsure(10, 11, 12), 1.0))[0].language == "qug"


def test_the_score_of_bare_whisper_is_the_threshold() -> None:
    window = heard(unsure(0, 1, 2, 3), 1.05)
    score = float(Router(KEYS).scores(*window)[0, 0])
    assert score > BARE_SCORE
    assert Router(KEYS, score - 0.01).route(*window)[0].language == "ky"
    assert Router(KEYS, score + 0.01).route(*window)[0].language is None


def test_a_score_is_the_formula_of_the_module_written_out() -> None:
    """H(p) + 0.5 sum p log q - 2 mean (x - m)^2 / v, where q sums to 1 and v is the mean of the squared spreads."""
    keys = {
        "ky": replace(key(unsure(0, 1), 1.0, spread=0.5), log_posterior=(-3.0,) * 20),
        "qug": key(unsure(10), -1.0, spread=1.0),
    }
    posterior = unsure(0, 10)
    (found,) = Router(keys).scores(*heard(posterior, 0.5))
    p, variance = posterior.exp(), (0.5**2 + 1.0**2) / 2
    entropy = -float((p * posterior).sum())
    ky = entropy + 0.5 * math.log(1 / 20) - 2 * 0.5**2 / variance
    qug = entropy + 0.5 * float((p * unsure(10)).sum()) - 2 * 1.5**2 / variance
    assert found.tolist() == pytest.approx([ky, qug], abs=1e-5)


def test_rows_of_a_batch_do_not_touch_each_other() -> None:
    windows = [heard(unsure(0, 1, 2, 3), 1.0), heard(unsure(10, 11, 12), -1.0), heard(unsure(5), 0)]
    router = Router(KEYS)
    alone = [router.route(*window)[0] for window in windows]
    together = router.route(*(torch.cat(column) for column in zip(*windows, strict=True)))
    assert [route.language for route in together] == ["ky", "qug", None]
    assert [r.confidence for r in together] == pytest.approx([r.confidence for r in alone])
    assert router.route(torch.empty(0, WHISPER_LANGUAGES), torch.empty(0, 8)) == []


def test_a_probability_of_zero_or_a_spread_of_zero_is_no_error() -> None:
    certain = torch.full((1, WHISPER_LANGUAGES), -torch.inf)
    certain[0, 0] = 0.0
    single = {"ky": key(unsure(0, 1), 1.0, spread=0.0)}
    assert Router(single).route(certain, torch.full((1, 8), 0.5)) == [Route(None, 1.0)]
    (same,) = Router(single).route(certain, torch.full((1, 8), 1.0))
    assert same.language == "ky"
    assert same.confidence == pytest.approx(0.73, abs=0.01)


def write_bank(root: Path, keys: dict[str, LanguageKey | None]) -> Bank:
    for language, own in keys.items():
        card = PromptCard(
            "openai/whisper-tiny", "f" * 64, SHAPE, (language,), ("tr",), (5.0,), key=own
        )
        vectors = start_vectors(CONFIG, SHAPE, torch.Generator().manual_seed(0))
        Prompt(CONFIG, vectors, card).save_pretrained(root / language)
    return Bank.from_pretrained(root)


def test_a_bank_on_disk_routes_as_its_keys_do(tmp_path: Path) -> None:
    router = Router.from_bank(write_bank(tmp_path, dict(KEYS)))
    assert router.languages == ("ky", "qug")
    window = heard(unsure(10, 11, 12), -1.0)
    (route,), (expected,) = router.route(*window), Router(KEYS).route(*window)
    assert route == expected
    assert route.language == "qug"


@pytest.mark.parametrize("missing", [None, replace(KEYS["qug"], spread=())])
def test_a_prompt_without_a_key_is_named(tmp_path: Path, missing: LanguageKey | None) -> None:
    bank = write_bank(tmp_path, {"ky": KEYS["ky"], "qug": missing})
    with pytest.raises(InputError, match="the prompt of qug has no key") as error:
        Router.from_bank(bank)
    assert "\n" not in str(error.value)


def test_keys_of_different_whispers_are_refused(tmp_path: Path) -> None:
    shorter = replace(KEYS["qug"], log_posterior=KEYS["qug"].log_posterior[:-1])
    bank = write_bank(tmp_path, {"ky": KEYS["ky"], "qug": shorter})
    with pytest.raises(InputError, match="are of Whispers with other languages"):
        Router.from_bank(bank)


def test_a_key_of_a_whisper_with_other_languages_is_one_line() -> None:
    posterior, state = heard(unsure(10, 11, 12), -1.0)
    with pytest.raises(
        InputError, match="its keys are of a Whisper with 20 languages, this one has 19"
    ):
        Router(KEYS).route(posterior[:, 1:], state)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"log_posterior": ()}, "has no log_posterior"),
        ({"state": (1e300,) * 8}, "a number beyond 1e"),
    ],
)
def test_a_key_that_nothing_could_be_heard_with_is_refused(
    change: dict[str, tuple[float, ...]], told: str
) -> None:
    own = replace(KEYS["ky"], state=(0.0,) * 8, spread=(0.1,) * 8)
    with pytest.raises(InputError, match=told):
        PromptCard("tiny", "f" * 64, SHAPE, ("ky",), ("tr",), (5.0,), key=replace(own, **change))


def test_keys_of_different_whispers_are_not_compared(tmp_path: Path) -> None:
    shorter = replace(KEYS["qug"], log_posterior=KEYS["qug"].log_posterior[:-1])
    assert key_similarity(write_bank(tmp_path, {"ky": KEYS["ky"], "qug": shorter})) is None
