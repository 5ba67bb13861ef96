"""`spt-whisper export` as a user calls it, and `transcribe` with what it made."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from tests.cli.test_commands import call, one_line
from tests.export.exported import noise, random_prompt, tiny_on_disk

SHORT = ["--decoding.tokens_per_second", "4", "--decoding.temperatures", "[0]", "--voice_activity", "null",
         "--decoding.no_speech_threshold", "null"]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, two prompts and a recording."""
    folder = tmp_path_factory.mktemp("home")
    whisper = tiny_on_disk(folder / "model")
    random_prompt(whisper, folder / "slots", "feed_forward")
    random_prompt(whisper, folder / "deep", "attention")
    soundfile.write(folder / "a.wav", noise(3.0).numpy(), 16_000)
    return folder


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert call("transcribe", *arguments, *SHORT) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("prompt", "form"), [("slots", "transformers"), ("slots", "ctranslate2"), ("deep", "onnx")]
)
def test_an_export_transcribes_as_its_prompt_does(
    prompt: str, form: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in {"ctranslate2": ["ctranslate2"], "onnx": ["onnx", "onnxscript"]}.get(form, []):
        pytest.importorskip(package, reason="pip install '.[export]' in the clone")
    output = str(tmp_path / "out")
    assert call("export", str(home / prompt), "--format", form, "--output", output) == 0
    assert f"export: {output}" in capsys.readouterr().out
    audio = str(home / "a.wav")
    with_prompt = printed(capsys, audio, "--prompt", str(home / prompt))
    assert printed(capsys, audio, "--model", output) == with_prompt
    assert printed(capsys, audio, "--model", str(home / "model"), "--language", "es") != with_prompt


def test_a_users_mistakes_are_one_line(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path / "out")
    deep, slots = str(home / "deep"), str(home / "slots")
    for arguments, said in {
        (deep, "--format", "ctranslate2"): "cannot carry its encoder.attention, decoder.attention",
        (slots, "--format", "onnx", "--precision", "int8"): "onnx takes float32",
        (slots, "--format", "onnx", "--language", "ky"): "only a bank has several",
        (str(home / "none"), "--format", "onnx"): "no such folder",
    }.items():
        assert call("export", *arguments, "--output", output) == 2
        assert said in one_line(capsys.readouterr().err)
        assert not Path(output).exists()
