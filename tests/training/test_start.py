"""Starts from what frozen Whisper hears: posterior, language token, key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from spt_whisper.audio import load_audio
from spt_whisper.corpora import CorpusConfig, read_split
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.text.normalization import TextProcessing
from spt_whisper.training import language_token, start
from spt_whisper.training.encoder_states import encode_audio, load_example
from spt_whisper.training.language_token import choose_token
from spt_whisper.training.preparation import language_codes, prepare
from spt_whisper.training.recipe import Recipe
from spt_whisper.training.run import build_learner
from spt_whisper.training.start import LanguageSound, Listener, capture_examples, expected_embedding
from spt_whisper.whisper.language import language_posterior, pooled_state
from tests.tiny_corpus import write_corpus
from tests.tiny_model import tiny_whisper
from tests.training.tiny_examples import WINDOW, tiny_examples


def test_the_token_starts_as_the_mean_embedding_under_the_posterior(tmp_path: Path) -> None:
    whisper = tiny_whisper()
    utterances = read_split(CorpusConfig(str(write_corpus(tmp_path / "corpus"))), "train")
    heard = Listener(whisper).hear(utterances, 2.0)
    torch.testing.assert_close(heard.posterior.sum(), torch.tensor(1.0))
    embeddings = whisper.model.model.decoder.embed_tokens.weight
    expected = sum(
        share * embeddings[token]
        for share, token in zip(heard.posterior, whisper.tokens.languages.values(), strict=True)
    )
    torch.testing.assert_close(expected_embedding(whisper, heard)[0, 0], expected)
    key = heard.key()
    assert len(key.log_posterior) == len(whisper.tokens.languages)
    assert len(key.state) == len(key.spread) == whisper.shape.width
    states = encode_audio(whisper, [load_audio(u.audio) for u in utterances], 2.0)
    pooled = pooled_state(states, [u.duration or 0.0 for u in utterances])
    torch.testing.assert_close(torch.tensor(key.state), pooled.mean(0), atol=1e-4, rtol=1e-3)
    spread = pooled.std(0, correction=0)
    torch.testing.assert_close(torch.tensor(key.spread), spread, atol=1e-4, rtol=1e-3)


def test_a_language_is_heard_all_over_its_speech(tmp_path: Path) -> None:
    whisper = tiny_whisper()
    root = write_corpus(tmp_path / "corpus", train=4)
    first, *_, last = read_split(CorpusConfig(str(root)), "train")
    mixed = Listener(whisper).hear([first] * 128 + [last] * 128, 2.0)
    halves = [Listener(whisper).hear([utterance], 2.0).state for utterance in (first, last)]
    torch.testing.assert_close(mixed.state, (halves[0] + halves[1]) / 2, atol=1e-4, rtol=1e-3)


def test_a_language_without_a_named_token_gets_its_own_or_the_one_that_suits_its_texts(
    tmp_path: Path,
) -> None:
    whisper = tiny_whisper()
    root = write_corpus(tmp_path / "corpus", languages=("ky", "sah", "zh"))
    utterances = read_split(CorpusConfig(str(root)), "train")
    recipe = Recipe(CorpusConfig(str(root)), languages={"sah": ["it"]}, window_seconds=2.0)
    codes = language_codes(recipe, Listener(whisper), utterances)
    own = [utterance for utterance in utterances if utterance.languages == ("ky",)]
    losses = {}
    for code in whisper.tokens.languages:
        first, losses[code] = whisper.tokens.start([code]), 0.0
        for utterance in own:
            states = encode_audio(whisper, [load_audio(utterance.audio)], 2.0)
            text = [*whisper.tokens.encode(utterance.text), whisper.tokens.end]
            with torch.no_grad():
                logits = whisper.model(
                    encoder_outputs=(states,), decoder_input_ids=torch.tensor([[*first, *text[:-1]]])
                ).logits[0, len(first) - 1 :]  # fmt: skip
            losses[code] -= float(logits.log_softmax(-1)[range(len(text)), text].sum())
    suiting = min(losses, key=lambda code: losses[code])
    assert codes == {"sah": ("it",), "ky": (suiting,), "zh": ("zh",)}


@pytest.mark.parametrize("method", ["prompt", "lapt"])
def test_a_run_hears_a_language_once(
    method: Literal["prompt", "lapt"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_corpus(tmp_path / "corpus", train=6, languages=("ky",))
    recipe = Recipe(
        CorpusConfig(str(root), max_seconds=3.0), method=method, window_seconds=[2.0, 3.0, 30.0]
    )
    heard = []

    def counted(*given: Any) -> LanguageSound:
        heard.append(given)
        return hear(*given)

    hear = start._hear
    monkeypatch.setattr(start, "_hear", counted)
    prepared = prepare(recipe, tiny_whisper())
    build_learner(recipe, prepared)
    assert len(heard) == 1


def test_without_texts_a_language_gets_the_token_that_is_heard_most(tmp_path: Path) -> None:
    whisper = tiny_whisper()
    root = write_corpus(tmp_path / "corpus", languages=("ky",))
    own = [replace(u, text=" ") for u in read_split(CorpusConfig(str(root)), "train")]
    sound = Listener(whisper).hear(own, 2.0)
    chosen = choose_token(whisper, sound, own, TextProcessing(), 2.0)
    waveforms = [load_audio(utterance.audio) for utterance in own]
    posteriors = language_posterior(whisper, encode_audio(whisper, waveforms, 2.0))
    assert chosen == list(whisper.tokens.languages)[int(posteriors.mean(dim=0).argmax())]


def test_the_start_is_captured_from_speech_alone(tmp_path: Path) -> None:
    whisper = tiny_whisper()
    examples, _ = tiny_examples(tmp_path)
    own = PromptConfig(side="decoder", site="cross", length=8)
    found = capture_examples(whisper, own, examples)["decoder.cross.vector"]
    states = encode_audio(whisper, [load_example(example) for example in examples], WINDOW)
    spoken = torch.cat(
        [row[: round(50 * e.duration)] for row, e in zip(states, examples, strict=True)]
    )
    places = torch.linspace(0, len(spoken) - 1, 8).round().long()
    torch.testing.assert_close(found[0], spoken[places])


def test_the_start_is_captured_from_all_over_the_corpus(tmp_path: Path) -> None:
    """A corpus is sorted by speaker: of 28 utterances of one and 20 of another the 32 are 19 and 13."""
    whisper = tiny_whisper()
    examples, _ = tiny_examples(tmp_path)
    many = [replace(examples[0], text=(5 if index < 28 else 6,)) for index in range(48)]
    own = PromptConfig(side="decoder", site="input", length=32 * 5)  # each token of each
    found = capture_examples(whisper, own, many)["decoder.input.vector"][0]
    embedded = whisper.model.model.decoder.embed_tokens(torch.tensor([5, 6]))
    assert [int((found == vector).all(dim=-1).sum()) for vector in embedded] == [19, 13]


def test_a_token_is_tried_on_every_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whisper = tiny_whisper()
    root = write_corpus(tmp_path / "corpus", train=12, languages=("ky",))
    own = read_split(CorpusConfig(str(root)), "train")
    sound = Listener(whisper).hear(own, 2.0)
    given = iter([{"es": 1.0, "it": 9.0}, {"es": 6.0, "it": 5.0}])  # of 8 texts, and of 4

    def losses(
        whisper: Any, waveforms: Any, texts: Any, codes: Any, window: float
    ) -> dict[str, float]:
        return {**dict.fromkeys(codes, 100.0), **next(given)}

    monkeypatch.setattr(language_token, "_losses", losses)
    assert choose_token(whisper, sound, own, TextProcessing(), 2.0) == "es"


def test_a_token_for_a_language_that_is_not_there_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_corpus(tmp_path / "corpus", languages=("sah", "zh"))
    utterances = read_split(CorpusConfig(str(root)), "train")
    codes = {"sah": ["it"], "sakha": ["it"]}
    recipe = Recipe(CorpusConfig(str(root)), languages=codes, window_seconds=2.0)
    with caplog.at_level("WARNING"):
        language_codes(recipe, Listener(tiny_whisper()), utterances)
    assert (
        "languages: names sakha, of which there is no speech here; there is sah, zh" in caplog.text
    )
