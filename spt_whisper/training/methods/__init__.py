"""The methods by name: what trains. A new method is one file, one row here, and its name in `training/recipe.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from spt_whisper.training.methods.adapted_model import full, full_with_prompts, lora
from spt_whisper.training.methods.language_prompts import language_prompts, spt4asr
from spt_whisper.training.methods.lapt import language_aware
from spt_whisper.training.methods.learner import Learner, Setup
from spt_whisper.training.methods.soft_prompt import soft_language_code, soft_prompt

__all__ = ["METHODS", "Artifact", "Learner", "Method", "Setup"]

Artifact = Literal["prompt", "bank", "model"]


@dataclass(frozen=True)
class Method:
    """How a method's learner is built, what it ends as, and what it asks of the examples."""

    build: Callable[[Setup], Learner]
    makes: Artifact = "prompt"  # what is used then; of full_with_prompts its base is the new model
    takes_positions: bool = (
        False  # `prompt` is put in as it is: at the decoder's input it takes positions
    )
    per_language: bool = (
        False  # has numbers for each language of the training part: dev may hold no other
    )
    main_language_only: bool = False  # mixed speech goes by its main language


METHODS: dict[str, Method] = {
    "prompt": Method(soft_prompt, takes_positions=True),
    "slct": Method(soft_language_code),
    "language_prompts": Method(language_prompts, "bank", per_language=True),
    "lapt": Method(
        language_aware, "bank", takes_positions=True, per_language=True, main_language_only=True
    ),
    "spt4asr": Method(spt4asr),
    "lora": Method(lora, "model"),
    "full": Method(full, "model"),
    "full_with_prompts": Method(full_with_prompts, takes_positions=True),
}
