"""Averaging: the weighted mean of prompts of one start, and everything else refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spt_whisper.errors import InputError
from spt_whisper.prompts.averaging import average, start_digest
from spt_whisper.prompts.card import LanguageKey, PromptCard, Provenance
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.model_shape import ModelShape

SHAPE = ModelShape(8, 2, 2)
CONFIG = PromptConfig(site=["attention", "feed_forward"], length=3)


def trained(name: str, seed: int, sound: float = -1.0) -> Prompt:
    """A prompt that went its own way from the start of seed 0."""
    start = start_vectors(CONFIG, SHAPE, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    vectors = start.map(lambda tensor: tensor + torch.randn(tensor.shape, generator=generator))
    card = PromptCard(
        "openai/whisper-tiny", "f" * 64, SHAPE, (name,), ("es",), (10.0,),
        key=LanguageKey((sound, 2 * sound), (-0.5 * sound,) * 8, (-sound,) * 8),
        recipe={"seed": 0},
        training={"hours": 1.25, "utterances": 100, "start": start_digest(start)},
        provenance=Provenance({"torch": "2.9"}, None, "d" * 64),
    )  # fmt: skip
    return Prompt(CONFIG, vectors, card, name)


def changed_card(**values: object) -> Callable[[Prompt], Prompt]:
    return lambda prompt: replace(prompt, card=replace(prompt.card, **values))  # type: ignore[arg-type]


def test_the_mean_is_weighted_over_every_tensor() -> None:
    first, second = trained("a", 1), trained("b", 2)
    mean = average([first, second], [3, 1])
    one, other = first.vectors.named_tensors(), second.vectors.named_tensors()
    named = mean.vectors.named_tensors()
    assert set(named) == set(one)
    for name, tensor in named.items():
        torch.testing.assert_close(tensor, 0.75 * one[name] + 0.25 * other[name])
    assert mean.config == CONFIG


def test_weights_are_equal_by_default_and_only_their_ratio_counts() -> None:
    prompts = [trained("a", 1), trained("b", 2), trained("c", 3)]
    mean = average(prompts).vectors.named_tensors()
    scaled = average(prompts, [5.0, 5.0, 5.0]).vectors.named_tensors()
    assert all(torch.equal(mean[name], scaled[name]) for name in mean)


def test_the_card_names_sources_and_weights(tmp_path: Path) -> None:
    mean = average([trained("a", 1, -1.0), trained("b", 2, -3.0)], [3, 1])
    card = Prompt.from_pretrained(mean.save_pretrained(tmp_path / "mean")).card
    assert (card.method, card.languages, card.recipe) == ("average", ("a", "b"), {})
    assert card.training["sources"] == ["a", "b"]
    assert card.training["weights"] == [0.75, 0.25]
    assert (card.training["hours"], card.training["utterances"]) == (2.5, 200)
    assert card.key == LanguageKey((-1.5, -3.0), (0.75,) * 8, (1.5,) * 8)
    assert card.provenance is None  # of one run, which this is not


def test_the_public_card_tells_only_the_last_name_of_a_source(tmp_path: Path) -> None:
    sources = [trained("/home/alice/clients/acme/prompt", 1), trained("owner/ky", 2)]
    readme = average(sources).save_pretrained(tmp_path / "mean") / "README.md"
    assert "- sources: prompt, ky\n" in readme.read_text(encoding="utf-8")


def test_the_mean_has_every_window_sign_and_language_of_its_sources() -> None:
    first = changed_card(codes={"a": ("es",)}, signs=(7,))(trained("a", 1))
    second = changed_card(
        languages=("a", "b"), windows=(10.0, 20.0), codes={"b": ("es",)}, signs=(3, 7)
    )(trained("b", 2))
    card = average([first, second]).card
    assert card.languages == ("a", "b")
    assert card.signs == (3, 7)
    assert card.windows == (10.0, 20.0)  # one client had longer speech
    assert card.codes == {"a": ("es",), "b": ("es",)}


def test_means_of_one_start_can_be_averaged_again() -> None:
    mean = average([trained("a", 1), trained("b", 2)])
    again = average([mean, trained("c", 3)], [2, 1]).vectors.named_tensors()
    at_once = average([trained(name, seed) for name, seed in (("a", 1), ("b", 2), ("c", 3))])
    for name, tensor in at_once.vectors.named_tensors().items():
        torch.testing.assert_close(again[name], tensor)


def test_without_a_key_in_one_the_mean_has_none() -> None:
    assert average([trained("a", 1), changed_card(key=None)(trained("b", 2))]).card.key is None
    other = trained("b", 2)
    assert other.card.key is not None
    wide = changed_card(key=replace(other.card.key, spread=()))(other)
    assert average([trained("a", 1), wide]).card.key is None


def test_the_digest_is_of_values_and_names() -> None:
    start = start_vectors(CONFIG, SHAPE, torch.Generator().manual_seed(0))
    same = start_vectors(CONFIG, SHAPE, torch.Generator().manual_seed(0))
    other = start_vectors(CONFIG, SHAPE, torch.Generator().manual_seed(1))
    decoder = start_vectors(
        replace(CONFIG, side="decoder"), SHAPE, torch.Generator().manual_seed(0)
    )
    digests = [start_digest(vectors) for vectors in (start, same, other, decoder)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed_card(fingerprint="e" * 64), "prompt b: the base's fingerprint is eee.*in a it is"),
        (changed_card(shape=ModelShape(8, 2, 4)), "the base's shape is"),
        (
            lambda prompt: replace(prompt, config=replace(CONFIG, gate=True)),
            "prompt.gate is True, in a it is False",
        ),
        (
            lambda prompt: replace(prompt, config=replace(CONFIG, length=4)),
            "prompt.length is 4, in a it is 3",
        ),
        (changed_card(language_tokens=("es", "en")), r"language token is es\+en, in a it is es"),
        (changed_card(text={"lowercase": True}), "text is .*lowercase"),
        (changed_card(training={"start": "0"}), "the start is 0, .*do not correspond"),
        (changed_card(training={}), "prompt b: its card names no start"),
    ],
)
def test_prompts_whose_vectors_do_not_correspond_are_refused(
    change: Callable[[Prompt], Prompt], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        average([trained("a", 1), change(trained("b", 2))])


def test_the_third_prompt_is_compared_too() -> None:
    other_start = changed_card(training={"start": "0"})(trained("c", 3))
    with pytest.raises(InputError, match="prompt c: the start is 0"):
        average([trained("a", 1), trained("b", 2), other_start])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "found 1 for 2 prompts"),
        ([1.0, 0.0], r"found \[1.0, 0.0\]; wanted numbers above 0"),
        ([1.0, float("inf")], "wanted numbers above 0"),
        ([1.0, float("nan")], "wanted numbers above 0"),
        ([1e308, 1e308], "wanted numbers above 0"),
    ],
)
def test_wrong_weights_are_refused(weights: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        average([trained("a", 1), trained("b", 2)], weights)


def test_one_prompt_is_no_average() -> None:
    with pytest.raises(InputError, match="found 1 prompt; wanted two or more"):
        average([trained("a", 1)])
