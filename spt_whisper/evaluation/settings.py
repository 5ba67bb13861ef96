"""Settings of an evaluation: one declaration for flags, YAML, help and code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from spt_whisper.audio.window import check_windows
from spt_whisper.corpora import CorpusConfig, Split, check_corpus
from spt_whisper.errors import InputError, check_named
from spt_whisper.plain_paths import paths_as_text
from spt_whisper.whisper.options import DecodingOptions, single_pass

ZERO_SHOT = "zero_shot"  # bare Whisper, as reports and recipes name it; it fits nothing


@dataclass(frozen=True)
class EvaluateConfig:
    """What is scored, with what, and how."""

    corpus: CorpusConfig
    prompt: str | None = None
    """Folder or hub id of a prompt; without prompt, bank or adapted model only bare Whisper is scored."""
    bank: str | None = None
    """Folder or hub id of a bank; each utterance gets the prompt of its language."""
    model: str | None = None
    """Whisper to use, by default the prompt's base; or the model that method lora or full made, which is then scored."""
    split: Split = "test"
    """Part of the corpus that is scored."""
    zero_shot: bool = True
    """Whether bare Whisper is scored, too."""
    languages: list[str] = field(default_factory=list)
    """Language tokens to try with bare Whisper: one at a time, or several at once as zh+en. With a dev part beside what is scored,
    whichever of these, the prompt's tokens and `auto` scores best on dev is used; without one, the first."""
    windows: list[float] = field(default_factory=list)
    """Windows in seconds to try with bare Whisper, besides 30 s and the prompt's; the one that scores best on dev is used."""
    dev_limit: int = 40
    """Number of dev utterances used to choose bare Whisper's language token and window."""
    normalizer: str = "basic"
    """Text normalizer before scoring: raw, basic, english, code_switching, or steps with commas between."""
    decoding: DecodingOptions = field(default_factory=single_pass)
    batch_size: int = 8
    """Utterances decoded together."""
    processes: int = 1
    """Processes that decode, each with its own model; with several GPUs, one for each."""
    output: str | None = None
    """File for the report (NAME.json), or a folder, in which it is report.json; by default runs/a/report.json for runs/a/prompt, and
    prompts/a.report.json for prompts/a; scored on dev, runs/a/dev.report.json."""
    resamples: int = 1000
    """Bootstrap resamples of the 95 % intervals."""
    seed: int = 0
    """Seed of the bootstrap."""

    @property
    def part(self) -> str:
        """What the corpus itself calls the split that is scored."""
        return getattr(self.corpus, self.split) or self.split

    def __post_init__(self) -> None:
        paths_as_text(self)
        check_named(prompt=self.prompt, bank=self.bank)
        self._check_kinds()
        for name in ("batch_size", "dev_limit", "processes", "resamples"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: found {getattr(self, name)}, wanted 1 or more")
        if self.seed < 0:
            raise InputError(f"seed: found {self.seed}, wanted 0 or more")
        for window in self.windows:  # in any order
            check_windows([window], "windows")
        if self.prompt and self.bank:
            raise InputError("evaluate: a prompt and a bank given; wanted one of them")

    def _check_kinds(self) -> None:
        check_corpus(self.corpus)
        if self.split not in get_args(Split):
            raise InputError(
                f"split: found {self.split}, wanted one of {', '.join(get_args(Split))}"
            )
        for name in ("prompt", "bank", "model"):
            given = getattr(self, name)
            if not isinstance(given, str | None):
                raise InputError(
                    f"{name}: found {type(given).__name__}, wanted its folder or hub id"
                )
