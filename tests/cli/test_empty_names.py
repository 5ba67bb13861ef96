"""An empty name, as of a shell's variable that is not set, is refused: it would count as none, and bare Whisper would answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spt_whisper.bulk.settings import BulkJob
from spt_whisper.cli import main
from spt_whisper.cli.attached import read_attached
from spt_whisper.corpora import CorpusConfig
from spt_whisper.demo.settings import DemoConfig
from spt_whisper.errors import InputError
from spt_whisper.evaluation.settings import EvaluateConfig
from spt_whisper.serving.settings import ServeConfig
from spt_whisper.transcription.settings import TranscribeConfig

MAKERS: dict[str, Callable[..., object]] = {
    "evaluate": lambda **empty: EvaluateConfig(CorpusConfig("data"), **empty),
    "transcribe": lambda **empty: TranscribeConfig(["talk.wav"], **empty),
    "bulk": lambda **empty: BulkJob("talks.jsonl", "out", **empty),
    "serve": ServeConfig,
    "demo": DemoConfig,
}


@pytest.mark.parametrize(
    ("command", "setting"),
    [(name, "bank") for name in MAKERS]
    + [(name, "prompt") for name in ("evaluate", "transcribe", "bulk")]
    + [("serve", "prompts_folder"), ("serve", "keys_file"), ("serve", "model")],
)
def test_settings_refuse_it(command: str, setting: str) -> None:
    with pytest.raises(InputError, match=f"^{setting}: found an empty name; name one"):
        MAKERS[command](**{setting: ""})


@pytest.mark.parametrize("names", [("", None), (None, "")])
def test_commands_that_take_one_prompt_refuse_it(names: tuple[str | None, str | None]) -> None:
    with pytest.raises(InputError, match="found an empty name"):
        read_attached(*names, None)


def test_it_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "talk.wav", "--prompt", ""]) == 2
    assert "prompt: found an empty name" in capsys.readouterr().err
