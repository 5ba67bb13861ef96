"""A recording heard twice, and how the page shows it."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
import soundfile
import torch

from spt_whisper.demo import comparison
from spt_whisper.demo.choices import Choice
from spt_whisper.demo.comparison import Comparer, Comparison, load_comparer
from spt_whisper.demo.rendering import comparison_html, complaint_html
from spt_whisper.demo.settings import DemoConfig
from spt_whisper.errors import InputError
from spt_whisper.prompts.bank import Bank
from spt_whisper.transcription.transcriber import Whisper
from spt_whisper.transcription.transcript import Segment, Transcript
from spt_whisper.transcription.writers import to_srt
from spt_whisper.whisper.options import single_pass
from tests.demo.tiny_prompts import random_prompt, write_bank
from tests.tiny_corpus import write_model
from tests.tiny_model import tiny_whisper

OPTIONS = single_pass(tokens_per_second=5.0, timestamps=True)


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper(tiny_whisper(seed=3))


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    noise = torch.randn(48_000, generator=torch.Generator().manual_seed(0)) * 0.1
    soundfile.write(tmp_path / "three.wav", noise.numpy(), 16_000)
    return tmp_path / "three.wav"


def test_both_transcripts_are_those_of_transcribe(whisper: Whisper, audio: Path) -> None:
    prompt = random_prompt(whisper.frozen, 1)
    comparer = Comparer(whisper, single_pass(tokens_per_second=5.0), None, 10.0)
    found = comparer.compare(audio, Choice("one", (prompt,)))
    assert found.bare == whisper.transcribe(audio, options=OPTIONS, voice_activity=None)
    assert found.prompted == whisper.transcribe(
        audio, prompt=prompt, options=OPTIONS, voice_activity=None
    )
    assert found.bare.text != found.prompted.text
    probabilities = list(found.languages.values())
    assert len(probabilities) == 3
    assert probabilities == sorted(probabilities, reverse=True)
    assert found.bare.languages[0] in found.languages
    assert comparer.compare(audio, None).prompted is None


def test_a_bank_chooses_by_ear_and_says_how_sure_it_was(
    whisper: Whisper, audio: Path, tmp_path: Path
) -> None:
    bank = Bank.from_folder(write_bank(tmp_path / "bank", whisper.frozen, ("ky", "qug")))
    choice = Choice("auto", tuple(map(bank.prompt, bank.languages)), bank)
    found = Comparer(whisper, OPTIONS, None, 10.0).compare(audio, choice)
    assert found.prompted is not None
    shares = [segment.confidence for segment in found.prompted.segments]
    assert all(share is not None and 0 < share <= 1 for share in shares)
    names = [segment.prompt or "bare Whisper" for segment in found.prompted.segments]
    html = comparison_html(found, choice, audio, "a.wav")
    for name, share in zip(names, shares, strict=True):
        assert f'<span class="note">{name}, {100 * share:.0f} %</span>' in html


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"", "is empty"), (b"not audio", "cannot be read as audio")],
)
def test_what_cannot_be_read_is_named(
    whisper: Whisper, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"bad\.wav: .*{message}"):
        Comparer(whisper, OPTIONS, None, 10.0).compare(path, None)


def test_what_is_too_long_is_refused_before_it_is_decoded(whisper: Whisper, audio: Path) -> None:
    with pytest.raises(InputError, match=r"three\.wav: is 3 s long, wanted 2 s at most"):
        Comparer(whisper, OPTIONS, None, 2.0).compare(audio, None)


def test_a_header_that_tells_too_little_hides_no_length(
    whisper: Whisper, audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "audio_duration", lambda _: 1.0)
    with pytest.raises(InputError, match=r"three\.wav: is longer than its header says, wanted 2 s"):
        Comparer(whisper, OPTIONS, None, 2.0).compare(audio, None)


def test_a_prompt_of_another_whisper_is_refused(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", seed=5)
    other = Choice("other", (random_prompt(tiny_whisper(seed=6), 1),))
    with pytest.raises(InputError, match="load the prompt's own base model"):
        load_comparer(DemoConfig(model=str(model)), [other])


def test_texts_and_names_are_escaped_and_the_srt_is_in_the_page() -> None:
    evil = '<img src=x onerror="alert(1)"> {{7*7}} ${8*8}'
    bare, prompted = (
        Transcript("a.wav", 65.0, (Segment(0.0, 2.0, text), Segment(61.25, 65.0, evil)), ("es",), None)
        for text in ("mana ari", "ari")
    )  # fmt: skip
    found = Comparison({"es": 0.617, "it": 0.2}, bare, prompted)
    html = comparison_html(found, Choice(evil, ()), Path(f"{evil}.wav"), 'x"y?.wav')
    assert "<img" not in html
    assert html.count("&lt;img src=x onerror=&#34;alert(1)&#34;&gt;") >= 3
    assert 'src="x%22y%3F.wav"' in html
    assert "<b>Spanish 62 %</b>, Italian 20 %" in html
    assert "<mark>mana</mark> ari" in html
    assert "<b>1 of " in html
    assert 'data-start="61.25" data-end="65.0"' in html
    assert "1:01.2 – 1:05.0" in html
    links = re.findall(r'href="data:application/x-subrip;base64,([^"]+)"', html)
    assert [base64.b64decode(link).decode() for link in links] == [to_srt(bare), to_srt(prompted)]
    assert complaint_html(evil).count("<") == 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"port": 70_000}, "port: found 70000"),
        ({"max_minutes": 0.0}, "max_minutes: found 0"),
        ({"max_megabytes": -1}, "max_megabytes: found -1"),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DemoConfig(**setting)  # type: ignore[arg-type]
