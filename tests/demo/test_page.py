"""The page in headless Chromium: what a person does, reads and hears there, and that it asks nobody else."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.demo.conftest import PROMPT, Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

# Gradio says so when an upload is done, and of a file that it cannot draw
NOT_OURS = {"Method not implemented.", "Waveform load error: MediaError"}

# without a sandbox, which root may not have (the page is our own); with a microphone that beeps
FLAGS = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]

UPLOAD = re.compile(r"/gradio_api/upload\b")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        system = shutil.which("chromium") or shutil.which("google-chrome")
        try:
            browser = running.chromium.launch(executable_path=system, args=FLAGS)
        except playwright.Error:
            pytest.skip("no browser: run playwright install chromium, or install Debian's chromium")
        yield browser
        browser.close()


@pytest.fixture
def page(served: Served, browser: Browser) -> Iterator[Page]:
    """The page, just opened; at the end it must have asked nobody but its own server, and complained of nothing."""
    asked: list[str] = []
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(60_000)
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda opened: asked.append(opened.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(served.address)
    page.get_by_role("button", name="Transcribe").wait_for()
    yield page
    page.close()
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(served.address).netloc}
    assert [said for said in complaints if said not in NOT_OURS] == []


def transcribe(page: Page, served: Served, name: str) -> None:
    """Uploads a file, waits until the page shows it, and asks for its transcripts."""
    with page.expect_response(UPLOAD):
        page.set_input_files("input[type=file]", served.folder / name)
    page.get_by_role("button", name="Clear").wait_for()
    page.get_by_role("button", name="Transcribe").click()


def test_both_transcripts_stand_side_by_side_with_marks(page: Page, served: Served) -> None:
    transcribe(page, served, "speech.wav")
    sections = page.locator(".comparison section")
    sections.last.wait_for()
    bare, prompted = sections.all()
    assert bare.get_by_role("heading").inner_text() == "Bare Whisper"
    assert prompted.get_by_role("heading").inner_text() == f"qug ({PROMPT})"  # as it is, no tag
    texts = [" ".join(own.locator(".text").all_inner_texts()) for own in (bare, prompted)]
    assert all(texts)
    assert texts[0] != texts[1]
    for own in (bare, prompted):
        found = re.search(r"(\d+) of (\d+) words differ", own.inner_text())
        assert found
        assert 0 < int(found[1]) == own.locator("mark").count() <= int(found[2])
    assert re.match(r"Bare Whisper hears \w+ \d+ %, ", page.locator(".heard").inner_text())
    boxes = [own.bounding_box() for own in (bare, prompted)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert page.screenshot(full_page=True).startswith(b"\x89PNG")


def test_another_prompt_is_another_transcript(page: Page, served: Served) -> None:
    transcribe(page, served, "speech.wav")
    prompted = page.locator(".comparison section").last
    prompted.wait_for()
    first = prompted.locator(".text").all_inner_texts()
    page.get_by_role("combobox", name="Prompt").click()
    page.get_by_role("option", name="qug (second)").click()
    page.get_by_role("button", name="Transcribe").click()
    prompted.get_by_role("heading", name="qug (second)").wait_for()
    assert prompted.locator(".text").all_inner_texts() != first


def test_what_the_microphone_hears_is_transcribed(page: Page) -> None:
    page.get_by_role("button", name="Record audio").click()
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_text("0:02").wait_for()  # of the time recorded
    with page.expect_response(UPLOAD):
        page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Play", exact=True).wait_for()
    page.get_by_role("button", name="Transcribe").click()
    page.locator(".comparison section").last.wait_for()
    assert all(page.locator(".comparison .text").all_inner_texts())


def test_a_click_plays_a_segment_to_its_end(page: Page, served: Served) -> None:
    transcribe(page, served, "speech.wav")
    button = page.locator(".comparison button").first
    start, end = (float(button.get_attribute(f"data-{side}") or "") for side in ("start", "end"))
    player = "document.querySelector('.comparison audio')"
    button.press("Enter")  # the keyboard does what a click does
    page.wait_for_function(f"!{player}.paused && {player}.currentTime > {start}")
    assert button.get_attribute("aria-pressed") == "true"
    page.wait_for_function(f"{player}.paused")
    assert button.get_attribute("aria-pressed") == "false"
    assert end - 0.01 <= page.evaluate(f"{player}.currentTime") <= end + 0.5
    button.click()
    page.wait_for_function(f"!{player}.paused")
    assert page.evaluate(f"{player}.currentTime") < end
    button.click()
    page.wait_for_function(f"{player}.paused")


def test_the_srt_is_downloaded_from_the_page_itself(page: Page, served: Served) -> None:
    transcribe(page, served, "speech.wav")
    links = page.locator(".comparison a[download]")
    links.first.wait_for()
    for link, name in zip(links.all(), ("speech.bare.srt", "speech.prompted.srt"), strict=True):
        with page.expect_download() as download:
            link.click()
        assert download.value.suggested_filename == name
        assert re.match(r"1\n00:00:0\d,\d{3} --> 00:00:0", download.value.path().read_text())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bad.wav", "bad.wav: cannot be read as audio (Invalid data found when processing input); "),
        ("long.wav", "long.wav: is 13 s long, wanted 12 s at most; cut it, or transcribe it on the "),
    ],
)  # fmt: skip
def test_what_cannot_be_transcribed_is_one_line(
    page: Page, served: Served, name: str, message: str
) -> None:
    transcribe(page, served, name)
    said = page.get_by_role("alert").inner_text()
    assert said.startswith(message)
    assert "\n" not in said
    assert page.locator(".comparison").count() == 0


def test_a_file_that_is_too_large_is_refused(page: Page, served: Served) -> None:
    page.set_input_files("input[type=file]", served.folder / "large.wav")
    page.get_by_text("exceed the maximum allowed size").wait_for()


def test_nothing_is_asked_without_audio(page: Page) -> None:
    page.get_by_role("button", name="Transcribe").click()
    assert page.get_by_role("alert").inner_text() == "No audio yet: record some, or drop a file."


def test_a_phone_shows_one_column_and_every_control_has_a_name(page: Page, served: Served) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    transcribe(page, served, "speech.wav")
    sections = page.locator(".comparison section")
    sections.last.wait_for()
    boxes = [own.bounding_box() for own in sections.all()]
    assert boxes[0]["x"] == boxes[1]["x"]
    assert boxes[0]["y"] < boxes[1]["y"]
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    tree = page.locator("body").aria_snapshot()
    controls = re.findall(r"- (?:button|combobox|link|textbox)(.*)", tree)
    assert len(controls) > 8
    assert all(re.match(r' "[^"]+', name) for name in controls), tree
