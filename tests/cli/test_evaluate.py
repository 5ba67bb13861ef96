"""`spt-whisper evaluate`: the files it leaves."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
import torch

from spt_whisper.cli import main
from spt_whisper.cli.evaluate import _output, run
from spt_whisper.corpora import CorpusConfig
from spt_whisper.corpora.utterance import Utterance
from spt_whisper.engines.torch import TorchEngine
from spt_whisper.errors import InputError
from spt_whisper.evaluation.evaluate import _spread, evaluate, scored_utterances
from spt_whisper.evaluation.settings import EvaluateConfig
from tests.tiny_corpus import fit_flags, write_corpus, write_home, write_model


def rewrite(manifest: Path, **columns: object) -> None:
    """Gives every row other values."""
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    manifest.write_text("".join(f"{json.dumps({**row, **columns})}\n" for row in rows))


def test_report_utterances_page_and_picture(tmp_path: Path) -> None:
    config = EvaluateConfig(
        CorpusConfig(str(write_corpus(tmp_path / "corpus", dev=0))),
        model=str(write_model(tmp_path / "model")),
        output=str(tmp_path / "out" / "report.json"),
        resamples=20,
    )
    run(config)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.json", "report.utterances.jsonl", "report.html", "report.png",
    }  # fmt: skip
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "zero_shot" in html
    assert html.count("<audio") == 3


@pytest.mark.parametrize(
    ("scored", "report"),
    [("runs/a/prompt", "runs/a/report.json"), ("runs/a/model", "runs/a/report.json"),
     ("prompts/ky", "prompts/ky.report.json"), ("prompts/cv", "prompts/cv.report.json"), ("nobody/on-the-hub", "report.json")],
)  # fmt: skip
def test_what_is_scored_has_a_report_of_its_own(
    scored: str, report: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("runs/a/prompt", "runs/a/model", "prompts/ky", "prompts/cv"):
        Path(folder).mkdir(parents=True)
    found = _output(EvaluateConfig(CorpusConfig("anywhere"), prompt=scored))
    assert found.resolve() == (tmp_path / report).resolve()


@pytest.mark.parametrize(
    ("scored", "corpus", "split", "report"),
    [
        ("runs/a/prompt", CorpusConfig("anywhere"), "dev", "runs/a/dev.report.json"),
        ("prompts/ky", CorpusConfig("anywhere"), "dev", "prompts/ky.dev.report.json"),
        ("runs/a/prompt", CorpusConfig("anywhere", test="dev_sge"), "test", "runs/a/dev_sge.report.json"),
        ("runs/a/prompt", CorpusConfig("anywhere", test="../test[:9%]"), "test", "runs/a/test-9.report.json"),
        ("runs/a/prompt", CorpusConfig("anywhere", dev=None), "dev", "runs/a/dev.report.json"),
        ("nobody/on-the-hub", CorpusConfig("anywhere"), "dev", "dev.report.json"),
        ("runs/a/prompt", CorpusConfig("anywhere", "kaldi", test="."), "test", "runs/a/report.json"),
    ],
)  # fmt: skip
def test_another_part_of_the_corpus_has_a_report_of_its_own(
    scored: str,
    corpus: CorpusConfig,
    split: Literal["dev", "test"],
    report: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("runs/a/prompt", "prompts/ky"):
        Path(folder).mkdir(parents=True)
    found = _output(EvaluateConfig(corpus, prompt=scored, split=split))
    assert found.resolve() == (tmp_path / report).resolve()


@pytest.mark.parametrize(
    ("output", "report"),
    [("a", "a/report.json"), ("v1.5", "v1.5/report.json"), ("v1.5.json", "v1.5.json")],
)
def test_an_output_that_is_no_json_is_a_folder(output: str, report: str, tmp_path: Path) -> None:
    config = EvaluateConfig(CorpusConfig("anywhere"), output=str(tmp_path / output))
    assert _output(config) == tmp_path / report


def test_of_one_manifest_for_every_split_nothing_is_chosen_on_what_is_scored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    config = EvaluateConfig(
        CorpusConfig(str(corpus / "test.jsonl")), model=str(write_model(tmp_path / "model")), languages=["es"],
        output=str(tmp_path / "out"), resamples=20,
    )  # fmt: skip
    with caplog.at_level(logging.INFO, "spt_whisper"):
        run(config)
    assert "zero-shot on dev" not in caplog.text
    asked = "zero-shot with language es, window 30 s"
    assert f"{config.corpus.root} has no dev part beside what is scored: {asked}" in caplog.messages
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["corpus"] == "test.jsonl"
    settings = report["settings"]
    assert settings["systems"] == {"zero_shot": "language es, window 30 s"}
    assert settings["corpus"]["split"] == "test"
    assert settings["corpus"]["root"] == "test.jsonl"  # no path of this machine


def test_without_a_dev_part_bare_whisper_is_asked_in_the_first_way(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    for split in ("train", "dev"):
        (corpus / f"{split}.jsonl").unlink()
    config = EvaluateConfig(
        CorpusConfig(str(corpus)), model=str(write_model(tmp_path / "model")), languages=["es"],
        output=str(tmp_path / "out"), resamples=20,
    )  # fmt: skip
    with caplog.at_level(logging.INFO, "spt_whisper"):
        run(config)
    assert f"{corpus} has no dev part: zero-shot with language es, window 30 s" in caplog.messages
    named = replace(config, corpus=replace(config.corpus, dev="valid"))
    with pytest.raises(InputError, match=r"no split 'valid'.*--corpus\.dev null"):
        run(named)


def test_bare_whisper_is_asked_with_all_tokens_of_mixed_speech_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = write_corpus(tmp_path / "corpus", languages=("es+en",))
    write_model(tmp_path / "model")
    flags = fit_flags(
        tmp_path, tmp_path / "run", "--languages", "[es, en]", "--trainer.max_steps", "1"
    )
    assert main(["fit", *flags]) == 0
    prompt = str(tmp_path / "run" / "prompt")
    config = EvaluateConfig(
        CorpusConfig(str(corpus)), prompt=prompt, output=str(tmp_path / "out"), resamples=20
    )
    with caplog.at_level(logging.INFO, "spt_whisper"):
        run(config)
    asked = {line.split(",")[1].split()[-1] for line in caplog.messages if "on dev," in line}
    assert asked == {"es+en", "es", "auto"}
    wrong = replace(config, languages=["es+abc"])
    with pytest.raises(InputError, match="'abc'"):
        run(wrong)


def test_a_split_that_the_corpus_does_not_have_is_one_line(tmp_path: Path) -> None:
    corpus = CorpusConfig(str(write_corpus(tmp_path / "corpus")), dev=None)
    with pytest.raises(InputError, match=r"corpus: dev is null; name that part"):
        run(EvaluateConfig(corpus, split="dev", output=str(tmp_path / "out")))


def test_a_bank_without_the_language_is_refused_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    write_model(tmp_path / "model")
    assert (
        main(
            [
                "fit",
                *fit_flags(
                    tmp_path, tmp_path / "run", "--method", "lapt", "--trainer.max_steps", "1"
                ),
            ]
        )
        == 0
    )
    other = write_corpus(tmp_path / "other", languages=("quz",))
    monkeypatch.setattr(
        TorchEngine, "decode_batch", lambda *_: pytest.fail("something was decoded")
    )
    bank = str(tmp_path / "run" / "bank")
    with pytest.raises(InputError, match="no language 'quz'"):
        run(EvaluateConfig(CorpusConfig(str(other)), bank=bank, output=str(tmp_path / "out")))
    another = str(write_model(tmp_path / "another", seed=1))
    with pytest.raises(InputError, match="trained for"):
        run(
            EvaluateConfig(
                CorpusConfig(str(corpus)), bank=bank, model=another, output=str(tmp_path / "out")
            )
        )


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_corpus_whose_name_no_report_can_hold_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = write_corpus(tmp_path / "corpus").rename(tmp_path / os.fsdecode(b"caf\xe9"))
    model = str(write_model(tmp_path / "model"))
    monkeypatch.setattr(
        TorchEngine, "decode_batch", lambda *_: pytest.fail("something was decoded")
    )
    with pytest.raises(InputError, match=r"root: found 'caf\\udce9', wanted a name in UTF-8"):
        run(EvaluateConfig(CorpusConfig(str(corpus)), model=model, output=str(tmp_path / "out")))


def test_too_little_memory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = EvaluateConfig(
        CorpusConfig(str(write_corpus(tmp_path / "corpus", dev=0))),
        model=str(write_model(tmp_path / "model")), output=str(tmp_path / "out"),
    )  # fmt: skip
    monkeypatch.setattr(TorchEngine, "decode_batch", lambda *_: torch.empty(2**60))
    with pytest.raises(InputError, match="decoding: out of memory .*; lower batch_size or process"):
        run(config)


def test_where_no_report_can_be_written_nothing_is_scored(tmp_path: Path) -> None:
    config = EvaluateConfig(CorpusConfig(str(tmp_path / "nowhere")), output="/proc/out/report.json")
    with pytest.raises(OSError, match="/proc/out"):
        run(config)


@pytest.mark.parametrize(
    ("windows", "message"),
    [([0.0], "windows: found 0, wanted more than 0 and at most 30"),
     ([10.0, 31.0], "windows: found 31, wanted more than 0 and at most 30"),
     ([0.03], r"windows: found 0\.03, wanted a multiple of 0\.02")],
)  # fmt: skip
def test_a_window_that_the_encoder_lacks_is_refused_at_once(
    windows: list[float], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        EvaluateConfig(CorpusConfig("anywhere"), windows=windows)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"corpus": "data/x"}, "corpus: found str, wanted a CorpusConfig"),
     ({"split": "validation"}, "split: found validation, wanted one of train, dev, test"),
     ({"prompt": CorpusConfig("x")}, "prompt: found CorpusConfig, wanted its folder or hub id"),
     ({"model": 3}, "model: found int, wanted its folder or hub id")],
)  # fmt: skip
def test_a_setting_of_another_kind_is_refused_at_once(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        EvaluateConfig(**{"corpus": CorpusConfig("anywhere"), **settings})


def test_windows_may_come_in_any_order() -> None:
    assert EvaluateConfig(CorpusConfig("anywhere"), windows=[10.0, 6.0]).windows == [10.0, 6.0]


@pytest.mark.parametrize("name", ["report.html", "report.png"])
def test_the_report_does_not_take_the_name_of_what_is_beside_it(name: str) -> None:
    config = EvaluateConfig(CorpusConfig("anywhere"), output=name)
    with pytest.raises(InputError, match=rf"output: found {name}, wanted the name of the JSON"):
        run(config)


def test_a_ten_hour_file_is_named_and_never_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """36,000 s at 100 samples a second: 576 million samples, were it read at 16 kHz."""
    root = write_corpus(tmp_path / "corpus", dev=0, test=1)
    soundfile.write(root / "audio" / "long.flac", np.zeros(3_600_000, np.float32), 100)
    with (root / "test.jsonl").open("a", encoding="utf-8") as file:
        row = {"id": "long", "audio": "audio/long.flac", "text": "ari", "language": "qug"}
        file.write(json.dumps(row) + "\n")
    with caplog.at_level(logging.WARNING, "spt_whisper"):
        kept = scored_utterances(EvaluateConfig(CorpusConfig(str(root))))
    assert [utterance.id for utterance in kept] == ["test0"]
    assert "1 utterances over 30 s are not scored: long" in caplog.text


def test_audio_longer_than_its_manifest_says_is_named_and_not_scored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_corpus(tmp_path / "corpus", dev=0, test=2)
    soundfile.write(root / "audio" / "late.wav", np.zeros(480_064, np.float32), 16_000)
    with (root / "test.jsonl").open("a", encoding="utf-8") as file:
        row = {"id": "late", "audio": "audio/late.wav", "text": "ari", "language": "qug"}
        file.write(json.dumps({**row, "duration": 30.0}) + "\n")
    config = EvaluateConfig(
        CorpusConfig(str(root), dev=None), model=str(write_model(tmp_path / "model")), resamples=20
    )
    with caplog.at_level(logging.WARNING, "spt_whisper"):
        (system,) = evaluate(config).systems
    assert [score.id for score in system.details] == ["test0", "test1"]
    assert "1 utterances over 30 s are not scored: late" in caplog.text


def test_utterances_longer_than_the_windows_of_the_prompt_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = write_home(tmp_path, test=2)
    assert main(["fit", *fit_flags(home, tmp_path / "run", "--trainer.max_steps", "1")]) == 0
    soundfile.write(home / "corpus" / "audio" / "long.wav", np.zeros(32_001, np.float32), 16_000)
    with (home / "corpus" / "test.jsonl").open("a", encoding="utf-8") as file:
        row = {"id": "long", "audio": "audio/long.wav", "text": "ari", "language": "qug"}
        file.write(json.dumps(row) + "\n")
    config = EvaluateConfig(
        CorpusConfig(str(home / "corpus"), dev=None), prompt=str(tmp_path / "run" / "prompt"),
        zero_shot=False, resamples=20,
    )  # fmt: skip
    with caplog.at_level(logging.WARNING, "spt_whisper"):
        evaluate(config)
    assert (
        "prompt: 1 of 3 utterances are longer than the windows it was trained with, and get one of 30 s, which it has not "
        "seen; --corpus.max_seconds 2 leaves them out"
    ) in caplog.text


def test_durations_that_the_manifest_lacks_are_those_of_the_audio(tmp_path: Path) -> None:
    root = write_corpus(tmp_path / "corpus", dev=0)
    rewrite(root / "test.jsonl", duration=None)
    utterances = scored_utterances(EvaluateConfig(CorpusConfig(str(root))))
    assert all(utterance.duration for utterance in utterances)


def test_bare_whisper_is_asked_on_dev_speech_of_every_language() -> None:
    utterances = [
        Utterance(f"{language}{number}", Path("a.wav"), "x", (language,), 1.0)
        for language, count in (("ky", 9), ("ug", 2), ("tt", 9))
        for number in range(count)
    ]
    chosen = [utterance.id for utterance in _spread(utterances, 8)]
    assert chosen == ["ky0", "ky1", "ky2", "ug0", "ug1", "tt0", "tt1", "tt2"]
    assert _spread(utterances[:9], 4) == utterances[:4]


def test_what_a_prompt_was_taught_to_write_leaves_the_references_as_they_are(
    tmp_path: Path,
) -> None:
    """The tags of a corpus are taken out by the normalizer, also beside a prompt that writes no punctuation."""
    root = write_corpus(tmp_path / "corpus", dev=0)
    for split in ("train", "test"):
        rewrite(root / f"{split}.jsonl", text="Hola, Mundo <v-noise>")
    write_model(tmp_path / "model")
    plain = ("--text.lowercase", "true", "--text.remove_punctuation", "true")
    assert (
        main(["fit", *fit_flags(tmp_path, tmp_path / "run", "--corpus.dev", "null", *plain)]) == 0
    )
    config = EvaluateConfig(
        CorpusConfig(str(root), dev=None), model=str(tmp_path / "model"), resamples=20,
        prompt=str(tmp_path / "run" / "prompt"), normalizer="code_switching",
    )  # fmt: skip
    for system in evaluate(config).systems:
        for score in system.details:
            assert score.reference == "Hola, Mundo <v-noise>"
            assert score.normalized_reference == "hola mundo"


def test_scores_of_another_corpus_are_replaced_only_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = str(write_model(tmp_path / "model"))
    one, other = (str(write_corpus(tmp_path / name, dev=0)) for name in ("one", "other"))

    def scored(root: str, output: str | None = None) -> None:
        run(EvaluateConfig(CorpusConfig(root), model=model, output=output, resamples=20))

    scored(one)
    report = _output(EvaluateConfig(CorpusConfig(one), model=model))
    scored(one)  # again: the same corpus
    before = report.read_bytes()
    with pytest.raises(InputError, match="holds the scores of one; name another by --output"):
        scored(other)
    assert report.read_bytes() == before
    scored(other, str(report))
    assert json.loads(report.read_text())["corpus"].startswith("other")
    report.write_text('{"precious": 1}')
    with pytest.raises(InputError, match="is no report of evaluate; name another by --output"):
        scored(one)
