"""Where a recipe names no learning rate, what trains has one of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spt_whisper.cli import main
from spt_whisper.prompts.config import LanguageAwareConfig, PromptConfig
from spt_whisper.training.learning_rates import lora_rate, part_rate, site_rate
from spt_whisper.training.schedules import SCHEDULES
from spt_whisper.whisper.loading import FrozenWhisper
from tests.tiny_corpus import fit_flags, write_home


@pytest.mark.parametrize(
    ("method", "rates"),
    [
        ([], {1e-3}),
        (["--prompt.site", "attention"], {1e-2}),
        (["--prompt.site", "[input, feed_forward]"], {1e-2, 1e-3}),
        (["--method", "lora"], {1.5e-3}),
        # shared slots, parts of them, language tokens
        (["--method", "lapt"], {1e-3, 4e-3, 1e-2}),
        (["--method", "lapt", "--prompt.side", "decoder"], {1e-3, 1e-2}),
        (["--method", "language_prompts", "--prompt.site", "[attention, feed_forward]"], {1e-2, 1e-3}),
        (["--prompt.site", "attention", "--prompt.parameterization", "residual_mlp"], {2e-3}),
        (["--method", "spt4asr", "--languages", "[zh, en]"], {2e-3}),
        (["--prompt.parameterization", "low_rank"], {1.5e-3}),
        (["--optimizer.learning_rate", "0.5", "--method", "lapt"], {0.5}),
        (["--method", "full"], {1e-5}),
        (["--method", "full_with_prompts", "--optimizer.model_learning_rate", "3e-5"], {3e-5, 1e-3}),
    ],
)  # fmt: skip
def test_the_highest_rates_of_a_run(
    method: list[str], rates: set[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = highest_rates(method, write_home(tmp_path), tmp_path, monkeypatch)
    assert len(found) == len(rates)
    assert set(found) == rates


def highest_rates(
    method: list[str], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[float]:
    """The rates that a run of one step gives to its schedule."""
    import spt_whisper.training.prompt_tuner as tuner

    seen: list[float] = []
    real = tuner.SCHEDULES["one_cycle"]

    def heard(optimizer, rates, *more):  # type: ignore[no-untyped-def]
        seen.extend(rates)
        return real(optimizer, rates, *more)

    monkeypatch.setitem(tuner.SCHEDULES, "one_cycle", heard)
    assert (
        main(["fit", *fit_flags(home, tmp_path / "run", "--trainer.max_steps", "1", *method)]) == 0
    )
    return seen


@pytest.mark.parametrize(
    ("method", "rates"),
    [
        ([], [5e-4]), (["--method", "lapt"], [5e-4, 2e-3, 1e-2]), (["--method", "lora"], [7.5e-4]),
        (["--prompt.site", "attention"], [1e-2]),
    ],
)  # fmt: skip
def test_a_run_in_a_whisper_of_twice_the_measured_width(
    method: list[str], rates: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = write_home(tmp_path)
    width = FrozenWhisper.from_pretrained(home / "model").shape.width
    monkeypatch.setattr("spt_whisper.training.learning_rates._MEASURED_WIDTH", width // 2)
    assert sorted(highest_rates(method, home, tmp_path, monkeypatch)) == pytest.approx(rates)


@pytest.mark.parametrize(
    ("site", "prompt", "aware", "rate"),
    [
        ("feed_forward", PromptConfig(), LanguageAwareConfig(), 4e-3),
        ("feed_forward", PromptConfig(), LanguageAwareConfig("hadamard"), 4e-3),
        ("feed_forward", PromptConfig(), LanguageAwareConfig("concat"), 1e-3),
        ("feed_forward", PromptConfig(side="decoder"), LanguageAwareConfig(), 1e-3),
        ("feed_forward", PromptConfig(site=["attention", "feed_forward"]), LanguageAwareConfig(), 4e-3),
        ("attention", PromptConfig(site=["attention", "feed_forward"]), LanguageAwareConfig(), 1e-2),
        ("language", PromptConfig(), LanguageAwareConfig(), 1e-2),
    ],
)  # fmt: skip
def test_the_highest_rate_of_a_part(
    site: str, prompt: PromptConfig, aware: LanguageAwareConfig, rate: float
) -> None:
    assert part_rate(site, prompt, aware, 512) == rate


@pytest.mark.parametrize(
    ("width", "share"), [(384, 1), (512, 1), (768, 2 / 3), (1024, 1 / 2), (1280, 2 / 5)]
)
def test_what_is_multiplied_with_a_wider_input_takes_smaller_steps(
    width: int, share: float
) -> None:
    slots, attention = PromptConfig(), PromptConfig(site="attention")
    part = LanguageAwareConfig()
    rates = [site_rate("feed_forward", width), part_rate("feed_forward", slots, part, width)]
    assert [*rates, lora_rate(width)] == pytest.approx(
        [share * rate for rate in (1e-3, 4e-3, 1.5e-3)]
    )
    assert site_rate("attention", width) == part_rate("attention", attention, part, width) == 1e-2


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 0.3, 0.9])
def test_the_rate_rises_for_the_share_that_was_asked_for_and_ends_at_about_0(
    schedule: str, warmup: float
) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    steps = SCHEDULES[schedule](optimizer, [1.0], warmup, 100)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        steps.step()
    assert max(rates) == pytest.approx(1.0, rel=0.1)
    assert rates.index(max(rates)) == pytest.approx(100 * warmup, abs=2)
    assert rates[-1] == min(rates[50:])
    assert rates[-1] < 0.03
