"""On the real Whisper base: famous words, both layouts, and prompts that come and go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from spt_whisper import FrozenWhisper, Prompt, PromptConfig, Whisper
from spt_whisper.audio import SAMPLE_RATE, load_audio
from spt_whisper.cache import cache_folder
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.prompts.files import PromptCard
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.text.error_rates import count_word_errors
from spt_whisper.text.normalization import get_normalizer
from spt_whisper.whisper.fingerprint import fingerprint_weights
from spt_whisper.whisper.options import DecodingOptions, single_pass

pytestmark = pytest.mark.real_weights

JFK = (
    "And so my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country."
)


@pytest.fixture(scope="module")
def base() -> Whisper:
    return Whisper.from_pretrained("base", device="cpu")


@pytest.fixture(scope="module")
def jfk(shared_data: Path) -> torch.Tensor:
    return load_audio(next((shared_data / "jfk" / "audio").iterdir()))


def neutral_prompt(
    whisper: Whisper, seed: int = 0, noise: float = 0.0, window: float = 12.0
) -> Prompt:
    """Slots at their start leave Whisper as it is; with noise they do not."""
    frozen = whisper.frozen
    config = PromptConfig(length=16)
    generator = torch.Generator().manual_seed(seed)
    start = start_vectors(config, frozen.shape, generator)
    vectors = start.map(
        lambda tensor: tensor + noise * torch.randn(tensor.shape, generator=generator)
    )
    card = PromptCard(frozen.name, frozen.fingerprint, frozen.shape, ("en",), ("en",), (window,))
    return Prompt(config, vectors, card)


def words(text: str) -> str:
    return " ".join(text.split()).replace(", ", " ").lower()


def test_both_layouts_are_the_same_model_and_know_their_base(base: Whisper) -> None:
    converted = FrozenWhisper.from_pretrained(cache_folder() / "whisper-base-ct2")
    assert converted.fingerprint == base.frozen.fingerprint
    assert converted.name == base.frozen.name == "openai/whisper-base"
    own, other = base.frozen.model.generation_config, converted.model.generation_config
    assert sorted(own.suppress_tokens) == sorted(other.suppress_tokens)
    assert len(converted.tokens.languages) == 99


@pytest.mark.parametrize("layout", ["whisper-base", "whisper-base-ct2"])
def test_famous_words_from_both_layouts_before_during_and_after_prompts(
    layout: str, jfk: torch.Tensor
) -> None:
    whisper = Whisper.from_pretrained(cache_folder() / layout, device="cpu")
    fingerprint = whisper.frozen.fingerprint
    before = whisper.transcribe(jfk)
    assert words(before.text) == words(JFK)
    during = whisper.transcribe(jfk, prompt=neutral_prompt(whisper))
    assert words(during.text) == words(JFK)
    wild = whisper.transcribe(jfk, prompt=neutral_prompt(whisper, noise=1.0), options=single_pass())
    assert words(wild.text) != words(JFK)
    after = whisper.transcribe(jfk)
    assert after == before
    assert fingerprint_weights(whisper.frozen.model) == fingerprint


def test_controls_are_written_the_same_to_the_letter_before_and_after_prompts(
    base: Whisper, shared_data: Path
) -> None:
    config = CorpusConfig(str(shared_data / "fleurs_control"), max_seconds=12.0)
    by_language = {clip.languages[0]: clip for clip in read_split(config, "test")}
    audio = [load_audio(clip.audio) for clip in by_language.values()]
    settings = {"language": list(by_language), "window_seconds": 12.0, "options": single_pass()}
    before = base.transcribe(audio, **settings)
    on = base.transcribe(audio, prompt=neutral_prompt(base, noise=1.0), **settings)
    assert all(own.text != bare.text for own, bare in zip(on, before, strict=True))
    assert base.transcribe(audio, **settings) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "language", ["de", "en", "es", "fr", "hi", "ja", "ru", "tr", "zh-CN", "zh-TW"]
)
def test_clips_of_many_languages_are_written_the_same_before_and_after_a_prompt(
    language: str, base: Whisper, shared_data: Path
) -> None:
    """Two clips of each language; `SPT_WHISPER_CONTROL_CLIPS=50` takes all 500 (docs/results.md)."""
    config = CorpusConfig(str(shared_data / "common_voice_control" / language))
    clips = read_split(config, "test")[: int(os.environ.get("SPT_WHISPER_CONTROL_CLIPS", "2"))]
    audio = [load_audio(clip.audio) for clip in clips]
    settings = {
        "language": language.split("-")[0],
        "window_seconds": 12.0,
        "options": single_pass(),
    }
    before = base.transcribe(audio, **settings)
    assert len(before) == len(clips)
    assert all(own.text for own in before)
    (on,) = base.transcribe(audio[:1], prompt=neutral_prompt(base, noise=1.0), **settings)
    assert on.text != before[0].text
    assert base.transcribe(audio, **settings) == before


def test_a_prompt_per_row_in_one_batch(base: Whisper, jfk: torch.Tensor) -> None:
    neutral, wild = neutral_prompt(base), neutral_prompt(base, noise=1.0)
    settings = {"window_seconds": 12.0, "options": single_pass()}
    alone = [
        base.transcribe(jfk, prompt=prompt, **settings).text for prompt in (neutral, wild, None)
    ]
    mixed = base.transcribe([jfk, jfk, jfk], prompt=[neutral, wild, None], **settings)
    assert [transcript.text for transcript in mixed] == alone
    assert words(alone[0]) == words(alone[2]) == words(JFK)


@pytest.mark.parametrize(
    "options",
    [
        DecodingOptions(beam_size=3),
        DecodingOptions(timestamps=True),
        DecodingOptions(text_prompt="Kennedy said:"),
    ],
)
def test_searches_work_with_a_prompt_on(
    base: Whisper, jfk: torch.Tensor, options: DecodingOptions
) -> None:
    found = base.transcribe(jfk, prompt=neutral_prompt(base), options=options)
    assert words(found.text) == words(JFK)
    assert found.segments[-1].end == pytest.approx(11.0, abs=1.0)
    if options.timestamps:
        assert all(segment.start < segment.end for segment in found.segments)


def test_the_language_is_heard_where_none_is_given(base: Whisper, jfk: torch.Tensor) -> None:
    assert base.transcribe(jfk).languages == ("en",)
    assert base.transcribe(jfk, language="de").languages == ("de",)


def test_windows_of_many_lengths_in_one_model(base: Whisper, jfk: torch.Tensor) -> None:
    texts = {
        window: base.transcribe(jfk, language="en", window_seconds=window).text
        for window in (30.0, 15.0, 11.5)
    }
    assert {words(text) for text in texts.values()} == {words(JFK)}


PAUSE_SECONDS = 2.0


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "es"])
def test_clips_joined_with_pauses_give_the_words_of_the_clips_alone(
    language: str, base: Whisper, shared_data: Path
) -> None:
    """Whisper hears other silence around the words, which changes some; a seam loses and repeats none."""
    config = CorpusConfig(root=str(shared_data / "fleurs_control"))
    clips = [clip for clip in read_split(config, "test") if clip.languages == (language,)]
    waveforms = [load_audio(clip.audio) for clip in clips]
    assert len(waveforms) == 10
    pause = torch.zeros(round(PAUSE_SECONDS * SAMPLE_RATE))
    joined = torch.cat([part for waveform in waveforms for part in (waveform, pause)])
    alone = base.transcribe(waveforms, language=language)
    together = base.transcribe(joined, language=language)
    normalize = get_normalizer("basic")
    apart = " ".join(transcript.text for transcript in alone)
    changes = count_word_errors(normalize(apart), normalize(together.text))
    assert changes.insertions + changes.deletions <= 0.01 * changes.reference_length
    assert changes.substitutions <= 0.04 * changes.reference_length
    ends = [segment.end for segment in together.segments]
    assert ends == sorted(ends)
    assert ends[-1] <= len(joined) / SAMPLE_RATE
