"""Baselines that change Whisper's weights: methods `lora`, `full` and `full_with_prompts`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from peft import LoraConfig as PeftLoraConfig
from peft import get_peft_model
from torch import nn

from spt_whisper.atomic import check_nothing_lost, check_own, replacing_folder
from spt_whisper.cache import cache_folder
from spt_whisper.prompts.card import PromptCard
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.soft_prompt import SoftPrompt, parameter_key
from spt_whisper.prompts.vectors import PromptVectors
from spt_whisper.training.learning_rates import lora_rate, rates_of
from spt_whisper.training.methods.learner import Languages, Learner, Setup
from spt_whisper.training.methods.soft_prompt import prompt_for_all
from spt_whisper.training.recipe import LoraConfig
from spt_whisper.whisper.adapted import CARD_FILE, quiet_peft, write_card
from spt_whisper.whisper.fingerprint import fingerprint_weights
from spt_whisper.whisper.loading import FrozenWhisper

# what transformers and peft write of a model, a tokenizer and an adapter, and the card
_WRITTEN = (
    "*config.json",
    "*model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
    "added_tokens.json",
    "merges.txt",
    "normalizer.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "vocab.json",
    CARD_FILE,
)
# the names of transformers' Whisper; fc1 and fc2 are the feed-forward layers
LORA_TARGETS = {
    "attention": ["q_proj", "k_proj", "v_proj", "out_proj"],
    "feed_forward": ["fc1", "fc2"],
    "all_linear": ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
}


class AdaptedModelLearner(Learner):
    """Trains weights of the model itself."""

    def __init__(self, whisper: FrozenWhisper, on_encoder: bool) -> None:
        """Takes the model, whose parameters that ask for a gradient are those to train."""
        super().__init__()
        self.on_encoder = on_encoder
        self.weights = nn.ParameterDict(
            {
                parameter_key(name): parameter
                for name, parameter in whisper.model.named_parameters()
                if parameter.requires_grad
            }
        )

    def vectors(self, languages: Sequence[Languages]) -> PromptVectors:
        """Returns no vectors."""
        return PromptVectors()

    def check_output(self, output: Path) -> None:
        """Refuses folders of somebody else's."""
        super().check_output(output)
        check_own(output / "model", CARD_FILE, "model of spt-whisper")
        folder = output / "model"
        found = folder.iterdir() if folder.exists() else iter(())
        others = (p for p in found if not any(fnmatchcase(p.name, own) for own in _WRITTEN))
        check_nothing_lost(folder, "model", others)

    @property
    def stored_parameters(self) -> int:
        """How many parameters are saved."""
        return sum(parameter.numel() for parameter in self.weights.values())


class LoraLearner(AdaptedModelLearner):
    """Trains low-rank updates of linear layers with peft."""

    def __init__(self, whisper: FrozenWhisper, config: LoraConfig) -> None:
        """Puts peft's adapters into the model, in place."""
        sides = ("encoder", "decoder") if config.side == "entire" else (config.side,)
        names = "|".join(LORA_TARGETS[config.targets])
        peft_config = PeftLoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=rf".*\.({'|'.join(sides)})\.layers\..*\.({names})",
        )
        with quiet_peft():
            adapted: Any = get_peft_model(whisper.model, peft_config)
        # peft itself names the checkpoint, which is not the base where an adapter was merged into it
        adapted.active_peft_config.base_model_name_or_path = _name_for_others(whisper)
        super().__init__(whisper, "encoder" in sides)
        self._adapted = [adapted]  # in a list: the model is no part of what is saved here
        self._dropouts = [
            m for n, m in adapted.named_modules() if n.endswith("lora_dropout.default")
        ]

    def rates(self, width: int) -> Iterator[tuple[nn.Parameter, float]]:
        """Yields each update with LoRA's rate."""
        return ((parameter, lora_rate(width)) for parameter in self.weights.values())

    def train(self, mode: bool = True) -> LoraLearner:
        """Switches the dropout of the updates, and nothing else of the model."""
        super().train(mode)
        for dropout in self._dropouts:
            dropout.train(mode)
        return self

    def write(self, output: Path, card: PromptCard) -> Path:
        """Writes `<output>/model`: peft's adapter (`adapter_model.safetensors`), and the card."""
        with replacing_folder(output / "model") as folder:
            # without embeddings, for which peft would ask the hub whether they changed
            self._adapted[0].save_pretrained(
                folder, safe_serialization=True, save_embedding_layers=False
            )
            (folder / "README.md").unlink(missing_ok=True)  # peft's template
            write_card(folder / CARD_FILE, card)
        return output / "model"


def _name_for_others(whisper: FrozenWhisper) -> str:
    """What loads the model on any machine: its hub id, not the place of its copy in this user's cache."""
    in_cache = Path(whisper.source).is_relative_to(cache_folder())
    return whisper.name if in_cache else whisper.source


class FullLearner(AdaptedModelLearner):
    """Trains every weight of Whisper, alone or together with a prompt."""

    def __init__(self, whisper: FrozenWhisper, prompt: SoftPrompt | None = None) -> None:
        """Thaws the model, but for the encoder's fixed positions."""
        whisper.model.requires_grad_(True)
        whisper.model.model.encoder.embed_positions.requires_grad_(False)
        super().__init__(whisper, on_encoder=True)
        self.prompt = prompt
        self._whisper = [whisper]

    def vectors(self, languages: Sequence[Languages]) -> PromptVectors:
        """Returns the prompt's vectors, if there is one."""
        return PromptVectors() if self.prompt is None else self.prompt()

    def write(self, output: Path, card: PromptCard) -> Path:
        """Writes `<output>/model`, a checkpoint of transformers, and beside it `<output>/prompt` if there is one."""
        whisper = self._whisper[0]
        card = replace(card, fingerprint=fingerprint_weights(whisper.model))
        with replacing_folder(output / "model") as folder:
            whisper.model.save_pretrained(folder)
            whisper.tokens.tokenizer.save_pretrained(folder)
            write_card(folder / CARD_FILE, card)
        if self.prompt is None:
            return output / "model"
        own = replace(card, base=str((output / "model").resolve()))
        return Prompt(self.prompt.config, self.prompt.fold(), own).save_pretrained(
            output / "prompt"
        )

    def rates(self, width: int) -> Iterator[tuple[nn.Parameter, float]]:
        """Yields each parameter of the prompt, if there is one, with the rate of its site."""
        return rates_of(self.prompt, width) if self.prompt else iter(())

    def model_weights(self) -> list[nn.Parameter]:
        """Returns Whisper's weights."""
        return list(self.weights.values())

    @property
    def stored_parameters(self) -> int:
        """How many parameters are saved."""
        own = 0 if self.prompt is None else self.prompt.fold().parameter_count
        model: int = self._whisper[0].model.num_parameters()  # with the fixed positions
        return model + own


def lora(setup: Setup) -> LoraLearner:
    """Builds LoRA (Hu et al., ICLR 2022) on the layers that the recipe names."""
    return LoraLearner(setup.whisper, setup.recipe.lora)


def full(setup: Setup) -> FullLearner:
    """Builds full fine-tuning."""
    return FullLearner(setup.whisper)


def full_with_prompts(setup: Setup) -> FullLearner:
    """Builds full fine-tuning of soft prompts and the model together (as in arXiv 2506.21576)."""
    return FullLearner(setup.whisper, prompt_for_all(setup))
