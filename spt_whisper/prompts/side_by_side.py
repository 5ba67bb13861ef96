"""Slots of several prompts side by side: what they add is the weighted mean of what each prompt adds.

A slot adds `gelu(x key^T + bias) value` whatever stands beside it, so values scaled by their prompt's share make the mean exact
in each layer, and from any start: other seeds, other lengths. It is the averaging of model soups (Wortsman et al., ICML 2022,
arXiv 2203.05482) for slots, which makes fewer errors than any of the prompts alone, at their numbers together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spt_whisper.errors import InputError
from spt_whisper.prompts.averaging import check_same, mean_card, shares_of
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.vectors import PromptVectors, concatenate

METHOD = "side_by_side"
_SITE = "feed_forward"


def side_by_side(prompts: Sequence[Prompt], weights: Sequence[float] | None = None) -> Prompt:
    """Returns one prompt with the slots of all, whose card names them and their shares.

    Args:
        prompts: two or more, of feed-forward slots alone, (L, N, D) each with an N of its own.
        weights: one for each, above 0; equal by default.

    Raises:
        InputError: a weight is wrong, a prompt has other sites, or they differ in base, sides, language tokens or text
            processing.
    """
    shares = shares_of(prompts, weights)
    for prompt in prompts:
        if prompt.config.sites != (_SITE,):
            raise InputError(
                f"prompt {prompt.name}: has site {', '.join(prompt.config.sites)}; only {_SITE} slots go side by side"
            )
        check_same(prompts[0], prompt, _common, "; wanted the same")
    scaled = [_scaled(prompt.vectors, share) for prompt, share in zip(prompts, shares, strict=True)]
    length = sum(prompt.config.length_at(_SITE) for prompt in prompts)
    config = replace(prompts[0].config.folded, length=length)
    card = mean_card(prompts, shares, METHOD)
    return Prompt(config, concatenate(scaled), card, METHOD)


def _scaled(vectors: PromptVectors, share: float) -> PromptVectors:
    """Slots that add a share of what they added."""
    return PromptVectors.from_named_tensors(
        {
            name: share * tensor if name.endswith(".value") else tensor
            for name, tensor in vectors.named_tensors().items()
        }
    )


def _common(prompt: Prompt) -> dict[str, object]:
    """What prompts that go side by side must have in common, by name."""
    return {
        "the base's fingerprint": prompt.card.fingerprint,
        "the base's shape": prompt.card.shape,
        "prompt.side": prompt.config.side,
        "the language token": "+".join(prompt.card.language_tokens),
        "text": prompt.card.text,
    }
