"""Language-aware prompts: vectors that all languages share, and a small part of each language.

After LAPT (Yang et al., Interspeech 2025, arXiv 2506.21577), whose formulas were not available to us; `hadamard` is the
decomposition of Multitask Prompt Tuning (Wang et al., ICLR 2023). P (N, D) are the shared vectors of one side, layer and part
(such as the keys of slots):

    hadamard   P * (1 + A B)      A (N, r), B (r, D)
    add        P + A B
    concat     [P; Q]             Q: vectors of the language's own at every place

A starts at 0 and B does not, so that a new part changes nothing and still learns. Each place has its own B, since no two layers
see the same directions: one B for all of them was measured to learn less (docs/lab-book.md, 10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from spt_whisper.prompts.config import LEFT, RIGHT, LanguageAwareConfig, PromptConfig
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.model_shape import ModelShape
from spt_whisper.prompts.places import LANGUAGE_VECTOR
from spt_whisper.prompts.soft_prompt import SoftPrompt, parameter_key, site_of
from spt_whisper.prompts.vectors import PromptVectors, concatenate, stack

_LOW_RANK: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "hadamard": lambda shared, delta: shared * (1 + delta),
    "add": lambda shared, delta: shared + delta,
}


def start_part(
    config: PromptConfig,
    aware: LanguageAwareConfig,
    shape: ModelShape,
    generator: torch.Generator,
    language_vector: Tensor | None = None,
) -> dict[str, Tensor]:
    """Returns the part of a new language: one that changes nothing, but for its token.

    Of `concat` this holds for feed-forward slots alone; vectors at other sites start from a normal distribution.

    Args:
        config: the shared prompt.
        aware: what a language has of its own.
        shape: the sizes of Whisper.
        generator: the source of randomness.
        language_vector: start of the language token, (1, 1, D).
    """
    if aware.combine == "concat":
        own = replace(config, length=aware.length)
        start = start_vectors(own, shape, generator).named_tensors()
        part = {name: tensor[0] for name, tensor in start.items()}
    else:
        part = {
            name: torch.zeros(sizes)
            if name.endswith(LEFT)
            else torch.randn(sizes, generator=generator) * shape.width**-0.5
            for name, sizes in aware.part_shapes(config, shape).items()
            if name != LANGUAGE_VECTOR
        }
    if aware.soft_token:
        token = language_vector if language_vector is not None else torch.zeros(1, 1, shape.width)
        part[LANGUAGE_VECTOR] = token.detach().clone()
    return part


def widened(part: Mapping[str, Tensor], new: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns a part in the rank of a new one, at least its own: it does what it did, since A is 0 in what is added.

    Args:
        part: the tensors of a language's part.
        new: those of one that changes nothing, as `start_part` gives them.
    """
    wide = {}
    for name, own in part.items():
        rank_axis = -1 if name.endswith(LEFT) else -2
        added = new[name].shape[rank_axis] - own.shape[rank_axis] if name in new else 0
        wide[name] = (
            own
            if not added
            else torch.cat([own, new[name].narrow(rank_axis, -added, added)], rank_axis)
        )
    return wide


def combine(
    shared: PromptVectors, part: Mapping[str, Tensor], aware: LanguageAwareConfig
) -> PromptVectors:
    """Returns the whole prompt of a language (R = 1) from the shared vectors and its part."""
    token = {name: part[name][None] for name in part if name == LANGUAGE_VECTOR}
    if aware.combine == "concat":
        own = {name: tensor[None] for name, tensor in part.items() if name not in token}
        whole = concatenate([shared, PromptVectors.from_named_tensors(own)]).named_tensors()
        return PromptVectors.from_named_tensors({**whole, **token})
    named = shared.named_tensors()
    wide = [name for name, tensor in named.items() if tensor.dim() == 4]
    operation = _LOW_RANK[aware.combine]
    for name in wide:
        delta = part[name + LEFT] @ part[name + RIGHT]  # (layers, N, D)
        named[name] = operation(named[name], delta.view_as(named[name]))
    return PromptVectors.from_named_tensors({**named, **token})


class LanguageAwarePrompt(nn.Module):
    """Shared vectors and the parts of the languages that train."""

    def __init__(
        self,
        shared: SoftPrompt,
        aware: LanguageAwareConfig,
        parts: Mapping[str, Mapping[str, Tensor]],
    ) -> None:
        """Takes the shared prompt, and for each language the part from which it starts."""
        super().__init__()
        self.shared, self.aware = shared, aware
        self.parts = nn.ModuleDict(
            {
                _module(language): nn.ParameterDict(
                    {
                        parameter_key(name): nn.Parameter(tensor.clone())
                        for name, tensor in part.items()
                    }
                )
                for language, part in parts.items()
            }
        )

    def part(self, language: str) -> dict[str, Tensor]:
        """Returns the tensors of a language's part."""
        own = self.parts[_module(language)]
        assert isinstance(own, nn.ParameterDict)
        return {key.replace("/", "."): tensor for key, tensor in own.items()}

    def parts_by_site(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yields the parameters of all parts, each with the site of the vectors that it changes."""
        for part in self.parts.values():
            assert isinstance(part, nn.ParameterDict)
            yield from ((site_of(key), parameter) for key, parameter in part.items())

    def forward(self, languages: Sequence[str]) -> PromptVectors:
        """Returns the vectors of a batch (R = its rows, or 1 where all speak one language) with gradient."""
        shared = self.shared()
        whole = {
            language: combine(shared, self.part(language), self.aware)
            for language in dict.fromkeys(languages)
        }
        return stack([whole[language] for language in languages])


def _module(language: str) -> str:
    # torch allows no dots in names of modules, nor names of a module's own attributes (`to` is Tongan)
    return "language " + language.replace(".", "/")
