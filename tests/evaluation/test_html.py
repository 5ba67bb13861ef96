"""The page of a report: what it says, that it needs nothing else, and that it stays small."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from spt_whisper.corpora.utterance import Utterance
from spt_whisper.errors import InputError
from spt_whisper.evaluation.html import write_html
from spt_whisper.evaluation.paired import compare_with_first
from spt_whisper.evaluation.report import Report
from spt_whisper.evaluation.system_score import score_system
from spt_whisper.evaluation.utterance_score import UtteranceScore
from spt_whisper.text.error_rates import ErrorCounts
from spt_whisper.text.normalization import get_normalizer
from tests.evaluation.said import Said, corpus

if TYPE_CHECKING:
    from playwright.sync_api import Page

RAW = get_normalizer("raw")
SAID = [
    Said("kichwa", "Kayman shamuychik mashi", "Rosa", ("qug",), 1.0),
    Said("arabic", "مرحبا بالعالم كيف حالك", "Amal", ("ar_eg",), 1.0),
    Said("hindi", "नमस्ते दुनिया", "Asha", ("hi",), 1.0),
    Said("script", "<script>alert(1)</script> ok", "Eve", ("en",), 1.0),
    Said("right", "ari", "Rosa", ("qug",), 1.0),
]
BARE = ["came on", "كيف", "नमस्ते", "ok ok ok ok ok", "are"]
PROMPT = ["Kayman shamuychik kanki mashi", "مرحبا العالم كيف", "नमस्ते दुनियाँ", "ok", "ari"]


def report(*hypotheses: list[str]) -> Report:
    systems = [
        score_system(name, SAID, texts, RAW, 20)
        for name, texts in zip(("bare <b>", "prompt"), hypotheses or (BARE, PROMPT), strict=False)
    ]
    settings = {"model": "openai/whisper-base", "decoding": {"beam_size": 1, "text_prompt": None}}
    return Report("Andes [test] $5", "raw", systems, settings, compare_with_first(systems, 20))


def tones(folder: Path, seconds: float) -> list[Utterance]:
    """A tone for every utterance: one file without its first half second."""
    samples = np.sin(np.arange(int(16_000 * (seconds + 0.5))) * 0.1).astype(np.float32)
    soundfile.write(folder / "tone.wav", samples, 16_000)
    audio = folder / "tone.wav"
    return [Utterance(s.id, audio, s.text, s.languages, None, start=0.5) for s in SAID]


def page_of(path: Path, written: Report, utterances: list[Utterance] | None = None) -> str:
    write_html(written, path / "report.html", utterances or [])
    return (path / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    """A page of headless Chromium, 375 pixels wide as a phone is."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no browser: install Debian's package chromium")
    with playwright.sync_playwright() as running:
        # without a sandbox, which root may not have; the page is our own
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 375, "height": 800})
        browser.close()


def test_a_browser_shows_the_page_and_asks_for_nothing_else(
    tmp_path: Path, browser_page: Page
) -> None:
    complaints: list[str] = []
    requests: list[str] = []
    browser_page.on("console", lambda message: complaints.append(message.text))
    browser_page.on("pageerror", lambda error: complaints.append(str(error)))
    browser_page.on("request", lambda request: requests.append(request.url))
    page_of(tmp_path, report(), tones(tmp_path, 1.0))
    address = (tmp_path / "report.html").as_uri()
    browser_page.goto(address)
    text = browser_page.inner_text("body")
    for expected in ("Andes [test] $5", "bare <b>", "<script>alert(1)</script>", "مرحبا", "दुनिया"):
        assert expected in text
    seconds = browser_page.evaluate(
        """() => { const audio = document.querySelector("audio"); return new Promise(done => {
            audio.onloadedmetadata = () => done(audio.duration); audio.onerror = () => done(-1);
            audio.load(); }); }"""
    )
    assert seconds == pytest.approx(1.0, abs=0.05)
    assert browser_page.evaluate("document.documentElement.scrollWidth") == 375
    assert browser_page.screenshot().startswith(b"\x89PNG")
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [address]


def test_right_to_left_text_runs_right_to_left(tmp_path: Path, browser_page: Page) -> None:
    page_of(tmp_path, report())
    browser_page.goto((tmp_path / "report.html").as_uri())
    lefts = browser_page.evaluate(
        """() => [...document.querySelectorAll(".aligned[lang=ar-eg]")].pop().querySelectorAll(".unit")
            .values().map(unit => unit.getBoundingClientRect().left).toArray()"""
    )
    assert len(lefts) == 4
    assert lefts == sorted(lefts, reverse=True)


def test_dark_where_the_reader_wants_it(tmp_path: Path, browser_page: Page) -> None:
    page_of(tmp_path, report())
    browser_page.goto((tmp_path / "report.html").as_uri())
    papers = []
    for scheme in ("light", "dark"):
        browser_page.emulate_media(color_scheme=scheme)
        papers.append(browser_page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert papers == ["rgb(255, 255, 255)", "rgb(20, 23, 27)"]


def test_the_page_has_what_the_report_has(tmp_path: Path) -> None:
    html = page_of(tmp_path, report())
    system = report().systems[1]
    low, high = (f"{100 * end:.1f}" for end in system.interval)
    assert f"{100 * system.wer:.1f} <small>{low}–{high}</small>" in html
    assert "bare &lt;b&gt;" in html
    assert "better with probability" in html
    assert "collapse_whitespace" in html
    assert re.search(r"decoding\.text_prompt</th><td[^>]*>none<", html)
    for title in (
        "WER % by speaker",
        "by language said, and at switches",
        "Signs of hallucination",
    ):
        assert title in html
    assert not re.search(r"<script|<link|<img|http://|https://|@import|url\(", html)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_errors_are_marked_by_letter_and_the_right_utterance_is_not_there(tmp_path: Path) -> None:
    html = page_of(tmp_path, report())
    for kind, reference, hypothesis, letter in (
        ("hit", "mashi", "mashi", ""),
        ("insertion", "", "kanki", '<abbr title="insertion">I</abbr>'),
        ("substitution", "दुनिया", "दुनियाँ", '<abbr title="substitution">S</abbr>'),
        ("deletion", "حالك", "", '<abbr title="deletion">D</abbr>'),
    ):
        texts = f"<span>{reference}</span><span>{hypothesis}</span>"
        assert f'<span class="unit {kind}">{texts}{letter}</span>' in html
    assert html.count("<details") == 4  # of five utterances, the prompt has one right
    assert html.index(">arabic<") < html.index(">kichwa<")  # more errors first


@pytest.mark.parametrize(("seconds", "players"), [(14.5, 4), (15.5, 0)])
def test_only_short_clips_are_played(tmp_path: Path, seconds: float, players: int) -> None:
    html = page_of(tmp_path, report(), tones(tmp_path, seconds))
    assert html.count("<audio") == players


def test_players_stay_within_their_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    utterances = tones(tmp_path, 1.0)
    whole = page_of(tmp_path, report(), utterances)
    address = max(re.findall(r'src="(data:[^"]+)"', whole), key=len)
    bound = 2 * len(address) + 10
    monkeypatch.setattr("spt_whisper.evaluation.players.MOST_CHARACTERS", bound)
    html = page_of(tmp_path, report(), utterances)
    assert html.count("<audio") == 2
    assert html.index("<audio") < html.index("</details>")  # of the worst, and the next


def test_missing_audio_is_named_and_the_old_page_stays(tmp_path: Path) -> None:
    html = page_of(tmp_path, report())
    gone = [dataclasses.replace(u, audio=tmp_path / "gone.wav") for u in tones(tmp_path, 1.0)]
    with pytest.raises(InputError, match=r"gone\.wav: no such file"):
        write_html(report(), tmp_path / "report.html", gone)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html


def test_a_large_corpus_makes_no_large_page(tmp_path: Path) -> None:
    few = score_system("one", *corpus(100, 50), RAW, 2)
    many = [dataclasses.replace(few.details[n % 100], id=f"u{n}") for n in range(10_000)]
    name, said = "n" * 100_000, "ñuka " * 200_000
    errors = ErrorCounts(substitutions=1, deletions=199_999)
    long = UtteranceScore(
        name, said, name, errors, errors, errors, said, name, speaker=name, languages=(name,)
    )
    system = dataclasses.replace(few, details=(*many, long))
    settings = {"decoding": {"text_prompt": name}, "model": name}
    html = page_of(tmp_path, Report(name, "raw", [system], settings))
    assert html.count("<details") == 20
    assert "199,800 more units" in html
    assert "30 more rows" in html  # of 50 speakers
    assert len(html) < 300_000


def test_a_report_without_systems_or_utterances_is_a_page(tmp_path: Path) -> None:
    assert "No system was scored" in page_of(tmp_path, Report("c", "raw", []))
    bare = [dataclasses.replace(system, details=()) for system in report().systems]
    html = page_of(tmp_path, dataclasses.replace(report(), systems=bare))
    assert "came without its utterances" in html
    right = report([each.text for each in SAID])
    assert "makes no error" in page_of(tmp_path, right)
