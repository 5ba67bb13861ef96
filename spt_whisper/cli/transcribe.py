"""`spt-whisper transcribe`: audio files in, transcripts out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.cli import DONE, SOME_FAILED
from spt_whisper.cli.parser import command_parser, instantiate, show_progress
from spt_whisper.errors import InputError
from spt_whisper.transcription.settings import TranscribeConfig
from spt_whisper.transcription.transcript import Transcript
from spt_whisper.transcription.writers import WRITERS, write_transcript

if TYPE_CHECKING:  # torch takes seconds to import, and help needs none
    from spt_whisper.prompts.files import Prompt

_TIMED_FORMATS = ("srt", "vtt", "tsv", "json")


def main(arguments: Sequence[str]) -> int:
    """Transcribes what can be read; what cannot is named, one line each."""
    parser = command_parser(
        "transcribe", "Transcribe audio: spt-whisper transcribe AUDIO ... [--prompt P | --bank DIR]"
    )
    parser.add_argument("audio", nargs="+", type=str, help="audio files of up to 30 s")
    parser.add_class_arguments(TranscribeConfig, None, skip={"audio"})
    settings = instantiate(parser, arguments)
    show_progress()
    values = {key: value for key, value in vars(settings).items() if key != "config"}
    return run(TranscribeConfig(**values))


def run(config: TranscribeConfig) -> int:
    """Returns 0, or 1 where some files failed."""
    from spt_whisper.engines.engine import Row
    from spt_whisper.transcription.transcriber import Whisper, load_waveform

    prompt = _read_prompt(config)
    whisper = Whisper.from_pretrained(config.model or (prompt.card.base if prompt else "base"))
    code = None if config.language is None or config.bank else (config.language,)
    for language in code or ():
        whisper.frozen.tokens.language(language)
    timed = config.decoding.timestamps or config.format in _TIMED_FORMATS
    options = replace(config.decoding, timestamps=timed)
    failed = 0
    for first in range(0, len(config.audio), config.batch_size):
        names, rows = [], []
        for path in config.audio[first : first + config.batch_size]:
            try:
                rows.append(Row(load_waveform(path), prompt, code))
                names.append(path)
            except InputError as error:
                failed += 1
                print(f"spt-whisper transcribe: {error}", file=sys.stderr)
        for transcript in whisper.transcribe_rows(
            names, rows, options, batch_size=config.batch_size
        ):
            _give(transcript, config)
    return SOME_FAILED if failed else DONE


def _read_prompt(config: TranscribeConfig) -> Prompt | None:
    """The prompt that is asked for, out of its own folder or a bank; None for bare Whisper."""
    from spt_whisper.prompts.bank import Bank
    from spt_whisper.prompts.files import Prompt

    if not config.bank:
        return Prompt.from_pretrained(config.prompt) if config.prompt else None
    bank = Bank.from_pretrained(config.bank)
    if not config.language:
        raise InputError(
            f"language: none given for bank {config.bank}; wanted one of {', '.join(bank.languages)}"
        )
    return bank.prompt(config.language)


def _give(transcript: Transcript, config: TranscribeConfig) -> None:
    """Writes a transcript beside the others, or prints it."""
    if config.output:
        folder = Path(config.output)
        folder.mkdir(parents=True, exist_ok=True)
        write_transcript(transcript, folder / f"{Path(transcript.audio).name}.{config.format}")
        return
    if len(config.audio) > 1:
        print(f"==> {transcript.audio} <==")
    print(WRITERS[config.format](transcript).rstrip("\n"))
