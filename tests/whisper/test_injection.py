"""What must hold while prompts are on, and after."""

from __future__ import annotations

import pytest
import torch

from spt_whisper.errors import InputError
from spt_whisper.prompts.config import PromptConfig
from spt_whisper.prompts.initialization import start_vectors
from spt_whisper.prompts.vectors import PromptVectors, stack
from spt_whisper.whisper.capture import capture_start
from spt_whisper.whisper.decoding import decode
from spt_whisper.whisper.fingerprint import fingerprint_weights
from spt_whisper.whisper.injection import _HOOKS, attachment_of, prompted
from spt_whisper.whisper.injection.attention import ATTENTION_NAME
from spt_whisper.whisper.loading import FrozenWhisper
from spt_whisper.whisper.options import DecodingOptions, single_pass
from tests.tiny_model import tiny_whisper

EVERY_SITE = ["input", "attention", "cross", "feed_forward", "language"]
KINDS = {
    "input": {"site": "input"},
    "attention": {"site": "attention"},
    "gated attention": {"site": "attention", "gate": True},
    "attention pairs": {"site": "attention", "parameterization": "key_value"},
    "cross": {"site": "cross"},
    "gated cross": {"site": "cross", "gate": True},
    "cross pairs": {"site": "cross", "parameterization": "key_value"},
    "feed_forward": {"site": "feed_forward"},
    "language": {"site": "language"},
    "every site": {"site": EVERY_SITE},
    "every site, gated": {"site": EVERY_SITE, "gate": True},
    "every site, pairs": {"site": EVERY_SITE, "parameterization": "key_value"},
}
ENCODER_KINDS = ["input", "attention", "gated attention", "attention pairs", "feed_forward"]
FRAMES = 200
SHORT = {"tokens_per_second": 5.0, "extra_tokens": 12}
OPTIONS = {
    "greedy": single_pass(**SHORT),
    "beam": single_pass(beam_size=3, **SHORT),
    "timestamps": single_pass(timestamps=True, **SHORT),
    "text prompt": single_pass(text_prompt="what was said", **SHORT),
}


def random_prompt(
    whisper: FrozenWhisper, kind: str, length: int, side: str = "entire", seed: int = 1
) -> tuple[PromptConfig, PromptVectors]:
    generator = torch.Generator().manual_seed(seed + length)
    config = PromptConfig(side=side, length=length, start="normal", **KINDS[kind])
    start = start_vectors(config, whisper.shape, generator)
    return config, start.map(lambda tensor: torch.randn(tensor.shape, generator=generator))


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(3, 80, FRAMES, generator=torch.Generator().manual_seed(3))


def starts(
    whisper: FrozenWhisper, placeholders: int, options: DecodingOptions | None = None
) -> list[int]:
    text = whisper.tokens.encode(options.text_prompt) if options and options.text_prompt else ()
    timed = bool(options and options.timestamps)
    return whisper.tokens.start(
        ["es"], placeholders=placeholders, text_prompt=text, timestamps=timed
    )


@torch.no_grad()
def logits(
    whisper: FrozenWhisper, vectors: PromptVectors, features: torch.Tensor, tokens: list[int]
) -> torch.Tensor:
    with prompted(whisper.model, vectors):
        states = whisper.encode(features)
        inputs = torch.tensor([tokens] * features.shape[0])
        return whisper.model(encoder_outputs=(states,), decoder_input_ids=inputs).logits


@pytest.mark.parametrize("kind", KINDS)
def test_outside_the_block_whisper_is_the_same_to_the_bit(
    kind: str, features: torch.Tensor
) -> None:
    whisper = tiny_whisper()
    fingerprint = whisper.fingerprint
    config, vectors = random_prompt(whisper, kind, 3)
    tokens = [*starts(whisper, config.decoder_positions), 5, 6, 7]
    before = logits(whisper, PromptVectors(), features, tokens)
    during = logits(whisper, vectors, features, tokens)
    after = logits(whisper, PromptVectors(), features, tokens)
    assert torch.equal(before, after)
    assert (before - during).abs().max() > 0.1
    assert whisper.model.config._attn_implementation == "sdpa"
    assert fingerprint_weights(whisper.model) == fingerprint


def test_an_error_inside_the_block_takes_the_prompt_off(features: torch.Tensor) -> None:
    whisper = tiny_whisper()
    _, vectors = random_prompt(whisper, "every site", 2)
    before = logits(whisper, PromptVectors(), features, starts(whisper, 0))
    with pytest.raises(ZeroDivisionError), prompted(whisper.model, vectors):
        raise ZeroDivisionError
    assert torch.equal(before, logits(whisper, PromptVectors(), features, starts(whisper, 0)))


@pytest.mark.parametrize(
    ("side", "kind"),
    [("encoder", kind) for kind in ENCODER_KINDS] + [("decoder", kind) for kind in KINDS],
)
def test_each_side_alone_changes_the_logits(side: str, kind: str, features: torch.Tensor) -> None:
    whisper = tiny_whisper()
    config, vectors = random_prompt(whisper, kind, 3, side)
    tokens = [*starts(whisper, config.decoder_positions), 5, 6]
    assert (
        logits(whisper, vectors, features, tokens)
        - logits(whisper, PromptVectors(), features, tokens)
    ).abs().max() > 0.01


def test_slots_at_their_start_leave_whisper_as_it_was_to_the_bit(features: torch.Tensor) -> None:
    whisper = tiny_whisper()
    config = PromptConfig(site="feed_forward", length=8)
    start = start_vectors(config, whisper.shape, torch.Generator().manual_seed(0))
    tokens = starts(whisper, 0)
    assert torch.equal(
        logits(whisper, start, features, tokens), logits(whisper, PromptVectors(), features, tokens)
    )


def test_slots_equal_feed_forward_layers_made_wider(features: torch.Tensor) -> None:
    whisper, wider = tiny_whisper(), tiny_whisper()
    _, vectors = random_prompt(whisper, "feed_forward", length=3)
    for side in ("encoder", "decoder"):
        slots = getattr(vectors, side).feed_forward
        for index, layer in enumerate(getattr(wider.model.model, side).layers):
            key, bias, value = (part[0, index] for part in (slots.key, slots.bias, slots.value))
            layer.fc1.weight.data = torch.cat([layer.fc1.weight.data, key])
            layer.fc1.bias.data = torch.cat([layer.fc1.bias.data, bias])
            layer.fc2.weight.data = torch.cat([layer.fc2.weight.data, value.T], dim=1)
    tokens = [*starts(whisper, 0), 5, 6, 7]
    expected = logits(wider, PromptVectors(), features, tokens)
    found = logits(whisper, vectors, features, tokens)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_does_not_depend_on_its_neighbors(
    kind: str, name: str, features: torch.Tensor
) -> None:
    """Encoder states to 1e-4, and the tokens of greedy and beam search, for prompts of two lengths and none."""
    whisper, options = tiny_whisper(), OPTIONS[name]
    prompts = [random_prompt(whisper, kind, 3), random_prompt(whisper, kind, 5), None]
    vectors = [prompt[1] if prompt else None for prompt in prompts]
    first = [
        starts(whisper, prompt[0].decoder_positions if prompt else 0, options) for prompt in prompts
    ]
    with prompted(whisper.model, stack(vectors)):
        mixed_states = whisper.encode(features)
        mixed = decode(whisper, mixed_states, first, [1.0] * 3, options)
    for row in range(3):
        with prompted(whisper.model, stack([vectors[row]])):
            states = whisper.encode(features[row : row + 1])
            alone = decode(whisper, states, [first[row]], [1.0], options)
        torch.testing.assert_close(mixed_states[row], states[0], atol=1e-4, rtol=1e-4)
        assert mixed[row].tokens == alone[0].tokens


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "input" not in KINDS[kind]["site"]])
def test_mixed_rows_have_the_logits_of_rows_alone(kind: str, features: torch.Tensor) -> None:
    whisper = tiny_whisper()
    rows = [random_prompt(whisper, kind, 3)[1], random_prompt(whisper, kind, 5)[1], None]
    tokens = [*starts(whisper, 0), 9, 8, 7]
    mixed = logits(whisper, stack(rows), features, tokens)
    for row in range(3):
        alone = logits(whisper, stack([rows[row]]), features[row : row + 1], tokens)
        torch.testing.assert_close(mixed[row : row + 1], alone, atol=1e-4, rtol=1e-4)


def test_rows_of_every_kind_share_a_batch(features: torch.Tensor) -> None:
    """Twelve kinds of prompts side by side; each row has the logits that it has alone."""
    whisper = tiny_whisper()
    prompts = [random_prompt(whisper, kind, 2 + index) for index, kind in enumerate(KINDS)]
    rows = [vectors for _, vectors in prompts]
    positions = [config.decoder_positions for config, _ in prompts]
    many = torch.randn(len(rows), 80, FRAMES, generator=torch.Generator().manual_seed(4))
    options = single_pass(**SHORT)
    first = [starts(whisper, taken) for taken in positions]
    assert max(positions) > 0
    with prompted(whisper.model, stack(rows)):
        mixed = decode(whisper, whisper.encode(many), first, [1.0] * len(rows), options)
    for index, row in enumerate(rows):
        with prompted(whisper.model, row):
            states = whisper.encode(many[index : index + 1])
            alone = decode(whisper, states, [first[index]], [1.0], options)
        assert mixed[index].tokens == alone[0].tokens


def test_a_gate_at_its_start_leaves_whisper_as_it_was(features: torch.Tensor) -> None:
    whisper = tiny_whisper()
    config = PromptConfig(site=["attention", "cross"], length=8, gate=True, start_deviation=3.0)
    start = start_vectors(config, whisper.shape, torch.Generator().manual_seed(0))
    tokens = starts(whisper, 0)
    plain = logits(whisper, PromptVectors(), features, tokens)
    torch.testing.assert_close(logits(whisper, start, features, tokens), plain, atol=1e-4, rtol=0)


def test_a_cross_prompt_is_kept_once_in_the_cache(features: torch.Tensor) -> None:
    whisper = tiny_whisper()
    _, vectors = random_prompt(whisper, "cross", 5)
    projection = whisper.model.model.decoder.layers[0].encoder_attn.k_proj
    with torch.no_grad(), prompted(whisper.model, vectors):
        states = whisper.encode(features[:1])
        cache = whisper.model(
            encoder_outputs=(states,),
            decoder_input_ids=torch.tensor([starts(whisper, 0)]),
            use_cache=True,
        ).past_key_values
        kept = cache.cross_attention_cache.layers[0].keys
        expected = projection.forward(vectors.decoder.cross.vector[:, 0])  # type: ignore[union-attr]
    assert kept.shape[2] == 5 + FRAMES // 2
    torch.testing.assert_close(kept[:, :, :5].transpose(1, 2).flatten(2), expected)


def test_pairs_of_projected_vectors_equal_the_vectors(features: torch.Tensor) -> None:
    """key_value holds what attention makes of its vectors, so that both forms can say the same."""
    whisper = tiny_whisper()
    tokens = torch.tensor([[*starts(whisper, 0), 5, 6, 7]] * 3)
    for site in ("attention", "cross"):
        found = []
        for parameterization in ("none", "key_value"):
            config = PromptConfig(site=site, length=4, parameterization=parameterization)
            captured = capture_start(whisper, config, features, tokens)
            start = start_vectors(config, whisper.shape, torch.Generator(), captured)
            found.append(logits(whisper, start, features, starts(whisper, 0)))
        torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-4)


def test_a_soft_language_token_equals_the_embedding_put_in_by_hand(features: torch.Tensor) -> None:
    whisper = tiny_whisper()
    embedding = whisper.model.model.decoder.embed_tokens.weight
    italian = embedding[whisper.tokens.language("it")]
    vectors = PromptVectors.from_named_tensors(
        {"decoder.language.vector": italian[None, None, None].clone()}
    )
    spanish, plain = whisper.tokens.start(["es"]), whisper.tokens.start(["it"])
    torch.testing.assert_close(
        logits(whisper, vectors, features, spanish),
        logits(whisper, PromptVectors(), features, plain),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_cached_decoding_equals_the_uncached_pass(kind: str, features: torch.Tensor) -> None:
    whisper = tiny_whisper()
    config, vectors = random_prompt(whisper, kind, 4)
    first = starts(whisper, config.decoder_positions)
    options = single_pass(**SHORT)
    with torch.no_grad(), prompted(whisper.model, vectors):
        states = whisper.encode(features[:1])
        tokens = decode(whisper, states, [first], [1.0], options)[0].tokens
        uncached = whisper.model(
            encoder_outputs=(states,),
            decoder_input_ids=torch.tensor([[*first, *tokens]]),
            use_cache=False,
        ).logits[0]
        cache, cached = None, []
        for step in [first, *([token] for token in tokens)]:
            output = whisper.model(
                encoder_outputs=(states,),
                decoder_input_ids=torch.tensor([step]),
                past_key_values=cache,
                use_cache=True,
            )
            cache = output.past_key_values
            cached.append(output.logits[0])
    torch.testing.assert_close(torch.cat(cached), uncached, atol=1e-4, rtol=1e-4)
    assert len(tokens) > 3


def test_deep_encoder_prompt_equals_prompt_states_replaced_at_each_layer(
    features: torch.Tensor,
) -> None:
    """The keys-and-values form against the form of P-Tuning v2 and VPT-deep, written out here."""
    whisper = tiny_whisper()
    _, vectors = random_prompt(whisper, "attention", 4, side="encoder")
    assert vectors.encoder.attention is not None
    with torch.no_grad(), prompted(whisper.model, vectors):
        states = whisper.encode(features)
    encoder = whisper.encoder(FRAMES // 2)
    with torch.no_grad():
        hidden = torch.nn.functional.gelu(encoder.conv1(features))
        hidden = (
            torch.nn.functional.gelu(encoder.conv2(hidden)).permute(0, 2, 1)
            + encoder.embed_positions.weight
        )
        for index, layer in enumerate(encoder.layers):
            vector = vectors.encoder.attention.vector[:, index].expand(3, -1, -1)
            hidden = layer(torch.cat([vector, hidden], dim=1), None)[:, 4:]
        expected = encoder.layer_norm(hidden)
    torch.testing.assert_close(states, expected, atol=1e-4, rtol=1e-4)


def test_decoder_input_prompt_equals_embeddings_put_in_by_hand(features: torch.Tensor) -> None:
    whisper = tiny_whisper()
    config, vectors = random_prompt(whisper, "input", 4, side="decoder")
    assert vectors.decoder.input is not None
    tokens = torch.tensor([[*starts(whisper, config.decoder_positions), 5, 6]] * 3)
    with torch.no_grad():
        states = whisper.encode(features)
        with prompted(whisper.model, vectors):
            found = whisper.model(encoder_outputs=(states,), decoder_input_ids=tokens).logits
        embedded = whisper.model.model.decoder.embed_tokens(tokens)
        embedded[:, 1:5] = vectors.decoder.input.vector[:, 0]
        expected = whisper.model(encoder_outputs=(states,), decoder_inputs_embeds=embedded).logits
    torch.testing.assert_close(found, expected)


def test_a_decoder_input_prompt_without_its_place_is_an_error(features: torch.Tensor) -> None:
    whisper = tiny_whisper()
    _, vectors = random_prompt(whisper, "input", 4, side="decoder")
    with pytest.raises(RuntimeError, match="would be left out"):
        logits(whisper, vectors, features, starts(whisper, 0))
    with pytest.raises(RuntimeError, match="would be left out"):
        logits(whisper, vectors, features, starts(whisper, 2))


def test_soft_language_tokens_never_stand_on_another_token(features: torch.Tensor) -> None:
    whisper = tiny_whisper()
    both = PromptVectors.from_named_tensors({"decoder.language.vector": torch.zeros(1, 1, 2, 32)})
    logits(whisper, both, features, whisper.tokens.start(["es", "it"]))
    for codes in (["es"], ["es", "it", "en"]):
        with pytest.raises(RuntimeError, match="soft language tokens have"):
            logits(whisper, both, features, whisper.tokens.start(codes))


def test_an_attention_implementation_changed_inside_the_block_is_an_error(
    features: torch.Tensor,
) -> None:
    whisper = tiny_whisper()
    _, vectors = random_prompt(whisper, "attention", 2)
    with torch.no_grad(), prompted(whisper.model, vectors):
        assert whisper.model.config._attn_implementation == ATTENTION_NAME
        whisper.model.config._attn_implementation = "eager"
        with pytest.raises(RuntimeError, match="attention implementation became 'eager'"):
            whisper.encode(features)


def test_a_prompt_of_another_shape_is_refused() -> None:
    whisper = tiny_whisper(width=32)
    _, vectors = random_prompt(tiny_whisper(width=64), "feed_forward", 2)
    with (
        pytest.raises(InputError, match="the prompt is of another model"),
        prompted(whisper.model, vectors),
    ):
        pass


def test_a_prompt_inside_a_prompt_is_refused() -> None:
    whisper = tiny_whisper()
    _, vectors = random_prompt(whisper, "feed_forward", 2)
    with (
        prompted(whisper.model, vectors),
        pytest.raises(InputError, match="prompted already"),
        prompted(whisper.model, vectors),
    ):
        pass


def test_rows_that_do_not_match_the_batch_are_an_error(features: torch.Tensor) -> None:
    whisper = tiny_whisper()
    rows = [
        random_prompt(whisper, "feed_forward", 2)[1],
        random_prompt(whisper, "feed_forward", 3)[1],
    ]
    with pytest.raises(RuntimeError, match="2 rows of prompts met a batch of 3 rows"):
        logits(whisper, stack(rows), features, starts(whisper, 0))


def test_a_window_view_shares_weights_and_equals_the_slice_of_positions(
    features: torch.Tensor,
) -> None:
    whisper = tiny_whisper()
    view, full = whisper.encoder(100), whisper.model.model.encoder
    assert view.layers is full.layers
    assert view.embed_positions.weight.data_ptr() == full.embed_positions.weight.data_ptr()
    assert full.embed_positions.num_embeddings == 1500
    assert whisper.encode(features).shape == (3, 100, 32)
    assert whisper.encode(torch.zeros(1, 80, 3000)).shape == (1, 1500, 32)
    with pytest.raises(InputError, match="at most 30 s"):
        whisper.encode(torch.zeros(1, 80, 3002))


def hooked(whisper: FrozenWhisper) -> list[torch.nn.Module]:
    return [m for m in whisper.model.modules() if m._forward_hooks or m._forward_pre_hooks]


@pytest.mark.parametrize(
    ("name", "kind"), [("prev_sot_token_id", "input"), ("transcribe_token_id", "language")]
)
def test_a_plain_model_that_does_not_name_its_tokens(name: str, kind: str) -> None:
    """As transformers loads it: what needs no token works, the rest is refused and leaves nothing behind."""
    whisper = tiny_whisper()
    delattr(whisper.model.generation_config, name)
    _, slots = random_prompt(whisper, "feed_forward", 2)
    with prompted(whisper.model, slots):
        assert hooked(whisper)
    for refused in (kind, "every site"):
        with (
            pytest.raises(InputError, match=f"generation_config has no {name}, by which .* set it"),
            prompted(whisper.model, random_prompt(whisper, refused, 2)[1]),
        ):
            pass
        assert not hooked(whisper)


def test_hooks_of_a_prompt_that_fails_half_way_are_taken_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> list[object]:
        raise MemoryError

    whisper = tiny_whisper()
    _, vectors = random_prompt(whisper, "every site", 2)
    monkeypatch.setitem(_HOOKS, "decoder", (*_HOOKS["decoder"], fails))
    with pytest.raises(MemoryError), prompted(whisper.model, vectors):
        pass
    assert not hooked(whisper)
    assert whisper.model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("fails", ["select_rows", "_HOOKS"])
def test_rows_that_cannot_be_kept_do_not_leave_the_prompt_out(
    fails: str, features: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[object]:
        raise MemoryError

    whisper = tiny_whisper()
    rows = [random_prompt(whisper, "feed_forward", length)[1] for length in (2, 3, 4)]
    with torch.no_grad(), prompted(whisper.model, stack(rows)):
        before, attachment = whisper.encode(features), attachment_of(whisper.model)
        assert attachment is not None
        with monkeypatch.context() as broken:
            if fails == "_HOOKS":
                broken.setitem(_HOOKS, "decoder", (fail,))
            else:
                broken.setattr(PromptVectors, "select_rows", fail)
            with pytest.raises(MemoryError):
                attachment.keep_rows([0])
        attachment.keep_rows(None)
        assert torch.equal(whisper.encode(features), before)
    assert not hooked(whisper)
