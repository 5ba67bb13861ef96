"""The benchmark of language expansion: each language is held out once, rows are made once, and the table pools them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import continual
import pytest
from expansion import GROUPS, LANGUAGES, main
from expansion_table import print_table
from finished_runs import once, read_run

from spt_whisper.whisper.adapted import read_model_card
from tests.benchmarks.runs import finished
from tests.tiny_corpus import write_corpus, write_model

RELATIVES = ({"ky", "sah", "cv"}, {"rm-sursilv", "rm-vallader"})


def write_data(home: Path) -> None:
    write_model(home / "model")
    write_corpus(home / "data" / "kichwa", train=2, dev=0, test=1)
    for language in LANGUAGES:
        folder = home / "data" / "common_voice_unseen" / language
        write_corpus(folder, train=2, dev=1, test=2, languages=(language,))


def short_runs(home: Path) -> list[str]:
    return [
        "--data", str(home / "data"), "--model", str(home / "model"), "--length", "2", "--epochs", "1",
        "--bank-epochs", "1", "--runs", str(home / "runs"), "--results", str(home / "results"),
    ]  # fmt: skip


def test_each_language_is_new_to_one_bank_that_knows_a_relative() -> None:
    assert sorted(LANGUAGES) == sorted(set(LANGUAGES))
    for group in GROUPS:
        for relatives in RELATIVES:
            assert relatives & set(group)
            assert relatives - set(group)


def test_the_table_pools_languages_that_all_rows_have(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        [
            finished("decoder", "ky", [8] * 10),
            finished("decoder", "eo", [4] * 30),
            finished("decoder", "ia", [9] * 30),
            finished("entire", "ky", [8] * 10),
            finished("entire", "eo", [2] * 30),
        ],
        "decoder",
    )
    printed = capsys.readouterr().out
    decoder, entire = printed.splitlines()[-2:]
    assert "40 clips of 2 languages; seed 0" in printed
    # 200 errors in 400 words, then 140: 30 % fewer, and never more, whatever speakers are drawn
    assert decoder.startswith("| decoder | 50.0 (")
    assert entire.startswith("| entire | 35.0 (")
    change = entire.split(" | ")[2]
    assert change.startswith("-30.0 (-")
    assert entire.split(" | ")[3:] == ["80.0", "20.0", "100", "0", "10", "0 |"]


def test_rows_of_other_utterances_are_not_compared() -> None:
    rows = [finished("decoder", "ky", [8] * 10), finished("entire", "ky", [8] * 9)]
    with pytest.raises(SystemExit, match="entire: was scored on other utterances than decoder"):
        print_table(rows, "decoder")


def test_a_run_of_other_settings_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    made = once(path, {"seed": 0}, lambda: finished("decoder", "ky", [1, 2]))
    assert once(path, {"seed": 0}, lambda: pytest.fail("made again")) == made
    with pytest.raises(SystemExit, match="made with other settings of seed"):
        once(path, {"seed": 1}, lambda: made)
    path.write_text(path.read_text(encoding="utf-8").replace('"decoder"', "5"), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"run\.json: broken run"):
        once(path, {"seed": 0}, lambda: made)


@pytest.mark.slow
def test_rows_are_made_once_and_against_decoder(
    tmp_path: Path, benchmark_output: Callable[..., str]
) -> None:
    write_data(tmp_path)
    flags = short_runs(tmp_path)
    narrow = ["--languages", "ky", "eo", "--only", "bare", "decoder", "lapt_entire"]
    printed = benchmark_output(main, *flags, *narrow)
    results = tmp_path / "results" / "feed_forward"
    decoder, first, second = (
        read_run(results / f"{name}-0.json")
        for name in ("decoder-ky", "lapt_entire-ky", "lapt_entire-eo")
    )
    assert decoder.scores.utterances == first.scores.utterances == 2
    assert (decoder.shared, set(decoder.digests)) == (None, {"ky"})
    # the bank learned the other group and Kichwa
    assert list(first.digests) == ["cv", "ga-IE", "ia", "qug", "rm-vallader", "sah", "ky"]
    assert list(second.digests)[-1] == "eo"
    assert {key: second.digests[key] for key in first.digests} == first.digests
    assert first.shared is not None
    assert first.training.trained_parameters < first.shared.trained_parameters
    table = [line for line in printed.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in table[2:]] == ["| bare", "| decoder", "| lapt_entire"]
    again = benchmark_output(main, *flags, *narrow)
    assert "$ spt-whisper" in printed
    assert "$ spt-whisper" not in again
    assert again.splitlines()[-5:] == table
    figures = benchmark_output(continual.main, *flags)
    assert figures.count("$ spt-whisper fit --method lora") == 2
    assert figures.count("$ spt-whisper evaluate") == 3  # ky, then ky and eo
    card = read_model_card(next((tmp_path / "runs").glob("*/lora_entire/eo/model")))
    assert card is not None
    assert card.base.endswith("lora_entire/ky/model")  # it went on from there
    assert (tmp_path / "results" / "continual_feed_forward.png").is_file()


@pytest.mark.slow
def test_languages_that_learn_together_share_one_training(
    tmp_path: Path, benchmark_output: Callable[..., str]
) -> None:
    write_data(tmp_path)
    rows = ["--languages", "ky", "eo", "--only", "decoder", "together_decoder"]
    printed = benchmark_output(main, *short_runs(tmp_path), *rows)
    assert printed.count("$ spt-whisper fit --method lapt") == 1
    results = tmp_path / "results" / "feed_forward"
    first, second = (read_run(results / f"together_decoder-{each}-0.json") for each in ("ky", "eo"))
    bank = first.shared
    assert bank is not None
    assert bank == second.shared
    assert (first.scores.utterances, bank.utterances) == (2, 2 * len(LANGUAGES))
    own, stored = first.training.trained_parameters, first.training.stored_parameters
    assert bank.stored_parameters == stored - own + len(LANGUAGES) * own
    assert first.digests["ky"] != second.digests["eo"]
    assert printed.splitlines()[-1].startswith("| together_decoder | ")
    own_rows = ["--languages", "eo", "--only", "decoder"]
    again = benchmark_output(main, *short_runs(tmp_path), *own_rows)
    assert "clips of 1 languages" in again
    assert again.splitlines()[-1].startswith("| decoder | ")
