"""The methods by name: what trains. A new method is one file and one row here."""

from __future__ import annotations

from collections.abc import Callable

from spt_whisper.training.methods.adapted_model import full, full_with_prompts, lora
from spt_whisper.training.methods.language_prompts import language_prompts, spt4asr
from spt_whisper.training.methods.lapt import language_aware
from spt_whisper.training.methods.learner import Artifact, Learner, Setup
from spt_whisper.training.methods.soft_prompt import soft_language_code, soft_prompt

__all__ = ["LEARNERS", "Artifact", "Learner", "Setup"]

LEARNERS: dict[str, Callable[[Setup], Learner]] = {
    "prompt": soft_prompt,
    "slct": soft_language_code,
    "language_prompts": language_prompts,
    "lapt": language_aware,
    "spt4asr": spt4asr,
    "lora": lora,
    "full": full,
    "full_with_prompts": full_with_prompts,
}
