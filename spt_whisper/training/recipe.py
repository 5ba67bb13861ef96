"""What a recipe says: one declaration for YAML, flags, help and code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from spt_whisper.corpora import CorpusConfig
from spt_whisper.errors import InputError
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.text.normalization import TextProcessing


@dataclass(frozen=True)
class OptimizerConfig:
    """How the prompt is learned: AdamW without weight decay."""

    learning_rate: float = 2e-3
    """Highest learning rate. 2e-3 suits feed-forward slots; attention and input prompts want 5e-3 to 5e-2."""
    schedule: Literal["one_cycle", "cosine"] = "one_cycle"
    """Both warm up, then fall to about 0; one_cycle turns the momentum against the learning rate as well."""
    warmup: float = 0.3
    """Share of all steps in which the learning rate rises."""

    def __post_init__(self) -> None:
        if self.learning_rate <= 0 or not 0 <= self.warmup < 1:
            raise InputError("optimizer: wanted learning_rate above 0 and warmup from 0 to below 1")


@dataclass(frozen=True)
class DataConfig:
    """How training examples are made and kept."""

    batch_size: int = 8
    """Utterances a step."""
    workers: int = 0
    """Processes that decode audio; 0 decodes in the main process."""
    timestamps_share: float = 0.1
    """Share of examples that carry `<|0.00|> text <|end|>`, so that timestamps survive training."""
    encoder_cache_gigabytes: float = 4.0
    """Where the encoder carries no prompt, its states are computed once and kept in memory up to this size."""

    def __post_init__(self) -> None:
        if self.batch_size < 1 or not 0 <= self.timestamps_share <= 1:
            raise InputError(
                "data: wanted batch_size of at least 1 and timestamps_share from 0 to 1"
            )


@dataclass(frozen=True)
class Recipe:
    """A training run: which Whisper, which corpus, which prompt."""

    corpus: CorpusConfig
    model: str = "base"
    """Hub id, folder or short name of the Whisper to keep frozen."""
    output: str = "runs/prompt"
    """Folder for the prompt, its recipe, checkpoints and logs."""
    languages: list[str] = field(default_factory=list)
    """Whisper language tokens in front of the text: a related language's where Whisper has none. Empty: the one
    that Whisper hears most in the training audio."""
    window_seconds: float = 30.0
    """Window of audio that is trained on; shorter is faster. Longer utterances are dropped by name."""
    prompt: PromptConfig = field(default_factory=PromptConfig)
    text: TextProcessing = field(default_factory=TextProcessing)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    data: DataConfig = field(default_factory=DataConfig)
    early_stopping: int | None = None
    """Stop after so many epochs without a lower token error on dev, and keep the best epoch. Off by default."""
    seed: int = 0
    """Seed of the start and of the order of utterances."""
    trainer: dict[str, Any] = field(default_factory=dict)
    """Settings of `lightning.Trainer`, passed through."""

    def __post_init__(self) -> None:
        if not 0 < self.window_seconds <= 30:
            raise InputError(
                f"window_seconds: found {self.window_seconds:g}, wanted more than 0 and at most 30"
            )
        if self.window_seconds * 50 != round(self.window_seconds * 50):
            raise InputError(
                f"window_seconds: found {self.window_seconds:g}, wanted a multiple of 0.02"
            )
