"""From encoder states to text: search, rules, guards, and a second try where a text looks wrong.

Ours, since transformers' `generate` cannot do what prompts and windows need: rows that leave the batch when they are done
(with the prompts of the rest still on), beams that share the encoder's states, a budget and first tokens for each row.

    fallback.py        decode_with: the temperatures, one after the other, for the rows that need it
    search.py          greedy, sampling and beam search
    cached_decoder.py  Whisper's decoder with keys and values kept, rows and beams
    torch_decoder.py   decode: that on PyTorch
    rules.py           which tokens may follow
    guards.py          where a row must stop
"""

from spt_whisper.whisper.decoding.cached_decoder import CachedDecoder
from spt_whisper.whisper.decoding.fallback import decode_with
from spt_whisper.whisper.decoding.hypothesis import Hypothesis
from spt_whisper.whisper.decoding.torch_decoder import decode

__all__ = ["CachedDecoder", "Hypothesis", "decode", "decode_with"]
