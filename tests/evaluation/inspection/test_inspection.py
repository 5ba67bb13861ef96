"""What a prompt's folder and a bank's are said to hold: sizes, norms, nearest tokens, similarity, picture."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import pytest
import torch
from rich.console import Console
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from spt_whisper.cli import main
from spt_whisper.errors import InputError
from spt_whisper.evaluation.inspection.contents import bank_rows, stored_tensors, tensor_sizes
from spt_whisper.evaluation.inspection.lens import can_be_read, read_embeddings, read_slots
from spt_whisper.evaluation.inspection.picture import draw_similarities
from spt_whisper.evaluation.inspection.similarity import (
    Similarity,
    _similarity,
    effect_similarity,
    key_similarity,
    similarities,
)
from spt_whisper.evaluation.inspection.table import (
    bank_table,
    card_table,
    embedding_table,
    similarity_table,
    slot_table,
)
from spt_whisper.prompts.bank import SHARED_FOLDER, SHARED_METHOD, Bank
from spt_whisper.prompts.card import LanguageKey, PromptCard
from spt_whisper.prompts.config import LEFT, LanguageAwareConfig, PromptConfig
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.language_aware import start_part
from spt_whisper.prompts.language_part import PART_METHOD, LanguagePart, write_part
from spt_whisper.prompts.prompt_or_bank import read_prompt_or_bank
from spt_whisper.prompts.vectors import PromptVectors
from spt_whisper.whisper.loading import FrozenWhisper
from tests.tiny_model import tiny_whisper

CONFIG = PromptConfig(site="feed_forward", length=3)
SOUNDS = {"ky": (3.0, 0.0, 1.0), "kk": (2.5, 0.5, 1.0), "qug": (-5.0, 1.0, 1.0)}


@pytest.fixture(scope="module")
def whisper() -> FrozenWhisper:
    return tiny_whisper()


def card(whisper: FrozenWhisper, language: str, method: str = "prompt") -> PromptCard:
    key = LanguageKey(SOUNDS.get(language, (0.0, 0.0, 0.0)), (0.25,) * 32)
    return PromptCard(
        whisper.name, whisper.fingerprint, whisper.shape, (language,), ("es",), (2.0,), method,
        key=key, training={"utterances": 7, "hours": 0.5},
    )  # fmt: skip


def prompt_of(whisper: FrozenWhisper, named: dict[str, Tensor]) -> Prompt:
    """A prompt of decoder vectors as given."""
    sites = [name.split(".")[1] for name in named if not name.endswith(("key", "bias"))]
    lengths = {site: next(t for n, t in named.items() if site in n).shape[2] for site in sites}
    config = PromptConfig(side="decoder", site=sites, length=lengths)  # type: ignore[arg-type]
    return Prompt(config, PromptVectors.from_named_tensors(named), card(whisper, "qug"))


def bank_of(
    whisper: FrozenWhisper, root: Path, aware: LanguageAwareConfig, languages: Sequence[str]
) -> Bank:
    """Shared vectors, and for each language a part of random numbers."""
    generator = torch.Generator().manual_seed(0)
    vectors = start_vectors(CONFIG, whisper.shape, generator)
    shared = Prompt(CONFIG, vectors, card(whisper, "ky", SHARED_METHOD))
    shared.save_pretrained(root / SHARED_FOLDER)
    for language in languages:
        start = start_part(CONFIG, aware, whisper.shape, generator)
        tensors = {n: torch.randn(t.shape, generator=generator) for n, t in start.items()}
        part = LanguagePart(aware, tensors, card(whisper, language, PART_METHOD))
        write_part(root / language, part, root / SHARED_FOLDER, CONFIG)
    return Bank.from_pretrained(root)


def test_norms_are_of_vectors_and_of_single_biases(whisper: FrozenWhisper) -> None:
    value = torch.zeros(2, 2, 32)
    value[0, 0, :2] = torch.tensor([3.0, 4.0])
    bias = torch.tensor([[-2.0, 0.0], [0.0, 0.0]])
    sizes = tensor_sizes(
        {"decoder.feed_forward.value": value, "decoder.feed_forward.bias": bias, "2-D": value[0]}
    )
    assert [(size.shape, size.parameters) for size in sizes] == [
        ((2, 2, 32), 128), ((2, 2), 4), ((2, 32), 64),
    ]  # fmt: skip
    norms = [(size.mean_norm, size.least_norm, size.largest_norm) for size in sizes]
    assert norms == [(1.25, 0.0, 5.0), (0.5, 0.0, 2.0), (2.5, 0.0, 5.0)]


def test_vectors_in_embedding_space_find_their_tokens(whisper: FrozenWhisper) -> None:
    embeddings = whisper.model.model.decoder.embed_tokens.weight.detach()
    letter = whisper.tokens.tokenizer.convert_tokens_to_ids("w")
    spanish, late = whisper.tokens.language("es"), whisper.tokens.timestamp(1.5)
    prompt = prompt_of(
        whisper,
        {
            "decoder.input.vector": 3 * embeddings[[letter, late]][None, None],
            "decoder.language.vector": 0.5 * embeddings[[spanish]][None, None],
        },
    )
    assert can_be_read(prompt, slots=0)
    readings = read_embeddings(prompt, whisper)
    assert [(r.language, r.site, r.position) for r in readings] == [
        ("qug", "input", 0), ("qug", "input", 1), ("qug", "language", 0),
    ]  # fmt: skip
    assert [r.tokens[0].text for r in readings] == ["w", "<|1.50|>", "<|es|>"]
    for reading in readings:
        scores = [token.score for token in reading.tokens]
        assert scores[0] == pytest.approx(1.0, abs=1e-5)
        assert scores == sorted(scores, reverse=True)
    assert readings[0].norm == pytest.approx(3 * float(embeddings[letter].norm()), rel=1e-5)
    assert "'<|es|>' 1.00" in printed(embedding_table(readings))


def test_slots_promote_what_whispers_own_last_layers_make_of_them() -> None:
    whisper = tiny_whisper()
    decoder = whisper.model.model.decoder
    generator = torch.Generator().manual_seed(1)
    decoder.layer_norm.weight.copy_(torch.randn(32, generator=generator))
    value = torch.randn(1, 2, 4, 32, generator=generator)
    value[0, 1, 2] *= 10
    value[0, 0, 3] *= 5
    slots = {"key": value, "bias": torch.zeros(1, 2, 4), "value": value}
    prompt = prompt_of(whisper, {f"decoder.feed_forward.{part}": t for part, t in slots.items()})
    readings = read_slots(prompt, whisper, 2)
    assert [(reading.layer, reading.position) for reading in readings] == [(1, 2), (0, 3)]
    for reading in readings:
        slot = value[0, reading.layer, reading.position]
        logits = whisper.model.proj_out(decoder.layer_norm(slot)) * slot.std(correction=0)
        best = logits.topk(3)
        names = whisper.tokens.tokenizer.convert_ids_to_tokens(best.indices.tolist())
        assert [token.text for token in reading.tokens] == names
        scores = [token.score for token in reading.tokens]
        assert scores == pytest.approx(best.values.tolist(), rel=1e-3)
    assert len(read_slots(prompt, whisper, 100)) == 8
    assert not read_embeddings(prompt, whisper)
    assert (can_be_read(prompt, 2), can_be_read(prompt, 0)) == (True, False)
    assert f"{readings[0].norm:.3f}" in printed(slot_table(readings))


def test_a_bank_is_listed_with_who_sounds_alike(whisper: FrozenWhisper, tmp_path: Path) -> None:
    bank = bank_of(whisper, tmp_path / "bank", LanguageAwareConfig(), list(SOUNDS))
    rows = {row.language: row for row in bank_rows(bank)}
    assert {language: row.nearest for language, row in rows.items()} == {
        "kk": "ky", "ky": "kk", "qug": "kk",
    }  # fmt: skip
    assert rows["ky"].parameters == bank.parts["ky"].parameter_count
    assert (rows["ky"].tokens, rows["ky"].utterances, rows["ky"].hours) == (("es",), 7, 0.5)
    names = list(stored_tensors(bank))
    assert names[0] == "shared: encoder.feed_forward.key"
    value = "qug: encoder.feed_forward.value"
    assert names[-2:] == [f"{value}.left", f"{value}.right"]
    assert "qug: decoder.language.vector" in names


def test_what_is_read_is_a_prompt_a_bank_or_a_language_of_it(
    whisper: FrozenWhisper, tmp_path: Path
) -> None:
    bank_of(whisper, tmp_path / "bank", LanguageAwareConfig(), ["ky", "kk"])
    assert isinstance(read_prompt_or_bank(str(tmp_path / "bank")), Bank)
    assert isinstance(read_prompt_or_bank(str(tmp_path / "bank" / "shared")), Prompt)
    whole = read_prompt_or_bank(str(tmp_path / "bank"), "ky")
    assert isinstance(whole, Prompt)
    assert "decoder.language.vector" in stored_tensors(whole)
    with pytest.raises(InputError, match="no such folder"):
        read_prompt_or_bank(str(tmp_path / "none"))


def test_keys_are_centered_over_the_bank(whisper: FrozenWhisper, tmp_path: Path) -> None:
    bank = bank_of(whisper, tmp_path / "bank", LanguageAwareConfig(), list(SOUNDS))
    sound = key_similarity(bank)
    assert sound is not None
    assert sound.languages == ("kk", "ky", "qug")
    mean = [sum(column) / 3 for column in zip(*SOUNDS.values(), strict=True)]
    one, other = ([x - m for x, m in zip(SOUNDS[c], mean, strict=True)] for c in ("kk", "ky"))
    dot = sum(x * y for x, y in zip(one, other, strict=True))
    cosine = dot / (math.hypot(*one) * math.hypot(*other))
    assert sound.cosines[0][1] == pytest.approx(cosine)
    assert sound.cosines[1][0] == pytest.approx(cosine)
    assert sound.cosines[2][2] == pytest.approx(1.0)
    assert sound.cosines[0][2] < 0
    assert sound.nearest("cv") is None


def test_cosines_take_no_more_memory_than_the_vectors() -> None:
    generator = torch.Generator().manual_seed(0)
    shape, names = (30, 20_000), [f"language{number}" for number in range(30)]
    vectors = torch.randn(shape, generator=generator, dtype=torch.float64)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as seen:
        cosines = _similarity("", dict(zip(names, vectors, strict=True))).cosines
    allocated = sum(max(0, event.self_cpu_memory_usage) for event in seen.events())
    assert allocated < 10 * vectors.nbytes
    wanted = torch.nn.functional.cosine_similarity(vectors[:, None], vectors[None], dim=2)
    assert torch.tensor(cosines, dtype=torch.float64) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("combine", ["add", "hadamard", "concat"])
def test_effects_are_what_parts_change(
    combine: str, whisper: FrozenWhisper, tmp_path: Path
) -> None:
    aware = LanguageAwareConfig(combine=combine)  # type: ignore[arg-type]
    bank = bank_of(whisper, tmp_path / "bank", aware, list(SOUNDS))
    opposite = {
        name: -tensor if name.endswith(LEFT) or combine == "concat" else tensor
        for name, tensor in bank.parts["ky"].tensors.items()
    }
    part = LanguagePart(aware, opposite, replace(bank.card("ky"), languages=("anti",)))
    write_part(tmp_path / "bank" / "anti", part, tmp_path / "bank" / SHARED_FOLDER, CONFIG)
    effect = effect_similarity(Bank.from_pretrained(tmp_path / "bank"))
    assert effect is not None
    assert effect.languages == ("anti", "kk", "ky", "qug")
    ky, anti, kk = (effect.languages.index(language) for language in ("ky", "anti", "kk"))
    assert effect.cosines[ky][anti] == pytest.approx(-1.0, abs=1e-4)
    assert abs(effect.cosines[ky][kk]) < 0.9
    assert [effect.cosines[i][i] for i in range(4)] == pytest.approx([1.0] * 4)


def test_no_digit_of_a_large_banks_similarities_is_cut(
    whisper: FrozenWhisper, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    languages = [f"language{number}" for number in range(30)]
    bank = bank_of(whisper, tmp_path / "bank", LanguageAwareConfig(), languages)
    main(["prompt", "show", str(bank.folder)])
    shown = capsys.readouterr().out
    rows = [line for line in shown.splitlines() if re.match("│ language[0-9]+ +│ +-?[01][.]", line)]
    effect = effect_similarity(bank)
    assert effect is not None
    assert [re.findall(r"-?\d\.\d\d\b", row) for row in rows[-30:]] == [
        [f"{cosine:z.2f}" for cosine in row] for row in effect.cosines
    ]


def test_control_characters_of_a_card_are_shown_and_not_obeyed(
    whisper: FrozenWhisper, tmp_path: Path
) -> None:
    evil = "x\x1b[2J\x9b\u202e[bold]"
    bank = bank_of(whisper, tmp_path / "bank", LanguageAwareConfig(), ["ky", "kk"])
    prompt = bank.prompt("ky")
    odd = replace(prompt.card, method=evil, base=evil, languages=(evil,), training={evil: evil})
    shown = printed(card_table(replace(prompt, card=odd)))
    shown += printed(bank_table(bank, [replace(row, method=evil) for row in bank_rows(bank)]))
    shown += printed(similarity_table(Similarity(evil, (evil,), ((1.0,),))))
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)
    assert r"x\x1b[2J\x9b\u202e[bold]" in shown


def test_one_language_is_like_nothing(whisper: FrozenWhisper, tmp_path: Path) -> None:
    bank = bank_of(whisper, tmp_path / "bank", LanguageAwareConfig(), ["ky"])
    assert similarities(bank) == []
    assert bank_rows(bank)[0].nearest is None


def test_the_picture_has_a_map_for_each_similarity(tmp_path: Path) -> None:
    languages = ("ky", "a$b$", "qug")
    cosines = ((1.0, 0.5, -0.9), (0.5, 1.0, 0.0), (-0.9, 0.0, 1.0))
    sound = Similarity("Sound (key)", languages, cosines)
    draw_similarities([sound], tmp_path / "one.png")
    draw_similarities([sound, replace(sound, what="Effect")], tmp_path / "two.png")
    one, two = (matplotlib.image.imread(tmp_path / f"{name}.png") for name in ("one", "two"))
    assert two.shape[1] > 1.5 * one.shape[1]
    assert covered(two, (42, 157, 118)) > 1.5 * covered(one, (42, 157, 118)) > 0  # the diagonals
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "two.png"]


def covered(picture: object, color: tuple[int, int, int]) -> int:
    """How many pixels have a color."""
    pixels = torch.tensor(picture)[..., :3]
    return int(((255 * pixels - torch.tensor(color)).abs() < 3).all(dim=-1).sum())


def printed(table: object) -> str:
    screen = io.StringIO()
    Console(file=screen, width=120).print(table)
    return screen.getvalue()
