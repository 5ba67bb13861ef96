"""A service over its life: prompts that come, change, break and go; SIGTERM; and calls that cannot begin."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from spt_whisper.serving import server
from spt_whisper.serving.keys import read_keys
from spt_whisper.serving.settings import ServeConfig
from spt_whisper.serving.sources import BARE_NAME, BankSource, PromptSource, fixed_sources
from spt_whisper.transcription.transcriber import Whisper
from tests.cli.test_commands import call, one_line
from tests.serving.running import (
    KEY,
    START_SECONDS,
    Running,
    answers,
    prompt_of,
    replace_folder,
    running,
    starting,
    wait_for,
)
from tests.tiny_corpus import write_model


def offered(service: Running) -> set[str]:
    return {model["id"] for model in service.get("/v1/models").json()["data"]}


def test_prompts_come_change_break_and_go_without_a_restart(
    service: Running, tmp_path: Path
) -> None:
    whisper = Whisper.from_pretrained(service.folder / "model")
    place = service.folder / "prompts" / "wanka"

    def text() -> str:
        return str(service.post(service.audio[0], model="wanka").json()["text"])

    replace_folder(prompt_of(whisper, "qvw", 8).save_pretrained(tmp_path / "first"), place)
    wait_for(lambda: "wanka" in offered(service))
    first = text()
    replace_folder(prompt_of(whisper, "qvw", 9).save_pretrained(tmp_path / "second"), place)
    wait_for(lambda: text() != first)
    second = text()

    settings = place / "prompt.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "format_version": 99}))
    wait_for(lambda: "model wanka cannot be read" in service.log.read_text())
    assert "the one before stays" in service.log.read_text()
    assert text() == second
    shutil.rmtree(place)
    wait_for(lambda: "wanka" not in offered(service))
    assert service.post(service.audio[0], model="wanka").status_code == 404


def test_a_broken_or_foreign_new_prompt_is_logged_and_left_out(
    service: Running, tmp_path: Path
) -> None:
    other = Whisper.from_pretrained(write_model(tmp_path / "other", seed=5))
    prompt_of(other, "qug", 1).save_pretrained(service.folder / "prompts" / "foreign")
    broken = service.folder / "prompts" / "broken"
    broken.mkdir()
    (broken / "prompt.json").write_text("{")
    wait_for(lambda: "model broken cannot be read" in service.log.read_text())
    wait_for(lambda: "model foreign cannot be read" in service.log.read_text())
    assert offered(service).isdisjoint({"broken", "foreign"})
    assert service.post(service.audio[0], model="kichwa").status_code == 200


def test_a_new_language_of_a_bank_is_offered(service: Running) -> None:
    whisper = Whisper.from_pretrained(service.folder / "model")
    prompt_of(whisper, "cni", 6).save_pretrained(service.folder / "andes" / "cni")
    wait_for(lambda: "cni" in offered(service))
    assert service.post(service.audio[0], model="andes", language="cni").status_code == 200


def test_sigterm_finishes_what_is_in_hand(home: Path) -> None:
    flags = ("--batch_size", "1", "--prompt", f"own={home / 'prompts' / 'kichwa'}")
    with running(home, *flags) as service, ThreadPoolExecutor(6) as clients:
        assert "own" in offered(service)
        assert f"http://127.0.0.1:{service.port}/v1 (Ctrl-C ends it)" in service.log.read_text()
        (worker,) = service.workers()
        worker.suspend()  # so that nothing is finished before the signal, however slow the machine
        asked = [clients.submit(service.post, service.audio[0], model="own") for _ in range(6)]
        wait_for(lambda: service.metric("spt_whisper_transcriptions_in_hand") == 6, START_SECONDS)
        service.terminate()
        wait_for(lambda: not answers(service.port), START_SECONDS)
        assert not any(own.done() for own in asked)
        worker.resume()
        assert service.process.wait(timeout=300) == 0
        assert [own.result().status_code for own in asked] == [200] * 6
        assert "Traceback" not in service.log.read_text()


def test_sigterm_ends_a_service_that_loads(home: Path) -> None:
    with starting(home) as service:
        wait_for(service.workers, START_SECONDS)
        service.terminate()
        assert service.process.wait(START_SECONDS) == 0
        assert service.log.read_text() == ""


def test_sigterm_counts_from_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_: object) -> None:
        raise AssertionError("the service does not listen yet")

    monkeypatch.setattr(server, "_check_free", lambda *_: signal.raise_signal(signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, unexpected)
    try:
        assert server.serve(ServeConfig())
        assert signal.getsignal(signal.SIGTERM) is unexpected
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_worker_that_is_killed_while_it_loads_is_one_line(home: Path) -> None:
    with starting(home) as service:
        wait_for(service.workers, START_SECONDS)
        for worker in service.workers():
            worker.kill()
        assert service.process.wait(START_SECONDS) == 2
        assert "workers: one died while it loaded" in one_line(service.log.read_text())


@pytest.mark.slow
def test_a_worker_that_dies_is_started_anew_whatever_became_of_a_prompt(
    home: Path, tmp_path: Path
) -> None:
    prompt = shutil.copytree(home / "prompts" / "kichwa", tmp_path / "prompt")
    # a window's batch waits to fill up, so that the worker has it for some seconds
    flags = ("--prompt", f"own={prompt}", "--batch_wait_seconds", "5")
    with running(home, *flags) as service, ThreadPoolExecutor(1) as clients:
        (worker,) = service.workers()
        asked = clients.submit(service.post, service.audio[0])
        wait_for(lambda: service.metric("spt_whisper_transcriptions_in_hand") == 1)
        time.sleep(1)  # the window is handed over
        shutil.rmtree(prompt)
        worker.kill()
        assert asked.result().status_code == 503
        assert "a worker died while it worked on this request" in asked.result().text
        assert "a worker died; tasks lost with it: 1" in service.log.read_text()
        assert service.post(service.audio[0]).status_code == 200


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--prompt", "no/such/prompt"), "no/such/prompt"),
        (("--prompt", "{kichwa}", "x={kichwa}", "x={kichwa}"), "two are called 'x'"),
        (("--bank", "{home}/corpus"), "has neither part.json nor prompt.json"),
        (("--model", "./nothing"), "no such folder"),
        pytest.param(
            ("--device", "cuda"),
            "device: found 'cuda', which this machine does not have",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU"),
        ),
        (("--host", "example.org"), "host: found 'example.org'"),
        (("--port", "80"), "wanted 1024 to 65535"),
        (("--limits.requests", "0"), "limits.requests: found 0"),
        (("--prompts-folder", "{home}/nothing"), "nothing"),
        (("--prompts-folder", "{home}/nothing", "--model", "{home}/model"), "nothing"),
    ],
)
def test_a_wrong_call_is_one_line(
    flags: tuple[str, ...], message: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    filled = [flag.format(home=home, kichwa=home / "prompts" / "kichwa") for flag in flags]
    assert call("serve", *filled) == 2
    assert message in one_line(capfd.readouterr().err)


def test_a_port_that_is_taken_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert call("serve", "--port", str(port)) == 2
    assert f"port: {port} is not available" in one_line(capfd.readouterr().err)


def test_keys_are_read_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPT_WHISPER_API_KEYS", raising=False)
    assert read_keys(None).open_with(None)
    file = tmp_path / "keys"
    file.write_text(f"{KEY}\nanother-key-of-the-tests\n")
    keys = read_keys(str(file))
    assert keys.open_with(f"Bearer {KEY}")
    assert keys.open_with("bearer another-key-of-the-tests")
    for wrong in (None, "", KEY, f"Basic {KEY}", f"Bearer {KEY}x", "Bearer ", "Bearer ñ"):
        assert not keys.open_with(wrong)
    assert KEY not in repr(keys)
    monkeypatch.setenv("SPT_WHISPER_API_KEYS", KEY)
    assert read_keys(None).open_with(f"Bearer {KEY}")


@pytest.mark.parametrize("text", ["", "short"])
def test_a_file_without_good_keys_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(ValueError, match="key"):
        read_keys(str(file))


def test_prompts_are_called_as_told_or_as_their_folders(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kichwa, bank = str(home / "prompts" / "kichwa"), str(home / "andes")
    assert fixed_sources(ServeConfig(prompt=[kichwa, f"b={kichwa}"], bank=bank)) == [
        PromptSource("kichwa", kichwa), PromptSource("b", kichwa), BankSource("andes", bank),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="two are called"):
        fixed_sources(ServeConfig(prompt=[f"{BARE_NAME}={kichwa}"]))
    monkeypatch.chdir(tmp_path)
    Path("runs/rate=0.1/prompt").mkdir(parents=True)
    assert fixed_sources(ServeConfig(prompt=["runs/rate=0.1/prompt", "c=runs/rate=0.1/prompt"])) == [
        PromptSource("prompt", "runs/rate=0.1/prompt"), PromptSource("c", "runs/rate=0.1/prompt"),
    ]  # fmt: skip
