"""`spt-whisper transcribe`: audio files, folders and globs in, transcripts out, each as soon as it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spt_whisper.bulk.settings import BulkConfig, BulkJob
from spt_whisper.cli import DONE, INTERRUPTED, SOME_FAILED, TERMINATED
from spt_whisper.cli.attached import Attached, read_attached
from spt_whisper.cli.outputs import InFolder, Job, Output, Printed, say
from spt_whisper.cli.parser import command_parser, instantiate, show_progress
from spt_whisper.cli.progress import audio_progress
from spt_whisper.cli.signals import EndingSignals, ending_signals
from spt_whisper.errors import InputError, TerminatedError
from spt_whisper.printable import printable
from spt_whisper.prompts.card import MIX
from spt_whisper.transcription.files import AudioFile, find_audio
from spt_whisper.transcription.settings import TranscribeConfig
from spt_whisper.transcription.transcript_records import RECORDS, TranscriptRecords, work_digest

if TYPE_CHECKING:  # torch takes seconds to import, and help needs none
    from spt_whisper.transcription.request import Request
    from spt_whisper.transcription.transcriber import Whisper


_LESS_MEMORY = (
    "lower batch_size, or take another precision or a smaller model; what is finished stays"
)
# of `TranscribeConfig`, what `--engine ray` takes as it is, and what it cannot do
_IN_BULK = (
    "prompt", "bank", "model", "language", "voice_activity", "window_seconds", "batch_size", "precision",
)  # fmt: skip
_NOT_IN_BULK = ("format", "overwrite", "device")
_ENGINE_HELP = "torch: this process transcribes files; ray: Ray Data does, on many workers, the rows of a manifest"


def main(arguments: Sequence[str]) -> int:
    """Transcribes what can be read; what cannot is named, one line each."""
    parser = command_parser(
        "transcribe", "Transcribe audio: spt-whisper transcribe AUDIO ... [--prompt P | --bank DIR]"
    )
    parser.add_argument(
        "audio",
        nargs="*",
        type=str,
        help="audio and video files, folders of them, globs; none with --engine ray",
    )
    parser.add_class_arguments(TranscribeConfig, None, skip={"audio"})
    parser.add_argument("--engine", choices=["torch", "ray"], default="torch", help=_ENGINE_HELP)
    parser.add_argument(
        "--manifest", type=str, default=None, help="with --engine ray: JSONL or CSV with id, audio, and where wanted "
        "start, end, language and prompt",
    )  # fmt: skip
    parser.add_class_arguments(BulkConfig, "bulk")
    settings = instantiate(parser, arguments)
    show_progress()
    engine, manifest, bulk = (settings.pop(name) for name in ("engine", "manifest", "bulk"))
    config = TranscribeConfig(**vars(settings))
    if engine == "ray":
        return _run_bulk(config, manifest, bulk)
    if manifest:
        raise InputError("manifest: only --engine ray reads one; name audio files, or the engine")
    if bulk != BulkConfig():
        raise InputError(
            "bulk: only --engine ray takes its settings; leave them out, or name the engine"
        )
    if not config.audio:
        raise InputError("audio: none given; name files, folders or globs")
    return run(config)


def _run_bulk(config: TranscribeConfig, manifest: str | None, bulk: BulkConfig) -> int:
    """Hands a manifest to Ray Data."""
    from spt_whisper.cli import bulk as bulk_command

    if not manifest or not config.output or config.audio:
        raise InputError(
            "engine ray: wanted --manifest FILE and --output DIR, and no audio beside them"
        )
    standard = TranscribeConfig(audio=[])
    for name in _NOT_IN_BULK:
        if getattr(config, name) != getattr(standard, name):
            raise InputError(
                f"{name}: --engine ray has no use for it, since it writes JSONL by workers that choose their device; leave it out"
            )
    shared = {name: getattr(config, name) for name in _IN_BULK}
    job = BulkJob(manifest, config.output, decoding=config.options, bulk=bulk, **shared)
    return bulk_command.run(job)


def run(config: TranscribeConfig) -> int:
    """Returns 0; 1 where some files failed and the others are done; 130 after Ctrl-C; 143 after SIGTERM.

    What a user has named wrongly is said before the weights are loaded.
    """
    files = find_audio(config.audio)
    attached = read_attached(config.prompt, config.bank, config.language)
    if config.output:
        for folder in (Path(config.output), Path(config.output) / RECORDS):
            folder.mkdir(parents=True, exist_ok=True)

    from spt_whisper.memory import naming_shortage
    from spt_whisper.prompts.base import base_for
    from spt_whisper.transcription.transcriber import Whisper
    from spt_whisper.whisper.precision import dtype_of

    name = base_for(config.model, attached.prompts)
    whisper = Whisper.from_pretrained(name, config.device, dtype_of(config.precision))
    attached.check(whisper.frozen)
    for code in (_code(attached, config) or "").split(MIX):
        if code:
            whisper.frozen.tokens.language(code)
    tally = _Tally(len(files))
    try:
        with ending_signals() as signals, naming_shortage("decoding", _LESS_MEMORY):
            _transcribe(whisper, attached, config, files, tally, signals)
    except (KeyboardInterrupt, TerminatedError) as end:
        say(f"interrupted: {tally.made + tally.kept} of {tally.files} files are done")
        return TERMINATED if isinstance(end, TerminatedError) else INTERRUPTED
    if config.output:
        print(f"{printable(config.output)}: {tally}")
    return SOME_FAILED if tally.failed else DONE


@dataclass
class _Tally:
    """How far the run has come, in files."""

    files: int
    made: int = 0
    kept: int = 0  # finished by an earlier run, or edited
    failed: int = 0

    def fail(self, error: InputError) -> None:
        """Counts a file that cannot be transcribed, and says why."""
        self.failed += 1
        say(error)

    def __str__(self) -> str:
        return f"{self.made} of {self.files} files transcribed, {self.kept} there already, {self.failed} failed"


def _transcribe(
    whisper: Whisper,
    attached: Attached,
    config: TranscribeConfig,
    files: Sequence[AudioFile],
    tally: _Tally,
    signals: EndingSignals,
) -> None:
    """Makes what is not there yet, and keeps count; a signal waits until what is transcribed has been given."""
    output = _output(whisper, attached, config, several=len(files) > 1)
    jobs = _jobs(files, output, tally)
    with audio_progress([job.audio.path for job in jobs]) as on_audio:
        requests = (_request(job.audio.path, attached, config) for job in jobs)
        batches_done = whisper.transcribe_as_completed(
            requests,
            config.options,
            config.window_seconds,
            config.batch_size,
            config.voice_activity,
            on_audio,
        )
        for done in output.arranged(batches_done):
            with signals.held():
                for number, transcript in done:
                    if isinstance(transcript, InputError):
                        tally.fail(transcript)
                    else:
                        output.give(jobs[number], transcript)
                        tally.made += 1


def _output(
    whisper: Whisper, attached: Attached, config: TranscribeConfig, several: bool
) -> Output:
    if not config.output:
        return Printed(config.formats, several)
    work = work_digest(whisper.frozen.fingerprint, attached.prompts, config.text_settings)
    return InFolder(TranscriptRecords(Path(config.output)), config.formats, work, config.overwrite)


def _jobs(files: Sequence[AudioFile], output: Output, tally: _Tally) -> list[Job]:
    """What is to be done; counts what is there already, and what cannot be read."""
    jobs = []
    for audio in files:
        try:
            job = output.job(audio)
        except InputError as error:
            tally.fail(error)
            continue
        if job.formats:
            jobs.append(job)
        else:
            tally.kept += 1
    return jobs


def _request(path: Path, attached: Attached, config: TranscribeConfig) -> Request:
    """A file, and what is used on it."""
    from spt_whisper.transcription.request import Request

    return Request(path, attached.prompt, _code(attached, config), attached.bank)


def _code(attached: Attached, config: TranscribeConfig) -> str | None:
    """Whisper's language code, where one is named: with a bank the language is the bank's."""
    return None if config.bank else attached.code(config.language)
