"""What the demo's server gives out, and to whom."""

from __future__ import annotations

import json
import secrets
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.cli.test_commands import call, one_line
from tests.demo.conftest import Served


def status(address: str, **headers: str) -> int:
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
def test_only_what_was_uploaded_is_served(served: Served) -> None:
    files = f"{served.address}gradio_api/file="
    here = Path(__file__)
    for path in ("/etc/passwd", str(here), str(served.folder / "speech.wav"), "bad.wav"):
        assert status(files + quote(path)) in (403, 404), path
    for address in ("http://127.0.0.1:1/x", "https://example.org/x", "HTTPS://example.org/x"):
        assert status(files + address) == 403, address
        assert status(files + quote(address, safe="")) == 403, address
        older = f"{served.address}gradio_api/file/"
        assert status(older + address) == 403, address
        assert status(older + quote(address, safe="")) == 403, address


def asked(served: Served, data: list[object]) -> str:
    """What the server answers to a client that asks for transcripts by itself, without the page."""
    event = {"data": data, "fn_index": 0, "session_hash": secrets.token_hex(4)}
    join = urllib.request.Request(
        f"{served.address}gradio_api/queue/join",
        json.dumps(event).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(join, timeout=60).close()
    answers = f"{served.address}gradio_api/queue/data?session_hash={event['session_hash']}"
    with urllib.request.urlopen(answers, timeout=30) as answer:
        return answer.read().decode()


@pytest.mark.slow
def test_a_file_or_an_address_that_was_not_uploaded_is_not_read(served: Served) -> None:
    before = set((served.folder / "tmp").rglob("*"))
    inside = served.folder / "speech.wav"  # in the server's current folder
    (served.folder / "tmp" / "other.wav").write_bytes(inside.read_bytes())
    for path in (
        inside,
        served.folder / "tmp" / "other.wav",
        "speech.wav",
        "https://example.org/a.wav",
    ):
        file = {"path": str(path), "url": str(path), "meta": {"_type": "gradio.FileData"}}
        for data in ([file, 0], [None, file]):
            answer = asked(served, data)
            assert "Only what was uploaded to this page is read." in answer
            assert '"success":false' in answer
    (served.folder / "tmp" / "other.wav").unlink()
    assert set((served.folder / "tmp").rglob("*")) == before  # nor copied to where it could be had
    assert "No audio yet" in asked(served, [None, 0])


@pytest.mark.slow
def test_another_sites_name_for_this_machine_gets_nothing(served: Served) -> None:
    assert status(served.address) == 200
    assert status(served.address, Host="evil.example") == 400
    assert status(served.address, Origin="https://evil.example") == 403
    assert status(served.address, Origin="null") == 403
    assert status(served.address, Origin=served.address.rstrip("/")) == 200


@pytest.mark.parametrize(
    ("host", "name", "expected"),
    [
        ("::1", "[::1]:7860", 200),
        ("::1", "localhost:7860", 200),
        ("::1", "evil.example:7860", 400),
        ("127.0.0.2", "127.0.0.2", 200),
        ("127.0.0.2", "evil.example", 400),
        ("0.0.0.0", "any.example", 200),
    ],
)
def test_every_loopback_address_answers_to_its_own_names_only(
    host: str, name: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gradio", reason="the demo needs pip install '.[demo]' in the clone")
    from starlette.responses import PlainTextResponse
    from starlette.testclient import TestClient

    from spt_whisper.demo import server

    def mounted(app: Any, *_: object, **settings: object) -> Any:
        app.mount("/", PlainTextResponse("the page"))
        return app

    monkeypatch.setattr(server, "build_page", lambda *_: None)
    monkeypatch.setattr(server.gradio, "mount_gradio_app", mounted)
    comparer: Any = None
    client = TestClient(server.page_app(comparer, [], host, 1))
    assert client.get("/", headers={"Host": name}).status_code == expected


@pytest.mark.slow
def test_the_browser_is_told_to_ask_nobody_else(served: Served) -> None:
    with urllib.request.urlopen(served.address, timeout=60) as answer:
        policy = answer.headers["Content-Security-Policy"]
        page = answer.read().decode()
    assert policy.startswith("default-src 'self' data: blob:;")
    assert "http" not in policy
    assert '"analytics_enabled":false' in page.replace(" ", "")


def test_a_port_that_is_taken_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gradio", reason="the demo needs pip install '.[demo]' in the clone")
    with socket.create_server(("127.0.0.1", 0)) as other:  # the model is not even loaded
        port = other.getsockname()[1]
        assert call("demo", "--port", str(port)) == 2
    said = one_line(capsys.readouterr().err)
    assert f"host 127.0.0.1, port {port}: " in said
    assert said.endswith("name others by --host and --port")


def test_a_missing_gradio_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    for name in [name for name in sys.modules if name.startswith("spt_whisper.demo.")]:
        monkeypatch.delitem(sys.modules, name)
    assert call("demo") == 2
    assert one_line(capsys.readouterr().err) == (
        "spt-whisper demo: demo: gradio is not installed; pip install '.[demo]' in the clone"
    )
