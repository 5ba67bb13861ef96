"""Labels: what is learned, what is masked, and what is dropped by name."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError
from spt_whisper.training.batch import IGNORED, ExampleBuilder, Item, NothingFitsError, collate
from spt_whisper.training.encoder_states import load_example
from spt_whisper.whisper.tokens import Tokens
from tests.tiny_model import tiny_tokenizer


def utterance(name: str, text: str = "hi", duration: float = 1.0) -> Utterance:
    return Utterance(name, Path("a.wav"), text, ("xx",), duration)


def builder(**settings: object) -> ExampleBuilder:
    values = {"placeholders": 0, "windows": (10.0,)} | settings
    return ExampleBuilder(Tokens(tiny_tokenizer()), {"xx": ("es",)}, **values)  # type: ignore[arg-type]


def names(build: ExampleBuilder, tokens: list[int]) -> list[str]:
    return build.tokens.tokenizer.convert_ids_to_tokens(tokens)


def test_prompt_and_first_tokens_are_masked_and_the_first_end_of_text_is_kept() -> None:
    build = builder(placeholders=2)
    example = build.examples([utterance("a")], ["hi"], "train")[0]
    inputs, labels = build.inputs_and_labels(example, epoch=0)
    end = "<|endoftext|>"
    first = [
        "<|startofprev|>",
        end,
        end,
        "<|startoftranscript|>",
        "<|es|>",
        "<|transcribe|>",
        "<|notimestamps|>",
    ]
    assert names(build, inputs) == [*first, "h", "i"]
    assert labels[:6] == [IGNORED] * 6
    assert names(build, labels[6:]) == ["h", "i", end]
    items = [
        Item("a", 10.0, ("xx",), inputs, labels, None, None),
        Item("b", 10.0, ("xx",), inputs[:-1], labels[:-1], None, None),
    ]
    batch = collate(items, fill=build.tokens.end)
    assert batch.labels[1, -1] == IGNORED  # padding
    assert batch.inputs[1, -1] == build.tokens.end


def test_a_share_of_examples_carries_timestamps_as_a_function_of_seed_epoch_and_id() -> None:
    build = builder(timestamps_share=0.3, seed=4)
    examples = build.examples(
        [utterance(f"u{i}", duration=1.53) for i in range(500)], ["hi"] * 500, "train"
    )
    timed = [build.inputs_and_labels(example, 2) for example in examples]
    flags = [build.tokens.no_timestamps not in inputs for inputs, _ in timed]
    assert 0.2 < sum(flags) / 500 < 0.4
    inputs, labels = timed[flags.index(True)]
    assert names(build, inputs[3:]) == ["<|0.00|>", "h", "i", "<|1.52|>"]
    assert names(build, labels[2:]) == ["<|0.00|>", "h", "i", "<|1.52|>", "<|endoftext|>"]
    assert [build.inputs_and_labels(example, 2) for example in examples] == timed
    assert [build.inputs_and_labels(example, 3) for example in examples] != timed


def test_what_does_not_fit_is_dropped_by_name_and_count(caplog: pytest.LogCaptureFixture) -> None:
    build = builder(placeholders=100)
    texts = ["fits", "too long in time", "x" * 342, "y" * 341]
    utterances = [
        utterance("a"),
        utterance("slow", duration=10.5),
        utterance("wordy"),
        utterance("limit"),
    ]
    with caplog.at_level(logging.INFO, "spt_whisper"):
        kept = build.examples(utterances, texts, "train")
    assert "train: 2 utterances kept (0.0 minutes), 2 dropped (0.2 minutes)" in caplog.text
    assert [example.utterance.id for example in kept] == ["a", "limit"]
    assert "1 utterances dropped, longer than the window of 10 s: slow" in caplog.text
    assert "1 utterances dropped, over 448 decoder positions: wordy" in caplog.text
    inputs, labels = build.inputs_and_labels(kept[1], 0)
    assert len(inputs) <= 448
    assert len(inputs) == len(labels)


def test_where_nothing_fits_each_cause_is_named_with_what_helps() -> None:
    said = []
    for settings, lengths, text in (
        ({}, (11,), "x"),
        ({"windows": (30.0,)}, (31, 600), "x"),
        ({"placeholders": 9}, (1, 11, 31), "x" * 500),
    ):
        spoken = [utterance(f"{seconds}", duration=seconds) for seconds in lengths]
        with pytest.raises(NothingFitsError) as caught:
            builder(**settings).examples(spoken, [text] * len(spoken), "train")
        said.append(str(caught.value).partition(" fits; ")[2])
    raised = "1 over 10 s: raise window_seconds"
    cut = "over 30 s, the longest window there is: cut the recordings, or name their parts in the columns start and end"
    shorten = "1 text over 448 decoder positions, of which the prompt takes 9: shorten the texts"
    assert said == [raised, f"2 {cut}", f"1 {cut}; {raised}; {shorten}"]


def test_audio_that_is_longer_than_its_corpus_says_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(16_000 * 3), 16_000)
    utterances = [Utterance("a", path, "hi", ("xx",), 1.0)]
    long, short = (
        builder(windows=(window,)).examples(utterances, ["hi"], "train")[0] for window in (3.0, 2.0)
    )
    assert load_example(long).shape == (48_000,)
    with pytest.raises(
        InputError, match=r"a\.wav \(utterance a\): 3\.00 s of audio, but the corpus says 1\.00 s"
    ):
        load_example(short)


def test_a_few_milliseconds_more_than_the_window_do_not_end_a_run(tmp_path: Path) -> None:
    """The header of an m4a says 9.99 s where 10.03 s are decoded."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.arange(16_000 * 2 + 480) / 2**16, 16_000)
    utterances = [Utterance("a", path, "hi", ("xx",), 1.99)]
    (example,) = builder(windows=(2.0,)).examples(utterances, ["hi"], "train")
    found = load_example(example)
    assert found.shape == (32_000,)
    assert found[-1] == pytest.approx(31_999 / 2**16, abs=2e-5)


def test_of_many_that_are_dropped_the_first_are_named(caplog: pytest.LogCaptureFixture) -> None:
    own = [utterance(str(n), duration=11.0) for n in range(100, 130)]
    own.append(utterance("fits", duration=1.0))
    builder(windows=(10.0,)).examples(own, ["hi"] * 31, "train")
    assert "30 utterances dropped, longer than the window of 10 s: 100, 101," in caplog.text
    assert "109 and 20 more" in caplog.text


def test_a_transcript_of_a_megabyte_is_dropped_by_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "spt_whisper"):
        kept = builder().examples(
            [utterance("a"), utterance("book")], ["hi", "ñuka wasi " * 100_000], "train"
        )
    assert [example.utterance.id for example in kept] == ["a"]
    assert "over 448 decoder positions: book" in caplog.text


def test_an_utterance_as_long_as_the_window_is_kept() -> None:
    (example,) = builder().examples([utterance("a", duration=10.0)], ["hi"], "train")
    assert example.window == 10.0


@pytest.mark.parametrize(("stated", "window"), [(4.44, 5.0), (4.455, 10.0)])
def test_the_window_holds_the_slowest_audio_with_what_its_duration_may_lack(
    stated: float, window: float
) -> None:
    build = builder(windows=(5.0, 10.0))
    (example,) = build.examples([utterance("a", duration=stated)], ["hi"], "train", slowest=0.9)
    assert example.window == window
    assert (stated + 0.05) / 0.9 <= window


def test_utterances_without_text_are_told(caplog: pytest.LogCaptureFixture) -> None:
    utterances = [utterance("said"), utterance("hole", text="")]
    with caplog.at_level(logging.WARNING):
        kept = builder().examples(utterances, ["hi", ""], "train")
    assert len(kept) == 2
    assert "corpus, train: 1 utterances have no text" in caplog.text
    assert ": hole; leave them out" in caplog.text
