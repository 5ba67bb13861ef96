"""What clients may do to a service: wrong, huge, slow, cut and too many requests, after which it serves as before."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
import requests
import soundfile

from tests.serving.running import Running, headers, wait_for

BOUNDARY = "cut-here"


def encoded(samples: np.ndarray, rate: int, kind: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind)
    return file.getvalue()


def bomb() -> tuple[str, bytes]:
    """Two hours of silence in some kilobytes."""
    data = encoded(np.zeros(7200 * 16_000, np.int16), 16_000, "FLAC")
    assert len(data) < 2_000_000
    return "bomb.flac", data


def slow_rate() -> tuple[str, bytes]:
    """A second of samples whose header says that they last for hours."""
    return "rate.wav", encoded(np.zeros(60_000, np.int16), 1, "WAV")


BAD: dict[str, tuple[Callable[[], tuple[str, bytes]], dict[str, Any], int, str]] = {
    "empty": (lambda: ("a.wav", b""), {}, 400, "is empty"),
    "text": (lambda: ("a.wav", b"not audio at all\n" * 50), {}, 400, "a.wav: cannot be read"),
    "name": (lambda: ("../../ñ\u202e\n.wav", b"RIFF"), {}, 400, "cannot be read"),
    "huge": (lambda: ("a.wav", bytes(100_000_000)), {}, 413, "more than 20 MB"),
    "bomb": (bomb, {}, 400, "longer than 60 s"),
    "rate": (slow_rate, {}, 400, "has 1 Hz"),
    "path": (lambda: ("a.wav", b"x"), {"model": "../../etc/passwd"}, 404, "found '../../etc/passwd'"),
    "unicode": (lambda: ("a.wav", b"x"), {"model": "ñandú\x00\U0001f600"}, 404, "model: found"),
    "long name": (lambda: ("a.wav", b"x"), {"model": "m" * 5000}, 400, "model: "),
    "no model": (lambda: ("a.wav", b"x"), {"model": ""}, 400, "model: "),
    "language": (lambda: ("a.wav", b"x"), {"language": "tlh"}, 400, "wanted auto or one of"),
    "number": (lambda: ("a.wav", b"x"), {"temperature": "warm"}, 400, "temperature: "),
    "nan": (lambda: ("a.wav", b"x"), {"temperature": "nan"}, 400, "temperature: "),
    "format": (lambda: ("a.wav", b"x"), {"response_format": "exe"}, 400, "response_format: "),
    "granularity": (
        lambda: ("a.wav", b"x"), {"timestamp_granularities[]": "day"}, 400, "timestamp_granularities[]: ",
    ),
}  # fmt: skip


def openais(answer: requests.Response) -> str:
    """The message of an error, which has the shape that OpenAI's clients know, and says nothing of our insides."""
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "Traceback" not in answer.text
    assert "/tmp" not in answer.text  # where uploads are kept
    assert "\n" not in error["message"]
    return str(error["message"])


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_one_line_in_openais_shape(name: str, service: Running) -> None:
    make, fields, status, message = BAD[name]
    answer = service.post(make(), **fields)
    assert answer.status_code == status, answer.text
    assert message in openais(answer)
    assert service.post(service.audio[0]).status_code == 200


def test_bodies_of_other_kinds(service: Running) -> None:
    url = service.transcriptions
    for answer in (
        requests.post(url, headers=headers(), json={"model": "whisper-1"}, timeout=300),
        requests.post(
            url, headers=headers(), data={"model": "whisper-1", "file": "x"}, timeout=300
        ),
        requests.post(
            url,
            headers={**headers(), "Content-Type": "multipart/form-data"},
            data=b"x",
            timeout=300,
        ),
        requests.post(url, headers=headers(), files=[("file", ("a", b"x"))] * 1500, timeout=300),
        requests.get(url, headers=headers(), timeout=300),
        requests.get(f"{service.url}/v1/files", headers=headers(), timeout=300),
    ):
        assert 400 <= answer.status_code < 500
        openais(answer)


def test_a_body_without_a_length_is_measured_while_it_comes(service: Running) -> None:
    pieces = (bytes(1_000_000) for _ in range(100))
    content = {**headers(), "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    try:
        answer = requests.post(service.transcriptions, headers=content, data=pieces, timeout=300)
        assert answer.status_code in (400, 413)  # it is no form, and too large
    except requests.ConnectionError:
        pass  # refused while it was being sent
    assert service.post(service.audio[0]).status_code == 200


def begun(service: Running) -> socket.socket:
    """A connection on which an upload has begun."""
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=30)
    connection.sendall(
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
        + f"Authorization: {headers()['Authorization']}\r\n".encode()
        + f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n--{BOUNDARY}\r\n".encode()
    )
    return connection


def test_a_slow_upload_is_ended(service: Running) -> None:
    with begun(service) as connection:
        assert b" 408 " in connection.recv(4096)


def test_more_than_may_wait_are_told_when_to_come_again(service: Running) -> None:
    with ExitStack() as slow:
        for _ in range(8):
            slow.enter_context(begun(service))
        wait_for(lambda: service.metric("spt_whisper_transcriptions_in_hand") == 8)
        answer = service.post(service.audio[0])
        assert answer.status_code == 429
        assert answer.headers["Retry-After"] == "2"
        openais(answer)
        assert service.get("/healthz").status_code == 200
        patient = service.client(max_retries=4)  # OpenAI's client comes again by itself
        with service.audio[0].open("rb") as file:
            assert patient.audio.transcriptions.create(model="whisper-1", file=file)


def test_cut_connections_leave_nothing_behind(service: Running) -> None:
    body = requests.Request(
        "POST", service.transcriptions, headers=headers(), data={"model": "kichwa"},
        files={"file": ("a.wav", service.audio[0].read_bytes())},
    ).prepare()  # fmt: skip
    assert isinstance(body.body, bytes)
    head = "".join(f"{name}: {value}\r\n" for name, value in body.headers.items())
    for sent in (len(body.body) // 2, len(body.body)):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", service.port)) as connection:
                connection.sendall(
                    f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode()
                )
                connection.sendall(body.body[:sent])
    wait_for(lambda: service.metric("spt_whisper_transcriptions_in_hand") == 0)
    assert service.post(service.audio[0]).status_code == 200


def test_a_thousand_bad_requests_leave_the_memory_as_it_was(service: Running) -> None:
    makes = [make for name, (make, *_) in BAD.items() if name not in ("huge", "bomb")]
    files = [make() for make in makes]
    fields = [fields for name, (_, fields, *_) in BAD.items() if name not in ("huge", "bomb")]

    def send(number: int) -> int:
        kind = number % len(files)
        return service.post(files[kind], **fields[kind]).status_code

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(send, range(100)))
        before = service.memory()
        statuses = set(clients.map(send, range(1000)))
    assert statuses <= {400, 404}
    assert service.memory() - before < 30  # mebibytes, of all processes
    assert service.post(service.audio[0]).status_code == 200
