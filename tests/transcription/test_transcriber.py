"""Recordings of any length, with any prompt on any window, in one stream of batches."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spt_whisper import Prompt, Whisper
from spt_whisper.engines import torch as torch_engine
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import SHARED_FOLDER, SHARED_METHOD, Bank
from spt_whisper.prompts.card import LanguageKey
from spt_whisper.prompts.config import LanguageAwareConfig
from spt_whisper.prompts.language_aware import start_part
from spt_whisper.prompts.language_part import PART_METHOD, LanguagePart, write_part
from spt_whisper.transcription.arguments import listed
from spt_whisper.transcription.pieces import End, Piece, pools
from spt_whisper.transcription.request import Request
from spt_whisper.transcription.transcriber import DEFAULT_ACTIVITY, _first_speech
from spt_whisper.transcription.transcript import Segment, Transcript
from spt_whisper.whisper.options import DecodingOptions, single_pass
from tests.tiny_model import tiny_whisper
from tests.transcription.noise_and_prompts import noise, wild_prompt

OPTIONS = single_pass(tokens_per_second=5.0)
SETTINGS = {"options": OPTIONS, "voice_activity": None, "batch_size": 3}


@pytest.fixture
def whisper() -> Whisper:
    return Whisper(tiny_whisper(seed=3))


def test_a_batch_mixes_prompts_and_lengths_and_each_recording_is_as_alone(whisper: Whisper) -> None:
    slots, deep = wild_prompt(whisper, 1), wild_prompt(whisper, 2, site=["attention", "cross"])
    audio = [noise(7.3, 0), noise(1.0, 1), noise(5.1, 2), noise(0.4, 3)]
    prompts = [slots, None, deep, slots]
    settings = {**SETTINGS, "window_seconds": 2.0, "language": "es"}
    together = whisper.transcribe(audio, prompt=prompts, **settings)
    alone = [
        whisper.transcribe(own, prompt=prompt, **settings)
        for own, prompt in zip(audio, prompts, strict=True)
    ]
    assert together == alone
    assert len({found.text for found in together}) == len(audio)
    assert [found.prompt for found in together] == ["prompt 1", None, "prompt 2", "prompt 1"]
    assert [found.duration for found in together] == [7.3, 1.0, 5.1, 0.4]
    starts = [segment.start for segment in together[0].segments]
    assert len(starts) >= 4
    assert starts == sorted(starts)
    assert together[0].segments[-1].end == pytest.approx(7.3)


@pytest.mark.parametrize("site", ["input", "attention", "cross", "feed_forward"])
def test_what_whisper_writes_before_and_after_a_prompt_is_the_same_to_the_letter(
    site: str, whisper: Whisper
) -> None:
    audio = [noise(seconds, seed) for seed, seconds in enumerate((2.0, 0.7, 1.3))]
    settings = {**SETTINGS, "window_seconds": 2.0, "language": "it"}
    before = whisper.transcribe(audio, **settings)
    on = whisper.transcribe(audio, prompt=wild_prompt(whisper, 1, site=site), **settings)
    assert [found.text for found in on] != [found.text for found in before]
    assert whisper.transcribe(audio, **settings) == before


def test_windows_are_the_prompts_own_unless_others_are_asked_for(whisper: Whisper) -> None:
    prompt = wild_prompt(whisper, 1, window=2.0)
    own = whisper.transcribe(noise(5.0, 0), prompt=prompt, **SETTINGS)
    assert max(segment.end - segment.start for segment in own.segments) <= 2.0
    asked = whisper.transcribe(noise(5.0, 0), prompt=prompt, window_seconds=30.0, **SETTINGS)
    assert [(segment.start, segment.end) for segment in asked.segments] == [(0.0, 5.0)]
    with pytest.raises(InputError, match=r"found 1\.01, wanted a multiple of 0\.02"):
        whisper.transcribe(noise(5.0, 0), window_seconds=1.01, **SETTINGS)


def test_what_cannot_be_read_leaves_the_other_recordings(whisper: Whisper, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio at all")
    requests = [
        Request(noise(1.0, 0)), Request(str(broken)), Request(torch.zeros(2, 8000)), Request(noise(1.0, 1)),
    ]  # fmt: skip
    found = list(whisper.transcribe_many(requests, **SETTINGS))
    assert [type(own) for own in found] == [Transcript, InputError, InputError, Transcript]
    assert "broken.wav" in str(found[1])
    assert "wanted (samples,)" in str(found[2])
    with pytest.raises(InputError, match=r"broken\.wav"):
        whisper.transcribe([noise(1.0, 0), str(broken)], **SETTINGS)
    with pytest.raises(InputError, match="batch_size: found 0, wanted 1 or more"):
        whisper.transcribe(noise(1.0, 0), batch_size=0)
    with pytest.raises(InputError, match="2 given for 1"):
        whisper.transcribe([noise(1.0, 0)], prompt=[None, None])
    with pytest.raises(InputError, match="'qug'"):
        whisper.transcribe(noise(1.0, 0), language="qug")


def test_several_recordings_may_come_from_a_generator(whisper: Whisper) -> None:
    audio = [noise(seconds, seed) for seed, seconds in enumerate((2.0, 0.7))]
    expected = whisper.transcribe(audio, **SETTINGS)
    assert whisper.transcribe((one for one in audio), **SETTINGS) == expected
    for wrong in (None, 5):
        with pytest.raises(InputError, match="audio: found .*, wanted a path or a waveform"):
            whisper.transcribe(wrong, **SETTINGS)  # type: ignore[call-overload]


class Table(list[str]):
    """Iterates over its columns' names, as a DataFrame does."""

    columns = ("audio",)


@pytest.mark.parametrize(
    ("audio", "found"),
    [
        ({"array": np.zeros(9), "sampling_rate": 16_000}, "found dict"),
        (b"RIFF", "found bytes"),
        (Table(["audio"]), "found Table"),
        ((np.zeros(9), 44_100), "item 2 is int"),
        ([0.1, 0.2], "item 1 is float"),
        ([{"array": np.zeros(9)}], "item 1 is dict"),
    ],
)
def test_what_is_no_recording_is_not_taken_apart(audio: Any, found: str) -> None:
    with pytest.raises(InputError, match=rf"audio: {found}, wanted a path or a waveform"):
        listed(audio)


def test_progress_is_told_within_a_recording_and_adds_up_to_all_audio(whisper: Whisper) -> None:
    told: list[float] = []
    requests = [Request(noise(seconds, 0)) for seconds in (19.0, 0.5, 6.5)]
    list(whisper.transcribe_many(requests, **SETTINGS, window_seconds=2.0, on_audio=told.append))
    assert sum(told) == pytest.approx(26.0)
    assert max(told) < 19.0
    told.clear()
    list(whisper.transcribe_many([Request(torch.zeros(32_000))], on_audio=told.append))
    assert sum(told) == 2.0  # no speech in it


def test_a_stream_has_the_segments_of_the_transcript(whisper: Whisper) -> None:
    settings = {**SETTINGS, "window_seconds": 2.0, "language": "es"}
    streamed = list(whisper.transcribe_stream(noise(9.0, 5), **settings))
    assert tuple(streamed) == whisper.transcribe(noise(9.0, 5), **settings).segments
    with pytest.raises(InputError, match="no such file"):
        list(whisper.transcribe_stream("missing.wav", **settings))


def test_windows_of_several_pools_are_in_order(whisper: Whisper) -> None:
    settings = {**SETTINGS, "window_seconds": 2.0, "language": "es", "batch_size": 1}
    streamed = list(whisper.transcribe_stream(noise(18.3, 5), **settings))
    starts = [segment.start for segment in streamed]
    assert len(starts) > 9  # 4 windows a pool
    assert starts == sorted(starts)
    assert tuple(streamed) == whisper.transcribe(noise(18.3, 5), **settings).segments


@dataclass(frozen=True)
class Counted(Request):
    """A recording that says how much of it was read."""

    read: list[int] = field(default_factory=list)

    def blocks(self) -> Iterator[Tensor]:
        for number in range(1000):
            self.read.append(number)
            yield noise(1.0, number)


def test_a_recording_is_read_as_it_is_needed() -> None:
    request = Counted("endless.wav")
    first = next(pools([request], 2.0, None, 4))
    assert sum(isinstance(piece, Piece) for piece in first) == 4
    assert len(request.read) < 40


@dataclass(frozen=True)
class Slow(Counted):
    """A recording that is read for 5 s, and comes to nothing."""

    def blocks(self) -> Iterator[Tensor]:
        for number in range(500):
            self.read.append(number)
            time.sleep(0.01)
            yield torch.zeros(0)


def test_an_end_is_in_the_pool_of_its_last_window() -> None:
    requests = [Request(noise(seconds, 0)) for seconds in (1.0, 1.5, 3.5, 1.0)]
    found = [
        [(piece.recording, isinstance(piece, End)) for piece in pool]
        for pool in pools(requests, 2.0, None, 2)
    ]
    assert found == [
        [(0, False), (0, True), (1, False), (1, True)],
        [(2, False), (2, False), (2, True)],
        [(3, False), (3, True)],
    ]


def test_recordings_without_speech_do_not_wait_for_one_that_has_some() -> None:
    silent = [Request(torch.zeros(8_000)) for _ in range(5)]
    found = [
        [piece.recording for piece in pool] for pool in pools(silent, 2.0, DEFAULT_ACTIVITY, 2)
    ]
    assert found == [[0, 1, 2], [3, 4]]


def test_reading_ends_where_nobody_wants_more() -> None:
    slow = Slow("slow.wav")
    coming = pools([Request(noise(2.0, 0)), slow], 2.0, None, 1)
    next(coming)
    while not slow.read:
        time.sleep(0.001)
    coming.close()
    assert len(slow.read) < 400


def test_recordings_are_given_with_the_batch_that_ends_them(whisper: Whisper) -> None:
    requests = [Request(noise(seconds, 0)) for seconds in (0.5, 1.8, 1.0, 0.6)]
    settings = {**SETTINGS, "window_seconds": 2.0, "batch_size": 2}
    done = list(whisper.transcribe_as_completed(requests, **settings))
    assert [[number for number, _ in batch] for batch in done] == [[1, 2], [0, 3]]  # longest first
    found = dict(pair for batch in done for pair in batch)
    assert [found[number] for number in range(4)] == list(
        whisper.transcribe_many(requests, **settings)
    )


def test_a_recording_without_speech_has_an_empty_transcript(whisper: Whisper) -> None:
    found = whisper.transcribe(torch.zeros(32_000), options=OPTIONS)
    assert (found.text, found.segments, found.duration) == ("", (), 2.0)
    assert (found.prompt, found.languages) == (None, ())
    asked = whisper.transcribe(torch.zeros(32_000), prompt=wild_prompt(whisper, 1), options=OPTIONS)
    assert (asked.prompt, asked.languages) == ("prompt 1", ())


@pytest.fixture
def bank(whisper: Whisper, tmp_path: Path) -> Bank:
    """Two languages: one sounds like loud noise, one like nothing that the tests have."""
    for language, sound, seed in (("qug", noise(4.0, 0), 1), ("ky", noise(4.0, 0) * 0, 2)):
        (heard,) = whisper.engine.listen([_row(sound)], 30.0)
        state = heard.state if language == "qug" else heard.state + 50.0
        key = LanguageKey(
            tuple(heard.log_posterior.tolist()), tuple(state.tolist()), (0.05,) * len(state)
        )
        prompt = wild_prompt(whisper, seed, language)
        prompt = replace(prompt, card=replace(prompt.card, key=key))
        prompt.save_pretrained(tmp_path / "bank" / language)
    return Bank.from_pretrained(tmp_path / "bank")


def _row(waveform: Tensor) -> object:
    from spt_whisper.engines.engine import Row

    return Row(waveform)


def test_each_window_gets_the_prompt_of_the_language_that_it_sounds_like(
    whisper: Whisper, bank: Bank
) -> None:
    found = whisper.transcribe(noise(4.0, 0), bank=bank, **SETTINGS)
    named = whisper.transcribe(noise(4.0, 0), prompt=bank.prompt("qug"), **SETTINGS)
    assert [s.text for s in found.segments] == [s.text for s in named.segments]
    assert max(s.end - s.start for s in found.segments) <= 2.0  # cut again, for the prompt
    assert all(0.5 < (segment.confidence or 0) <= 1 for segment in found.segments)
    assert all(segment.prompt for segment in found.segments)


def test_what_sounds_like_no_language_of_the_bank_is_bare_whispers_and_encoded_once(
    whisper: Whisper, bank: Bank
) -> None:
    other = torch.sin(torch.arange(48_000) * 0.3) * 0.5
    encoded = []
    convolution = whisper.frozen.model.model.encoder.conv1
    handle = convolution.register_forward_hook(lambda *_: encoded.append(1))
    found = whisper.transcribe(other, bank=bank, **SETTINGS)
    handle.remove()
    assert len(encoded) == 1
    bare = whisper.transcribe(other, **SETTINGS)
    assert found.text == bare.text
    assert found.languages == bare.languages
    assert [segment.prompt for segment in found.segments] == [None]


def test_a_bank_in_windows_that_are_asked_for(whisper: Whisper, bank: Bank) -> None:
    """Bare Whisper's text stays what it is, in a batch with speech that gets a prompt."""
    other = torch.sin(torch.arange(32_000) * 0.3) * 0.5
    settings = {**SETTINGS, "window_seconds": 4.0}
    routed, kept = whisper.transcribe([noise(4.0, 0), other], bank=bank, **settings)
    assert [(s.start, s.end) for s in routed.segments] == [(0.0, 4.0)]
    assert kept.text == whisper.transcribe(other, **settings).text
    with pytest.raises(InputError, match="language it: found a bank beside it"):
        list(whisper.transcribe_many([Request(other, language="it", bank=bank)]))


def test_windows_that_a_bank_was_asked_for_are_in_order(whisper: Whisper, bank: Bank) -> None:
    """The longest are listened to first."""
    settings = {**SETTINGS, "bank": bank, "window_seconds": 2.0}
    found = whisper.transcribe(noise(7.5, 0), **settings)
    starts = [segment.start for segment in found.segments]
    assert starts == sorted(starts)
    assert tuple(whisper.transcribe_stream(noise(7.5, 0), **settings)) == found.segments
    many = whisper.transcribe([noise(seconds, 0) for seconds in (0.5, 1.9, 1.0)], **settings)
    assert [own.duration for own in many] == pytest.approx([0.5, 1.9, 1.0])


def test_a_language_may_be_called_as_its_corpus_or_its_bank_calls_it(
    whisper: Whisper, bank: Bank
) -> None:
    prompt = bank.prompt("qug")
    named = whisper.transcribe(noise(4.0, 0), prompt=prompt, **SETTINGS)
    for found in (
        whisper.transcribe(noise(4.0, 0), prompt=prompt, language="qug", **SETTINGS),
        whisper.transcribe(noise(4.0, 0), bank=bank, language="qug", **SETTINGS),
    ):
        assert found == named
    streamed = whisper.transcribe_stream(noise(4.0, 0), bank=bank, language="qug", **SETTINGS)
    assert tuple(streamed) == named.segments
    with pytest.raises(InputError, match="no language 'it'"):
        whisper.transcribe(noise(4.0, 0), bank=bank, language="it", **SETTINGS)


def test_mixed_speech_has_the_tokens_of_the_banks_prompt_that_answers_for_it(
    whisper: Whisper, tmp_path: Path
) -> None:
    """As with `--bank DIR --language it+es`: its prompt was trained with `es`, and Whisper has a token for `it`."""
    own = wild_prompt(whisper, 1, "it")
    shared = replace(own, card=replace(own.card, method=SHARED_METHOD))
    shared.save_pretrained(tmp_path / SHARED_FOLDER)
    aware, generator = LanguageAwareConfig(), torch.Generator().manual_seed(0)
    for language in ("es", "it"):
        tensors = start_part(own.config, aware, whisper.frozen.shape, generator)
        card = replace(own.card, languages=(language,), method=PART_METHOD)
        part = LanguagePart(aware, tensors, card)
        write_part(tmp_path / language, part, tmp_path / SHARED_FOLDER, own.config)
    bank = Bank.from_pretrained(tmp_path)
    found = whisper.transcribe(noise(1.5, 0), bank=bank, language="it+es", **SETTINGS)
    assert found == whisper.transcribe(noise(1.5, 0), prompt=bank.prompt("it"), **SETTINGS)
    assert found.languages == ("es",)


def test_a_prompt_may_be_named_by_its_folder_and_is_read_once(
    whisper: Whisper, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio, folder, read = noise(4.0, 0), bank.folder / "qug", []
    named = whisper.transcribe(audio, prompt=Prompt.from_pretrained(folder), **SETTINGS)
    monkeypatch.setattr(Prompt, "from_pretrained", _counting(Prompt.from_pretrained, read))
    assert whisper.transcribe([audio, audio], prompt=str(folder), **SETTINGS) == [named] * 2
    assert whisper.transcribe([audio], prompt=[folder], language="qug", **SETTINGS) == [named]
    assert len(read) == 2
    streamed = whisper.transcribe_stream(audio, prompt=folder, **SETTINGS)
    assert tuple(streamed) == named.segments
    requests = [Request(audio, folder), Request(audio, str(folder))]
    assert list(whisper.transcribe_many(requests, **SETTINGS)) == [named] * 2
    assert len(read) == 4


def _counting(method: object, calls: list[object]) -> object:
    def counted(source: object) -> object:
        calls.append(source)
        return method(source)  # type: ignore[operator]

    return counted


def test_a_bank_may_be_named_by_its_folder(whisper: Whisper, bank: Bank) -> None:
    audio = noise(4.0, 0)
    heard = whisper.transcribe(audio, bank=bank, **SETTINGS)
    assert whisper.transcribe(audio, bank=str(bank.folder), **SETTINGS) == heard
    assert list(whisper.transcribe_many([Request(audio, bank=bank.folder)], **SETTINGS)) == [heard]


def test_what_is_no_prompt_is_told_in_one_line(whisper: Whisper, bank: Bank) -> None:
    audio, prompt = noise(1.0, 0), bank.prompt("qug")
    for wrong, line in (
        ({"prompt": "runs/none"}, "prompt runs/none: "),
        ({"prompt": bank}, "prompt: found a bank of ky, qug; pass it as bank="),
        ({"prompt": 3}, "prompt: found int, wanted a Prompt, or its folder or hub id"),
        ({"bank": prompt}, "bank: found prompt .*; pass it as prompt="),
        ({"bank": 3}, "bank: found int, wanted a Bank"),
    ):
        with pytest.raises(InputError, match=line):
            whisper.transcribe(audio, **wrong, **SETTINGS)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=line):
            list(whisper.transcribe_many([Request(audio, **wrong)], **SETTINGS))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="prompt a/b: found a bank beside it"):
        Request(audio, "a/b", bank=bank)


def test_a_bank_that_cannot_listen_asks_for_a_language(whisper: Whisper, bank: Bank) -> None:
    prompt = wild_prompt(whisper, 3, "aym")
    prompt.save_pretrained(bank.folder / "aym")
    with pytest.raises(InputError, match="the prompt of aym has no key .* name the language"):
        whisper.transcribe(noise(1.0, 0), bank=bank.folder, **SETTINGS)


def test_speech_is_listened_for_once(
    whisper: Whisper, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows that are cut again for a prompt hold all that was speech before."""
    listened = []

    class Speech:
        def __call__(self, frames: Tensor) -> Tensor:
            listened.append(len(frames))
            return torch.ones(len(frames)) * (len(listened) == 1)  # another time it would be none

    monkeypatch.setattr("spt_whisper.transcription.windows.SpeechProbability", Speech)
    found = whisper.transcribe(noise(4.0, 0), bank=bank, options=OPTIONS)
    assert listened == [125]
    assert [segment.prompt is not None for segment in found.segments] == [True] * 3
    assert sum(segment.end - segment.start for segment in found.segments) == pytest.approx(4.0)


def test_a_waveform_of_numpy_is_one_recording(whisper: Whisper) -> None:
    audio = noise(1.0, 0)
    found = whisper.transcribe(audio, **SETTINGS)
    assert whisper.transcribe(audio.numpy(), **SETTINGS) == found
    assert whisper.transcribe([audio.numpy(), audio], **SETTINGS) == [found, found]
    with pytest.raises(InputError, match=r"found torch\.int16, wanted floats"):
        whisper.transcribe((audio * 32_768).short(), **SETTINGS)


def test_an_array_is_taken_in_any_layout(whisper: Whisper) -> None:
    samples = noise(1.0, 0).numpy()
    found = whisper.transcribe(samples, **SETTINGS)
    layouts = [
        samples[::-1].copy()[::-1], samples.astype(">f4"), samples.astype(np.longdouble),
        np.repeat(samples, 2)[::2],
    ]  # fmt: skip
    for layout in layouts:
        assert whisper.transcribe(layout, **SETTINGS) == found
    for wrong, message in (
        (samples.reshape(1, -1)[:, ::-1], r"shape \(1, 16000\), wanted \(samples,\)"),
        (np.asarray(0.5), r"shape \(\), wanted \(samples,\)"),
        (np.full(9, 1e300), "holds NaN or infinite samples"),
        ((samples * 32_768).astype(">i2"), "found >i2, wanted floats"),
        (-samples.clip(0) * 32_768, r"found a sample of -?\d+, wanted floats .*; divide"),
    ):
        with pytest.raises(InputError, match=f"waveform: {message}"):
            whisper.transcribe(wrong, **SETTINGS)


def test_another_thread_hears_bare_whisper_while_a_prompt_is_on(
    whisper: Whisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, heard = _row(noise(1.0, 0)), list[torch.Tensor]()
    (bare,) = whisper.engine.listen([row], 30.0)

    def listen() -> None:
        heard.append(whisper.engine.listen([row], 30.0)[0].log_posterior)

    listener = Thread(target=listen)

    def decode(*args: object) -> object:
        listener.start()
        listener.join(2.0)  # time enough to listen, where nothing keeps it from that
        return real(*args)

    real = torch_engine.decode
    monkeypatch.setattr(torch_engine, "decode", decode)
    whisper.transcribe(noise(1.0, 0), prompt=wild_prompt(whisper, 1), **SETTINGS)  # fmt: skip
    listener.join()
    assert torch.equal(heard[0], bare.log_posterior)


def test_the_languages_of_a_recording(whisper: Whisper) -> None:
    loud = torch.cat([noise(1.0, seed) for seed in range(3)])
    posterior = whisper.engine.listen([_row(loud)], 30.0)[0].log_posterior.exp()
    with pytest.raises(InputError, match="holds no speech"):
        whisper.detect_language(torch.zeros(16_000))
    assert float(posterior.sum()) == pytest.approx(1.0, abs=1e-5)


def test_the_most_probable_languages_come_with_their_probabilities(whisper: Whisper) -> None:
    (heard,) = whisper.engine.listen([_row(noise(1.0, 0))], 30.0)
    posterior = zip(
        whisper.frozen.tokens.languages, heard.log_posterior.exp().tolist(), strict=True
    )
    expected = sorted(posterior, key=lambda pair: -pair[1])
    found = whisper.detect_language(noise(1.0, 0), top=2, voice_activity=None)
    assert list(found) == [code for code, _ in expected[:2]]
    assert list(found.values()) == pytest.approx([share for _, share in expected[:2]])
    assert len(whisper.detect_language(noise(1.0, 0), top=99, voice_activity=None)) == 4


def test_a_language_is_heard_in_30_s_of_speech_whatever_the_pauses() -> None:
    """The first window may be much shorter: it ends at the first long pause, or where it is quiet."""
    loud = noise(40.0, 0)
    assert torch.equal(_first_speech(Request(loud), None), loud[:480_000])
    short = noise(2.0, 1)
    assert torch.equal(_first_speech(Request(short), None), short)


@pytest.mark.parametrize("seconds", [0.5, 31.0])
def test_a_window_to_which_nothing_can_be_cut_is_called_by_its_name(
    seconds: float, whisper: Whisper
) -> None:
    with pytest.raises(InputError, match=f"window_seconds: found {seconds:g}"):
        whisper.transcribe(noise(1.0, 0), window_seconds=seconds)


def test_a_prompt_and_a_bank_are_not_asked_for_together(whisper: Whisper, tmp_path: Path) -> None:
    """A window has one prompt: which of the two would be used must not be a surprise."""
    prompt = wild_prompt(whisper, 1)
    bank = Bank(tmp_path, None, {}, {"qug": prompt})
    line = "prompt prompt 1: found a bank beside it"
    with pytest.raises(InputError, match=line):
        list(whisper.transcribe_stream(noise(1.0, 0), prompt=prompt, bank=bank))
    with pytest.raises(InputError, match=line):
        whisper.transcribe(noise(1.0, 0), prompt=prompt, bank=bank)
    with pytest.raises(InputError, match=line):
        whisper.transcribe([noise(1.0, 0)] * 2, prompt=[prompt, prompt], bank=bank)


def test_a_bank_is_for_the_recordings_without_a_prompt_of_their_own(
    whisper: Whisper, bank: Bank
) -> None:
    audio, prompt = noise(2.0, 0), wild_prompt(whisper, 5)
    found = whisper.transcribe([audio, audio], prompt=[prompt, None], bank=bank, **SETTINGS)
    assert found == [
        whisper.transcribe(audio, prompt=prompt, **SETTINGS),
        whisper.transcribe(audio, bank=bank, **SETTINGS),
    ]
    assert whisper.transcribe([], bank=bank, **SETTINGS) == []


def test_several_language_tokens_may_be_asked_for(whisper: Whisper) -> None:
    (segment,) = whisper.transcribe(noise(1.0, 0), language="zh+en", **SETTINGS).segments
    assert segment.languages == ("zh", "en")
    with pytest.raises(InputError, match="language 'xx'"):
        whisper.transcribe(noise(1.0, 0), language="zh+xx", **SETTINGS)


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        (("今日は。", "「いい天気」です"), "今日は。「いい天気」です"),
        (("สวัสดี", "ครับ"), "สวัสดีครับ"),
        ((" One.", "two", " ", "three"), "One. two three"),
        (("用 Windows", "今天"), "用 Windows 今天"),
        (("한국어", "문장"), "한국어 문장"),
        ((), ""),
    ],
)
def test_segments_are_joined_as_their_script_is_written(texts: tuple[str, ...], line: str) -> None:
    segments = tuple(Segment(0.0, 1.0, text) for text in texts)
    assert Transcript("a", 1.0, segments, (), None).text == line


def test_a_prompt_that_nobody_uses_any_more_is_let_go(whisper: Whisper) -> None:
    texts = []
    for seed in (1, 2, 1):  # the third may well live where the first did
        texts.append(whisper.transcribe(noise(1.0, 0), prompt=wild_prompt(whisper, seed), **SETTINGS).text)  # fmt: skip
        gc.collect()
        assert whisper.engine._ready == {}
    assert texts[0] == texts[2] != texts[1]


@pytest.mark.parametrize(("tokens_per_second", "told"), [(50.0, 0), (1000.0, 1)])
def test_a_text_without_room_is_told_of(
    tokens_per_second: float, told: int, whisper: Whisper, caplog: pytest.LogCaptureFixture
) -> None:
    options = DecodingOptions(
        temperatures=[1.0], no_speech_threshold=None, tokens_per_second=tokens_per_second, seed=3
    )  # drawn, and with this seed it neither ends nor loops
    found = whisper.transcribe(noise(2.0, 0), voice_activity=None, options=options, language="es")
    assert found.text
    lines = [line for line in caplog.messages if "its end is lost" in line]
    assert len(lines) == told
    assert all(line.startswith("waveform: the text of 0.0 to 2.0 s") for line in lines)
