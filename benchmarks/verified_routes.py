"""Whether two decodings tell which prompt a window needs: its likelihood with a prompt on, against bare Whisper's.

    python benchmarks/verified_routes.py --prompt DIR --spoken DIR --others DIR [DIR ...] [--count 20] [--json PATH]

`--spoken` is a corpus in the prompt's language, `--others` are in languages of Whisper's own. Each clip is decoded by bare
Whisper, which names the language itself, and with the prompt. A prompt makes Whisper surer in whatever it hears, so there is
more than one way to compare; each is a difference of mean log-probabilities per token, text T of way W at way V as V(T)
(of its own text over the tokens that the search allows, of the other's over all):

    own        prompt(P) - bare(B)
    both       [prompt(P) + bare(P)] - [bare(B) + prompt(B)]
    gain       [prompt(P) - bare(P)] - [bare(B) - prompt(B)]
    prompted   prompt(P) - prompt(B)

`kept` is the share of spoken clips above what at most 2 % of the others exceed: what a check of routes by it would find.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from spt_whisper.atomic import write_text
from spt_whisper.audio import SAMPLE_RATE, load_audio
from spt_whisper.corpora import CorpusConfig, Utterance, read_split
from spt_whisper.features import log_mel
from spt_whisper.prompts.files import Prompt
from spt_whisper.prompts.vectors import stack
from spt_whisper.whisper.decoding import decode
from spt_whisper.whisper.injection import prompted
from spt_whisper.whisper.language import language_posterior
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import single_pass

BATCH = 10
MOST_HARMED = 0.02  # of the others


@dataclass(frozen=True)
class Clip:
    """Mean log-probabilities of a clip's two texts, each both ways."""

    corpus: str
    id: str
    heard: str  # Whisper's code
    bare_text: str
    prompt_text: str
    bare_of_bare: float
    prompt_of_bare: float
    bare_of_prompt: float
    prompt_of_prompt: float


COMPARISONS: dict[str, Callable[[Clip], float]] = {
    "own": lambda c: c.prompt_of_prompt - c.bare_of_bare,
    "both": lambda c: (
        c.prompt_of_prompt + c.bare_of_prompt - c.bare_of_bare - c.prompt_of_bare
    ),
    "gain": lambda c: c.prompt_of_prompt - c.bare_of_prompt - c.bare_of_bare + c.prompt_of_bare,
    "prompted": lambda c: c.prompt_of_prompt - c.prompt_of_bare,
}  # fmt: skip


def likelihoods(
    whisper: FrozenWhisper,
    states: Tensor,
    starts: Sequence[Sequence[int]],
    texts: Sequence[Sequence[int]],
) -> list[float]:
    """Returns each text's mean log-probability per token, its end counted, with the prompts that are on."""
    end = whisper.tokens.end
    rows = [torch.tensor([*start, *text, end]) for start, text in zip(starts, texts, strict=True)]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=end)
    hidden = whisper.model.model.decoder(
        input_ids=tokens[:, :-1], encoder_hidden_states=states
    ).last_hidden_state
    gains = whisper.model.proj_out(hidden).log_softmax(dim=-1)  # (B, T, V), of the following token
    found = gains.gather(2, tokens[:, 1:, None])[..., 0]
    return [
        float(own[len(start) - 1 : len(row) - 1].mean())
        for own, start, row in zip(found, starts, rows, strict=True)
    ]


@torch.inference_mode()
def compare(
    whisper: FrozenWhisper, prompt: Prompt, corpus: str, rows: Sequence[Utterance]
) -> list[Clip]:
    """Decodes a batch of clips both ways."""
    waveforms = [load_audio(row.audio, row.start, row.end) for row in rows]
    seconds = [waveform.shape[0] / SAMPLE_RATE for waveform in waveforms]
    features = log_mel(waveforms, prompt.card.window_seconds, whisper.config.num_mel_bins)
    tokens, codes, options = whisper.tokens, list(whisper.tokens.languages), single_pass()
    states = whisper.encode(features)
    heard = [codes[index] for index in language_posterior(whisper, states).argmax(dim=1).tolist()]
    starts = [tokens.start((code,)) for code in heard]
    places = prompt.config.decoder_positions
    named = [tokens.start(prompt.card.language_tokens, placeholders=places)] * len(rows)
    bare = decode(whisper, states, starts, seconds, options)
    bare_texts = [found.tokens for found in bare]
    with prompted(whisper.model, stack([prompt.vectors] * len(rows))):
        own_states = whisper.encode(features)
        own = decode(whisper, own_states, named, seconds, options)
        prompt_of_bare = likelihoods(whisper, own_states, named, bare_texts)
    bare_of_prompt = likelihoods(whisper, states, starts, [found.tokens for found in own])
    return [
        Clip(
            corpus, row.id, code, b.text, p.text, b.mean_log_probability, other, bare_of, p.mean_log_probability
        )
        for row, code, b, p, other, bare_of in zip(
            rows, heard, bare, own, prompt_of_bare, bare_of_prompt, strict=True
        )
    ]  # fmt: skip


def kept(spoken: Sequence[float], others: Sequence[float]) -> float:
    """Returns the share of spoken clips above what at most 2 % of the others exceed."""
    ranked = sorted(others, reverse=True)
    threshold = ranked[int(MOST_HARMED * len(ranked))]
    return sum(score > threshold for score in spoken) / len(spoken)


def main() -> None:
    """Decodes all clips, prints what each comparison would find, and writes the clips where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompt", required=True, help="folder of a prompt")
    parser.add_argument("--spoken", type=Path, required=True, help="corpus in its language")
    parser.add_argument("--others", type=Path, nargs="+", required=True, help="other corpora")
    parser.add_argument("--count", type=int, default=20, help="clips of each (%(default)s)")
    parser.add_argument("--json", type=Path, help="file for the clips")
    settings = parser.parse_args()
    prompt = Prompt.from_pretrained(settings.prompt)
    whisper = FrozenWhisper.from_pretrained(prompt.card.base)
    clips: list[Clip] = []
    for corpus in (settings.spoken, *settings.others):
        config = CorpusConfig(str(corpus), max_seconds=prompt.card.window_seconds)
        rows = read_split(config, "test")
        rows = rows[:: max(1, len(rows) // settings.count)][: settings.count]
        for first in range(0, len(rows), BATCH):
            clips += compare(whisper, prompt, corpus.name, rows[first : first + BATCH])
            if settings.json:
                found = [asdict(clip) for clip in clips]
                write_text(settings.json, json.dumps({"clips": found}, indent=2) + "\n")
    print("| comparison | kept % |\n| --- | --- |")
    for name, of in COMPARISONS.items():
        spoken = [of(clip) for clip in clips if clip.corpus == settings.spoken.name]
        others = [of(clip) for clip in clips if clip.corpus != settings.spoken.name]
        print(f"| {name} | {100 * kept(spoken, others):.0f} |")


if __name__ == "__main__":
    main()
