"""Prompt vectors read as words: the vocabulary tokens to which decoder vectors are nearest or point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from spt_whisper.prompts.card import MIX
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.places import Prefix
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.tokens import TIMESTAMP_SECONDS, Tokens

NEAREST = 3
_EMBEDDED = ("input", "language")  # decoder sites whose vectors stand where token embeddings stand


@dataclass(frozen=True)
class NearToken:
    """A vocabulary token and how much a vector is like it: a cosine, or a logit."""

    text: str
    score: float


@dataclass(frozen=True)
class VectorReading:
    """One vector and its tokens, best first."""

    language: str  # of its prompt
    site: str  # of the decoder
    layer: int
    position: int
    norm: float
    tokens: tuple[NearToken, ...]


def can_be_read(prompt: Prompt, slots: int) -> bool:
    """Returns whether any vector is in the decoder's input or its language tokens, or in slots, if so many are wanted."""
    decoder = prompt.vectors.decoder
    return bool(decoder.input or decoder.language or (slots and decoder.feed_forward))


def read_embeddings(prompt: Prompt, whisper: FrozenWhisper) -> list[VectorReading]:
    """Returns, for each vector of the decoder's input and language sites, the nearest token embeddings by cosine."""
    embeddings = functional.normalize(_output_embeddings(whisper), dim=1)
    readings = []
    for site in _EMBEDDED:
        prefix: Prefix | None = getattr(prompt.vectors.decoder, site)
        if prefix is not None:
            own = prefix.vector[0, 0].float()  # (N, D)
            cosines = functional.normalize(own, dim=1) @ embeddings.T
            readings += [
                VectorReading(_language(prompt), site, 0, position, *read)
                for position, read in enumerate(_read(own, cosines, whisper.tokens))
            ]
    return readings


def read_slots(prompt: Prompt, whisper: FrozenWhisper, count: int) -> list[VectorReading]:
    """Returns the tokens that the decoder's feed-forward slots promote, for the `count` slots of the largest values.

    A slot adds its value to the residual stream. What that adds to the logits is read as if nothing stood between: the
    value, centered and weighted as the final norm does, times the output embeddings (Geva et al., "Transformer
    Feed-Forward Layers Build Predictions by Promoting Concepts in the Vocabulary Space", EMNLP 2022; the final norm's
    scale, which depends on the rest of the stream, is left out). Later layers turn the value further, so the lower a
    layer, the less this says: it is a lens, and no meaning. All layers are read through the same final space.
    """
    slots = prompt.vectors.decoder.feed_forward
    if slots is None:
        return []
    values = slots.value[0].float()  # (L, N, D)
    norms = values.norm(dim=2).flatten()  # (L * N,)
    largest = norms.topk(min(count, norms.numel())).indices
    own = values.flatten(0, 1)[largest]  # (count, D)
    weight = whisper.model.model.decoder.layer_norm.weight.float().cpu()
    logits = ((own - own.mean(dim=1, keepdim=True)) * weight) @ _output_embeddings(whisper).T
    language, length = _language(prompt), values.shape[1]
    return [
        VectorReading(language, "feed_forward", index // length, index % length, *read)
        for index, read in zip(largest.tolist(), _read(own, logits, whisper.tokens), strict=True)
    ]


def _language(prompt: Prompt) -> str:
    return MIX.join(prompt.card.languages)


def _output_embeddings(whisper: FrozenWhisper) -> Tensor:
    """(vocabulary, D): Whisper's token embeddings, which are its output embeddings too."""
    return whisper.model.proj_out.weight.detach().float().cpu()


def _read(
    vectors: Tensor, scores: Tensor, tokens: Tokens
) -> Iterator[tuple[float, tuple[NearToken, ...]]]:
    """Norms and best tokens of vectors (M, D), by scores (M, vocabulary)."""
    best = scores.topk(NEAREST, dim=1)
    norms = vectors.norm(dim=1).tolist()
    for norm, found, ids in zip(norms, best.values.tolist(), best.indices.tolist(), strict=True):
        pairs = zip(ids, found, strict=True)
        yield norm, tuple(NearToken(_shown(tokens, token), score) for token, score in pairs)


def _shown(tokens: Tokens, token: int) -> str:
    """A token's text; its name where it is special or only some bytes of a letter."""
    if token >= tokens.first_timestamp:  # not every tokenizer names these
        return f"<|{TIMESTAMP_SECONDS * (token - tokens.first_timestamp):.2f}|>"
    text = tokens.tokenizer.decode([token], clean_up_tokenization_spaces=False)
    if token >= tokens.end or "\N{REPLACEMENT CHARACTER}" in text:
        return str(tokens.tokenizer.convert_ids_to_tokens(token))
    return text
