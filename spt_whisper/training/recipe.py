"""What a recipe says: one declaration for YAML, flags, help and code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from spt_whisper.audio import WINDOW_SECONDS
from spt_whisper.audio.window import check_windows
from spt_whisper.corpora import CorpusConfig, check_corpus
from spt_whisper.errors import InputError
from spt_whisper.plain_paths import paths_as_text
from spt_whisper.prompts.config import LanguageAwareConfig, PromptConfig
from spt_whisper.text.normalization import TextProcessing

MethodName = Literal[
    "prompt", "slct", "language_prompts", "lapt", "spt4asr", "zero_shot", "lora", "full", "full_with_prompts"
]  # fmt: skip


@dataclass(frozen=True)
class OptimizerConfig:
    """How a method is learned: AdamW."""

    learning_rate: float | None = None
    """Highest learning rate of all that trains but Whisper's own weights; by default each kind has one that suits it: 1e-3 for
    feed-forward slots, 1e-2 for vectors at other sites and language tokens (2e-3 through a residual MLP), 4e-3 for a language's part
    over slots on both sides, 1.5e-3 for LoRA and low-rank slots. Sizes wider than base (512) take their share of it for slots, parts,
    networks and LoRA: small 2/3, medium 1/2, large 2/5."""
    schedule: Literal["one_cycle", "cosine"] = "one_cycle"
    """Both warm up, then fall to about 0; one_cycle turns the momentum against the learning rate as well."""
    warmup: float = 0.3
    """Share of all steps in which the learning rate rises."""

    model_learning_rate: float = 1e-5
    """Highest learning rate of Whisper's own weights, for methods full and full_with_prompts."""
    weight_decay: float = 0.0
    """Decay of AdamW."""
    label_smoothing: float = 0.0
    """Share of each token's probability that is spread over all tokens."""
    slot_dropout: float | None = None
    """Share of each layer's feed-forward slots that is left out of a step, drawn for each step; by default 0.2 for whole
    prompts of a frozen Whisper in runs of 15 epochs or more, which see few utterances often, else 0."""

    def __post_init__(self) -> None:
        rates = (
            1.0 if self.learning_rate is None else self.learning_rate,
            self.model_learning_rate,
        )
        if min(rates) <= 0 or not 0 <= self.warmup < 1:
            raise InputError(
                "optimizer: wanted learning rates above 0 and warmup from 0 to below 1"
            )
        shares = (self.label_smoothing, self.slot_dropout or 0.0)
        if self.weight_decay < 0 or not all(0 <= share < 1 for share in shares):
            raise InputError(
                "optimizer: wanted weight_decay of 0 or more, label_smoothing and slot_dropout from 0 to below 1"
            )


@dataclass(frozen=True)
class AugmentConfig:
    """What is done to training speech; nothing by default."""

    speed: list[float] = field(default_factory=list)
    """Speed factors, one of which is drawn for each utterance, such as [0.9, 1.0, 1.1]; 1.1 is a tenth faster and
    higher. A factor that would make an utterance longer than the longest window is left out of its draw."""
    frequency_masks: int = 0
    """SpecAugment: bands of mel bins set to the mean (Park et al., Interspeech 2019)."""
    frequency_width: int = 27
    """Widest band, in mel bins."""
    time_masks: int = 0
    """SpecAugment: stretches of time set to the mean."""
    time_width: float = 0.4
    """Longest stretch, in seconds; never more than a fifth of the utterance."""
    noise: str | None = None
    """Folder of noise recordings, one of which is mixed in."""
    noise_snr: tuple[float, float] = (5.0, 20.0)
    """Lowest and highest signal-to-noise ratio, in dB."""
    rooms: str | None = None
    """Folder of room impulse responses, one of which is applied."""
    share: float = 0.5
    """Share of the utterances that get noise, and share that get a room."""

    def __post_init__(self) -> None:
        paths_as_text(self)
        if any(not 0.5 <= factor <= 2 for factor in self.speed):
            raise InputError(
                f"data.augment.speed: found {self.speed}, wanted factors from 0.5 to 2"
            )
        if min(self.frequency_masks, self.time_masks) < 0 or not 0 <= self.share <= 1:
            raise InputError("data.augment: wanted masks of 0 or more and share from 0 to 1")
        if self.frequency_width < 1 or not 0 < self.time_width <= WINDOW_SECONDS:
            raise InputError(
                f"data.augment: wanted frequency_width of 1 or more and time_width from 0 to {WINDOW_SECONDS} s"
            )
        if self.noise_snr[0] > self.noise_snr[1]:
            raise InputError("data.augment.noise_snr: wanted the lowest ratio before the highest")

    @property
    def slowest(self) -> float:
        """The lowest speed at which an utterance may be played."""
        return min(1.0, *self.speed) if self.speed else 1.0

    @property
    def masks(self) -> bool:
        """Whether the log-mel is masked."""
        return bool(self.frequency_masks or self.time_masks)

    @property
    def changes_audio(self) -> bool:
        """Whether anything at all is done, so that encoder states differ from epoch to epoch."""
        return bool(self.speed or self.masks or self.noise or self.rooms)


NO_AUGMENTATION = AugmentConfig()


@dataclass(frozen=True)
class DataConfig:
    """How training examples are made and kept."""

    batch_size: int = 4
    """Utterances per step. A larger batch is faster on a GPU, and needs more epochs."""
    workers: int = 0
    """Processes that decode audio; 0 decodes in the main process."""
    timestamps_share: float = 0.1
    """Share of examples that carry `<|0.00|> text <|end|>`, so that timestamps survive training."""
    encoder_cache_gigabytes: float = 4.0
    """Where the encoder carries no prompt, its states are computed once and kept in memory up to this size."""
    states_store: str | None = None
    """Folder in which these states are kept on disk too, so that the next run on the same audio need not compute them."""
    states_store_gigabytes: float = 20.0
    """Size up to which that folder grows; the least recently used states make room."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        paths_as_text(self)
        if self.batch_size < 1 or not 0 <= self.timestamps_share <= 1:
            raise InputError(
                "data: wanted batch_size of at least 1 and timestamps_share from 0 to 1"
            )
        if self.workers < 0:
            raise InputError(f"data.workers: found {self.workers}, wanted 0 or more")
        if not self.encoder_cache_gigabytes >= 0:
            raise InputError(
                f"data.encoder_cache_gigabytes: found {self.encoder_cache_gigabytes:g}, "
                "wanted 0 (keep no states) or more"
            )
        if not self.states_store_gigabytes > 0:
            raise InputError(
                f"data.states_store_gigabytes: found {self.states_store_gigabytes:g}, wanted more than 0"
            )


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """The training loop, whatever it trains: what recipes and additions to a bank have in common."""

    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    data: DataConfig = field(default_factory=DataConfig)
    early_stopping: int | None = None
    """Stop after so many epochs without a lower token error on dev, and keep the best epoch. Off by default."""
    checkpoint_minutes: float = 10.0
    """Between the ends of epochs, too, keep a checkpoint every so many minutes; 0: after every step."""
    recompute: bool = False
    """Keep only the input of each of Whisper's layers for the gradient, and run the layer again there (activation
    checkpointing): less memory, more time, the same result."""
    seed: int = 0
    """Seed of the start and of the order of utterances."""
    trainer: dict[str, Any] = field(default_factory=dict)
    """Settings of `lightning.Trainer`, passed through. Without max_epochs and max_steps a run has 5 epochs, and up to 40
    where 5 would make fewer than 500 updates."""

    def __post_init__(self) -> None:
        paths_as_text(self)
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed: found {self.seed}, wanted 0 to {2**32 - 1}")
        if not self.checkpoint_minutes >= 0:
            raise InputError(
                f"checkpoint_minutes: found {self.checkpoint_minutes:g}, wanted 0 (after every step) or more"
            )
        if self.early_stopping is not None and self.early_stopping < 1:
            raise InputError(
                f"early_stopping: found {self.early_stopping}, wanted 1 epoch or more, or null for none"
            )


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank updates of Whisper's linear layers (method lora)."""

    rank: int = 8
    """r of the update B A."""
    alpha: int = 16
    """The update is scaled by alpha / rank."""
    targets: Literal["attention", "feed_forward", "all_linear"] = "attention"
    """Which layers: q, k, v and out of every attention; fc1 and fc2; or all of these."""
    side: Literal["encoder", "decoder", "entire"] = "entire"
    """Encoder, decoder, or both ("entire")."""
    dropout: float = 0.0
    """Share of the update's inputs that is left out of a step."""

    def __post_init__(self) -> None:
        if min(self.rank, self.alpha) < 1 or not 0 <= self.dropout < 1:
            raise InputError("lora: wanted rank and alpha of at least 1, dropout from 0 to below 1")


@dataclass(frozen=True)
class Recipe(LoopConfig):
    """A training run: which Whisper, which corpus, which method."""

    corpus: CorpusConfig
    method: MethodName = "prompt"
    """What is learned: one prompt; its language token alone (slct); a prompt for each language (language_prompts); shared
    vectors and a small part of each language (lapt); prompts for code-switching (spt4asr); or a baseline."""
    model: str = "base"
    """Hub id, folder or short name of the Whisper to keep frozen."""
    output: str = "runs/prompt"
    """Folder for the prompt, its recipe, checkpoints and logs."""
    languages: list[str] | dict[str, list[str]] = field(default_factory=list)
    """Whisper language tokens in front of the text: a related language's where Whisper has none. A list is for every
    utterance (two tokens for mixed speech); a mapping has a list for each language of the corpus. A language that is not named gets
    its own token (`swh`, `sw-KE` and `Swahili` that of sw), or where Whisper has none the one, of the ten that it
    hears most in the training audio and English's, under which the training texts are the most probable."""
    window_seconds: float | list[float] = field(default_factory=lambda: [10.0, 20.0, 30.0])
    """Window of audio to train with; shorter is faster. Of several, each utterance gets the shortest that holds it, in
    training and later; the prompt keeps those that an utterance needed. Utterances longer than the longest are dropped and
    named in the log."""
    prompt: PromptConfig = field(default_factory=PromptConfig)
    lapt: LanguageAwareConfig = field(default_factory=LanguageAwareConfig)
    lora: LoraConfig = field(default_factory=LoraConfig)
    text: TextProcessing = field(default_factory=TextProcessing)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_corpus(self.corpus)
        check_windows(self.windows)
        if self.longest_window < 1:
            raise InputError(
                f"window_seconds: found {self.longest_window:g}, wanted 1 or more: speech is not cut to less"
            )

    @property
    def windows(self) -> tuple[float, ...]:
        """The windows in seconds, ascending."""
        given = self.window_seconds
        return tuple(given) if isinstance(given, list) else (given,)

    @property
    def longest_window(self) -> float:
        """The longest window, in seconds."""
        return self.windows[-1]
