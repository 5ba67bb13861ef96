"""When words were said: with every kind of prompt on, and on real speech."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spt_whisper import FrozenWhisper
from spt_whisper.audio import load_audio
from spt_whisper.cache import cache_folder
from spt_whisper.features import log_mel
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.vectors import PromptVectors, stack
from spt_whisper.whisper.alignment import align_words
from spt_whisper.whisper.injection import prompted
from spt_whisper.whisper.words import AlignedWord
from tests.tiny_model import tiny_whisper

KINDS = {
    "none": {},
    "input": {"site": "input"},
    "attention": {"site": "attention"},
    "cross": {"site": "cross"},
    "gated cross": {"site": "cross", "gate": True},
    "cross pairs": {"site": "cross", "parameterization": "key_value"},
    "feed_forward": {"site": "feed_forward"},
    "language": {"site": "language"},
}
TEXTS = (" uno dos, tres", " ñuka 你好", " a")
SECONDS = (2.0, 1.5, 0.3)
JFK = (  # word and second, as openai-whisper 20250625 aligns it with the same weights in a window of 30 s
    (" And", 0.0), (" so", 0.52), (" my", 0.84), (" fellow", 1.18), (" Americans", 1.56), (" ask", 2.1),
    (" not", 3.72), (" what", 4.24), (" your", 5.52), (" country", 5.76), (" can", 6.26), (" do", 6.62),
    (" for", 6.82), (" you,", 7.08), (" ask", 7.36), (" what", 8.46), (" you", 8.74), (" can", 9.02),
    (" do", 9.32), (" for", 9.56), (" your", 9.78), (" country.", 9.94),
)  # fmt: skip


def random_prompt(whisper: FrozenWhisper, kind: str, length: int) -> PromptVectors | None:
    if kind == "none":
        return None
    generator = torch.Generator().manual_seed(length)
    config = PromptConfig(side="decoder", length=length, start="normal", **KINDS[kind])
    start = start_vectors(config, whisper.shape, generator)
    return start.map(lambda tensor: torch.randn(tensor.shape, generator=generator))


def input_length(vectors: PromptVectors | None) -> int:
    prefix = vectors.decoder.input if vectors else None
    return prefix.vector.shape[2] if prefix else 0


def align(
    whisper: FrozenWhisper,
    states: torch.Tensor,
    prompts: list[PromptVectors | None],
    rows: list[int],
    timestamps: bool = False,
) -> list[list[AlignedWord]]:
    """The words of some of the three rows, each with its own prompt on."""
    tokens = whisper.tokens
    starts = [tokens.start(["es"], placeholders=input_length(prompts[row])) for row in rows]
    texts = [tokens.tokenizer.encode(TEXTS[row], add_special_tokens=False) for row in rows]
    if timestamps:
        starts = [start[:-1] for start in starts]
        texts = [[tokens.timestamp(0.0), *text, tokens.timestamp(1.0)] for text in texts]
    with prompted(whisper.model, stack([prompts[row] for row in rows])):
        return align_words(whisper, states[rows], starts, texts, [SECONDS[row] for row in rows])


@pytest.fixture
def whisper() -> FrozenWhisper:
    return tiny_whisper()


@pytest.fixture
def states(whisper: FrozenWhisper) -> torch.Tensor:
    features = torch.randn(3, 80, 200, generator=torch.Generator().manual_seed(3))
    return whisper.encode(features).detach()


@pytest.mark.parametrize("kind", KINDS)
def test_all_words_in_order_whatever_prompt_is_on_and_whatever_rows_are_beside(
    kind: str, whisper: FrozenWhisper, states: torch.Tensor
) -> None:
    prompts = [random_prompt(whisper, kind, 3), None, random_prompt(whisper, kind, 5)]
    mixed = align(whisper, states, prompts, [0, 1, 2])
    for row, words in enumerate(mixed):
        assert "".join(word.text for word in words) == TEXTS[row]
        times = [time for word in words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= SECONDS[row]
        assert all(0 < word.probability < 1 for word in words)
        alone = align(whisper, states, prompts, [row])[0]
        assert [(w.text, w.start, w.end) for w in alone] == [
            (w.text, w.start, w.end) for w in words
        ]
        assert [w.probability for w in alone] == pytest.approx([w.probability for w in words], rel=1e-3)  # fmt: skip
    assert whisper.model.config._attn_implementation == "sdpa"
    hooked = [m for m in whisper.model.modules() if m._forward_hooks or m._forward_pre_hooks]
    assert not hooked


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "none"])
def test_a_prompt_stays_on_and_is_felt(
    kind: str, whisper: FrozenWhisper, states: torch.Tensor
) -> None:
    prompts = [random_prompt(whisper, kind, 4)]
    plain = align(whisper, states, [None], [0])[0]
    felt = align(whisper, states, prompts, [0])[0]
    assert max(abs(a.probability - b.probability) for a, b in zip(plain, felt, strict=True)) > 1e-5


def test_timestamps_change_nothing(whisper: FrozenWhisper, states: torch.Tensor) -> None:
    rows, prompts = [0, 1, 2], [None] * 3
    assert align(whisper, states, prompts, rows, timestamps=True) == align(
        whisper, states, prompts, rows
    )


def test_named_heads_decide(whisper: FrozenWhisper, states: torch.Tensor) -> None:
    found = set()
    for heads in (None, [[0, 1]], [[1, 0]], [[1, 0], [1, 1]]):
        whisper.model.generation_config.alignment_heads = heads
        found.add(tuple(word.start for word in align(whisper, states, [None] * 3, [0])[0]))
    assert len(found) == 3  # no heads named: those of the upper half, both heads of layer 1


@pytest.mark.parametrize("heads", [[[1, 0], [2, 0]], [[0, 2]]])
def test_heads_that_the_model_has_not_are_those_of_another(
    heads: list[list[int]], whisper: FrozenWhisper, states: torch.Tensor
) -> None:
    found = []
    for named in (None, heads):
        whisper.model.generation_config.alignment_heads = named
        found.append(align(whisper, states, [None] * 3, [0]))
    assert found[0] == found[1]


def test_a_row_without_text_has_no_words(whisper: FrozenWhisper, states: torch.Tensor) -> None:
    start = whisper.tokens.start(["es"])
    words = align_words(whisper, states[:2], [start, start], [[], [65]], [2.0, 2.0])
    assert [len(row) for row in words] == [0, 1]


@pytest.mark.real_weights
@pytest.mark.parametrize("layout", ["whisper-base", "whisper-base-ct2"])
def test_famous_words_are_where_openai_whisper_hears_them(shared_data: Path, layout: str) -> None:
    whisper = FrozenWhisper.from_pretrained(cache_folder() / layout)
    waveform = load_audio(next((shared_data / "jfk" / "audio").iterdir()))
    states = whisper.encode(log_mel([waveform], 12.0, 80))
    text = whisper.tokens.encode("".join(word for word, _ in JFK))
    text.append(whisper.tokens.end - 1)  # Whisper has a token of no characters at all
    assert whisper.tokens.tokenizer.decode(text[-1:]) == ""
    start = whisper.tokens.start(["en"])
    for kind in ("none", "cross", "feed_forward"):
        prompt = random_prompt(whisper, kind, 4)
        vectors = prompt.map(lambda tensor: 0.01 * tensor) if prompt else PromptVectors()
        with prompted(whisper.model, vectors):
            words = align_words(whisper, states, [start], [text], [waveform.shape[0] / 16_000])[0]
        assert [word.text for word in words] == [word for word, _ in JFK]
        starts = [second for _, second in JFK]
        assert [word.start for word in words] == pytest.approx(starts, abs=0.1)
        assert words[-1].end == pytest.approx(10.38, abs=0.1)
