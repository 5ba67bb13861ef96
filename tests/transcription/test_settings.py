"""What a transcription's settings ask of the decoder, and which of them decide a text."""

from __future__ import annotations

import docstring_parser
import pytest

from spt_whisper.errors import InputError
from spt_whisper.transcription.settings import TranscribeConfig
from spt_whisper.transcription.writers import WRITERS
from spt_whisper.whisper.options import DecodingOptions


@pytest.mark.parametrize(
    ("given", "formats"),
    [
        ("txt", ("txt",)),
        ("srt,json", ("srt", "json")),
        (" srt , txt,srt,", ("srt", "txt")),
        ("all", tuple(WRITERS)),
    ],
)
def test_formats(given: str, formats: tuple[str, ...]) -> None:
    assert TranscribeConfig(["a.wav"], format=given, output="out").formats == formats


@pytest.mark.parametrize("given", ["", ",", "doc", "txt,doc", "all,txt", "TXT"])
def test_an_unknown_format_is_refused(given: str) -> None:
    with pytest.raises(InputError, match=f"wanted {', '.join(WRITERS)} .* or all"):
        TranscribeConfig(["a.wav"], format=given, output="out")


def test_help_names_every_format_in_the_order_of_all() -> None:
    settings = docstring_parser.parse_from_object(TranscribeConfig).params
    (said,) = (setting.description for setting in settings if setting.arg_name == "format")
    *names, last = WRITERS
    assert f": {', '.join(names)} or {last};" in str(said)


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_but_txt_shows_times(name: str) -> None:
    assert TranscribeConfig(["a.wav"], format=name).options.timestamps == (name != "txt")


@pytest.mark.parametrize(
    ("config", "timestamps", "words"),
    [
        (TranscribeConfig(["a"]), False, False),
        (TranscribeConfig(["a"], format="txt,srt", output="out"), True, False),
        (TranscribeConfig(["a"], decoding=DecodingOptions(timestamps=True)), True, False),
        (TranscribeConfig(["a"], format="json", words=True), True, True),
        (TranscribeConfig(["a"], decoding=DecodingOptions(word_timestamps=True)), False, True),
    ],
)
def test_times_are_asked_for_where_they_are_shown(
    config: TranscribeConfig, timestamps: bool, words: bool
) -> None:
    assert (config.options.timestamps, config.options.word_timestamps) == (timestamps, words)


def test_no_text_depends_on_where_things_lie() -> None:
    plain = TranscribeConfig(["a"])
    moved = TranscribeConfig(["b"], model="m", bank="b", output="out", overwrite=True, batch_size=1)
    assert moved.text_settings == plain.text_settings
    assert {"language", "decoding"} <= set(plain.text_settings)


@pytest.mark.parametrize("seconds", [0.5, 30.02, 1.01, float("nan")])
def test_what_is_no_window_is_refused(seconds: float) -> None:
    with pytest.raises(InputError, match="window_seconds: found .*, wanted"):
        TranscribeConfig(["a"], window_seconds=seconds)
