"""Windows decoded: guards, greedy search, and other tries where a text looks wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spt_whisper.errors import InputError
from spt_whisper.whisper.decoding import Hypothesis, decode, decode_with
from spt_whisper.whisper.decoding.guards import is_looping, stop_reason
from spt_whisper.whisper.language import language_posterior
from spt_whisper.whisper.options import DecodingOptions, single_pass
from spt_whisper.whisper.tokens import MAX_POSITIONS
from tests.tiny_model import tiny_whisper
from tests.whisper.known_decoder import LETTERS, TOKENS, VOCABULARY, KnownDecoder


@pytest.mark.parametrize(
    ("written", "looping"),
    [
        ([1] * 6, True),
        ([1] * 5, False),
        ([9, 9, *[1, 2, 3] * 6], True),
        ([*[1, 2, 3] * 6, 4], False),
        ([*[1, 2, 3] * 5, 1, 2, 4], False),
        (list(range(8)) * 6, True),
        (list(range(9)) * 6, False),
        ([], False),
    ],
)
def test_loop_guard(written: list[int], looping: bool) -> None:
    assert is_looping(written) is looping
    assert stop_reason(written, 1000) == ("loop" if looping else None)


def test_rows_stop_at_the_budget_of_their_own_audio() -> None:
    whisper = tiny_whisper()
    states = whisper.encode(torch.randn(2, 80, 200, generator=torch.Generator().manual_seed(0)))
    start = whisper.tokens.start(["es"])
    options = single_pass(tokens_per_second=10, extra_tokens=0)
    found = decode(whisper, states, [start, start], [0.3, 0.5], options)
    assert [len(hypothesis.tokens) for hypothesis in found] == [3, 5]
    assert [hypothesis.stopped_by for hypothesis in found] == ["budget", "budget"]


@pytest.mark.parametrize(("seconds", "budget"), [(0.0, 1), (0.09, 1), (0.1, 1), (0.25, 2)])
def test_a_row_may_have_a_token_however_short_it_is(seconds: float, budget: int) -> None:
    assert DecodingOptions(tokens_per_second=10, extra_tokens=0).budget(seconds) == budget


def test_rows_stop_at_the_decoders_last_position() -> None:
    whisper = tiny_whisper()
    states = whisper.encode(torch.randn(2, 80, 200, generator=torch.Generator().manual_seed(0)))
    start = whisper.tokens.start(["es"])
    start = [whisper.tokens.start_of_previous] * (MAX_POSITIONS - 3 - len(start)) + start
    options = single_pass(tokens_per_second=10, extra_tokens=0)
    found = decode(whisper, states, [start, start], [0.3, 0.4], options)
    assert [len(hypothesis.tokens) for hypothesis in found] == [3, 3]
    assert [hypothesis.stopped_by for hypothesis in found] == ["budget", "positions"]


def test_greedy_takes_the_most_probable_allowed_token_at_each_step() -> None:
    """Against a loop written out here, without a cache."""
    whisper = tiny_whisper(seed=5)
    tokens = whisper.tokens
    states = whisper.encode(torch.randn(1, 80, 200, generator=torch.Generator().manual_seed(1)))
    start = tokens.start(["es"])
    found = decode(
        whisper, states, [start], [1.0], single_pass(tokens_per_second=8, extra_tokens=0)
    )[0]
    forbidden = [
        tokens.start_of_previous,
        tokens.start_of_transcript,
        tokens.no_timestamps,
        *tokens.languages.values(),
    ]
    forbidden += range(tokens.first_timestamp, whisper.config.vocab_size)
    written: list[int] = []
    with torch.no_grad():
        while len(written) < 8:
            logits = whisper.model(
                encoder_outputs=(states,), decoder_input_ids=torch.tensor([start + written])
            ).logits[0, -1]
            logits[forbidden] = -torch.inf
            if not written:
                logits[tokens.end] = -torch.inf
            best = int(logits.argmax())
            if best == tokens.end:
                break
            written.append(best)
    assert list(found.tokens) == written[: len(found.tokens)]
    assert found.stopped_by == "loop" or len(found.tokens) == len(written)


def decoded(**settings: object) -> Hypothesis:
    """A window that a tiny Whisper writes in a loop at temperature 0."""
    whisper = tiny_whisper(seed=5)
    states = whisper.encode(torch.randn(1, 80, 200, generator=torch.Generator().manual_seed(1)))
    options = DecodingOptions(**{"log_probability_threshold": None, **settings})  # type: ignore[arg-type]
    return decode(whisper, states, [whisper.tokens.start(["es"])], [2.0], options)[0]


def test_a_text_in_a_loop_is_tried_again_though_it_passes_the_thresholds() -> None:
    looping = decoded(temperatures=[0.0], compression_ratio_threshold=2.4)
    assert looping.stopped_by == "loop"
    assert looping.compression_ratio < 2.4
    again = decoded(temperatures=[0.0, 1.0])
    assert again.temperature == 1.0
    assert again.tokens != looping.tokens
    assert decoded(temperatures=[0.0, 1.0], compression_ratio_threshold=None) == looping


def test_draws_are_a_windows_own_and_do_not_depend_on_the_batch() -> None:
    first = decoded(temperatures=[1.0])
    second = decoded(temperatures=[0.0, 1.0])  # after a loop
    assert (first.temperature, second.temperature) == (1.0, 1.0)
    assert first.tokens != second.tokens
    assert decoded(temperatures=[0.0, 1.0]) == second
    assert decoded(temperatures=[0.0, 1.0], seed=1).tokens != second.tokens

    whisper = tiny_whisper(seed=5)
    states = whisper.encode(torch.randn(3, 80, 200, generator=torch.Generator().manual_seed(1)))
    starts, options = [whisper.tokens.start(["es"])] * 3, DecodingOptions(temperatures=[0.0, 1.0])
    together = decode(whisper, states, starts, [2.0, 0.5, 1.0], options)
    alone = [
        decode(whisper, states[n : n + 1], starts[:1], [seconds], options)[0]
        for n, seconds in enumerate([2.0, 0.5, 1.0])
    ]
    assert [found.tokens for found in together] == [found.tokens for found in alone]
    assert any(found.temperature for found in together)


def test_each_threshold_has_a_window_tried_again() -> None:
    """Ratio and mean log-probability here: 0.0 a loop and -2.7, 0.5 1.31 and -4.0, 1.0 1.18 and -4.9."""
    settings = {"temperatures": [0.0, 0.5, 1.0], "compression_ratio_threshold": None}
    assert decoded(**settings).temperature == 0.0
    assert decoded(**settings | {"compression_ratio_threshold": 1.25}).temperature == 1.0
    falling = settings | {"temperatures": [1.0, 0.5]}
    assert decoded(**falling, log_probability_threshold=-4.5).temperature == 0.5


def test_where_every_try_fails_the_most_probable_stays_and_no_loop() -> None:
    all_fail = {"temperatures": [0.0, 0.5, 1.0], "log_probability_threshold": -1.0}
    assert decoded(**all_fail).temperature == 0.5
    assert decoded(**all_fail, compression_ratio_threshold=None).temperature == 0.0
    assert decoded(**all_fail, compression_ratio_threshold=0.0).temperature == 0.0


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        # Universal Declaration of Human Rights, article 1, in Georgian and in Burmese
        ("ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით. მათ მინიჭებული აქვთ გონება და "
         "სინდისი და ერთმანეთის მიმართ უნდა იქცეოდნენ ძმობის სულისკვეთებით.", False),
        ("လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် လည်းကောင်း၊ တူညီလွတ်လပ်သော အခွင့်အရေးများဖြင့် လည်းကောင်း၊ "
         "မွေးဖွားလာသူများ ဖြစ်သည်။", False),
        ("ყველა ადამიანი " * 6, True),
        ("thank you for watching. " * 4, True),
        ("", False),
        ("".join(map(chr, range(0x4E00, 0x4E00 + 300))), False),
    ],
)  # fmt: skip
def test_plain_text_of_any_script_is_not_repetitive(text: str, loops: bool) -> None:
    assert (Hypothesis((), text, "end").compression_ratio > 2.4) is loops


@pytest.mark.parametrize("beams", [1, 3])
def test_a_row_may_write_the_suppressed_signs_that_its_prompt_was_taught(beams: int) -> None:
    whisper = tiny_whisper(seed=5)
    states = whisper.encode(torch.randn(4, 80, 200, generator=torch.Generator().manual_seed(1)))
    starts, options = [whisper.tokens.start(["es"])] * 4, single_pass(beam_size=beams)
    seconds = [0.1, 2.0, 2.0, 2.0]  # the first row leaves the batch early

    def written(**settings: object) -> list[tuple[int, ...]]:
        found = decode(whisper, states, starts, seconds, options, **settings)  # type: ignore[arg-type]
        return [hypothesis.tokens for hypothesis in found]

    free = written()
    sign, other = free[1][0], free[2][1]
    whisper.model.generation_config.suppress_tokens = [sign, other]  # type: ignore[union-attr]
    barred = written()
    assert not {sign, other} & {token for tokens in barred for token in tokens}
    mixed = written(signs=[(), (sign, other), (other, 7), ()])
    assert mixed[1] == free[1]  # all that the list has was taught
    assert sign not in mixed[2]
    assert [mixed[0], mixed[3]] == [barred[0], barred[3]]
    options = single_pass(beam_size=beams, suppress_tokens=[-1, sign])
    assert sign not in written(signs=[(sign,)] * 4)[1]  # what the user forbids stays forbidden


def test_a_window_is_silent_where_speech_is_improbable_and_the_text_too() -> None:
    settings = {"no_speech_threshold": 0.0, "compression_ratio_threshold": None}
    silent = decoded(**settings, log_probability_threshold=0.0)
    assert (silent.tokens, silent.text) == ((), "")
    assert (silent.stopped_by, silent.temperature) == ("no_speech", 0.0)
    assert decoded(**settings, log_probability_threshold=None) == silent
    assert decoded(**settings, log_probability_threshold=-100.0).text
    assert decoded(**settings | {"no_speech_threshold": None}, temperatures=[0.0]).text


def test_no_speech_is_read_where_the_transcript_starts() -> None:
    """Also behind the filling in front of short first tokens."""
    whisper = tiny_whisper(seed=5)
    states = whisper.encode(torch.randn(2, 80, 200, generator=torch.Generator().manual_seed(1)))
    starts = [whisper.tokens.start(["es"], text_prompt=prompt) for prompt in ([], [5, 6, 7])]
    found = decode(whisper, states, starts, [1.0, 1.0], single_pass())
    for row, start in enumerate(starts):
        read = start[: start.index(whisper.tokens.start_of_transcript) + 1]
        with torch.no_grad():
            logits = whisper.model(
                encoder_outputs=(states[row : row + 1],), decoder_input_ids=torch.tensor([read])
            ).logits[0, -1]
        expected = float(logits.softmax(dim=-1)[whisper.tokens.no_speech])
        assert found[row].no_speech_probability == pytest.approx(expected, rel=1e-4)


def test_rows_that_are_tried_again_keep_their_signs_and_budgets() -> None:
    count, sign = 20, LETTERS[0]
    vocabulary = replace(VOCABULARY, suppressed=(sign,))
    signs = [(sign,) if row % 3 == 0 else () for row in range(count)]
    options = DecodingOptions(
        temperatures=[1.0, 0.0], log_probability_threshold=-1.0, no_speech_threshold=None,
        tokens_per_second=1.0, extra_tokens=1, compression_ratio_threshold=None,
    )  # fmt: skip

    def found(*rows: int) -> list[Hypothesis]:
        return decode_with(
            lambda own: KnownDecoder([f"row {rows[place]}" for place in own]), vocabulary,
            [TOKENS.start(["es"])] * len(rows), [1.0 + row % 4 for row in rows], options,
            [signs[row] for row in rows],
        )  # fmt: skip

    together = found(*range(count))
    assert {own.temperature for own in together} == {0.0, 1.0}
    assert together == [alone for row in range(count) for alone in found(row)]
    assert any(sign in own.tokens for own in together)
    assert not any(
        sign in own.tokens for own, taught in zip(together, signs, strict=True) if not taught
    )


def test_first_tokens_that_leave_no_room_are_refused() -> None:
    start = [0] * MAX_POSITIONS
    with pytest.raises(InputError, match="448 first tokens leave no room in 448 positions"):
        decode_with(lambda _: KnownDecoder([]), VOCABULARY, [start], [1.0], single_pass(), [()])


def test_timestamps_come_in_order_and_first() -> None:
    whisper = tiny_whisper(seed=2)
    states = whisper.encode(torch.randn(1, 80, 200, generator=torch.Generator().manual_seed(1)))
    options = single_pass(timestamps=True, tokens_per_second=20, extra_tokens=0)
    found = decode(
        whisper, states, [whisper.tokens.start(["es"], timestamps=True)], [2.0], options
    )[0]
    times = [token for token in found.tokens if token >= whisper.tokens.first_timestamp]
    assert found.tokens[0] >= whisper.tokens.first_timestamp
    assert times == sorted(times)


def test_a_posterior_sums_to_one_over_the_languages() -> None:
    whisper = tiny_whisper()
    states = whisper.encode(torch.randn(3, 80, 200))
    posterior = language_posterior(whisper, states)
    assert posterior.shape == (3, 4)
    torch.testing.assert_close(posterior.sum(dim=1), torch.ones(3))


@pytest.mark.parametrize(
    "settings", [{"beam_size": 0}, {"tokens_per_second": 0}, {"extra_tokens": -1}]
)
def test_wrong_options_are_refused(settings: dict) -> None:
    with pytest.raises(InputError, match="decoding"):
        DecodingOptions(**settings)
