"""A stand-in for the Hugging Face Hub on loopback: as much of its HTTP API as `huggingface_hub` needs for a model.

Repositories live in memory. A token in `TOKENS` may read private ones, `WRITER` may also write. Every request is kept, so
that a test can say what was never asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

WRITER, READER = "hf_writer", "hf_reader"
TOKENS = (WRITER, READER)
Files = dict[str, bytes]


@dataclass
class Repository:
    """A model: its commits, oldest first, and who may see it."""

    private: bool = False
    commits: dict[str, Files] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(
        self, files: Files, message: str = "made by a test", gone: Sequence[str] = ()
    ) -> str:
        """Adds a commit over the last one; returns its 40 hex digits."""
        sha = hashlib.sha1(f"{len(self.commits)} {sorted(files)}".encode()).hexdigest()
        kept = {path: content for path, content in self.files.items() if path not in gone}
        self.commits[sha] = {**kept, **files}
        self.messages.append(message)
        return sha

    @property
    def files(self) -> Files:
        """The files of the last commit."""
        return next(reversed(self.commits.values()), {})

    def resolve(self, revision: str) -> str | None:
        """The commit of `main` or of its own name; None where there is none."""
        if revision == "main":
            return next(reversed(self.commits), None)
        return revision if revision in self.commits else None


@dataclass
class Hub:
    """The stand-in: its address, what it holds, and what it was asked."""

    url: str
    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)  # "GET /owner/name/resolve/..."

    def add(self, name: str, files: Files, private: bool = False) -> str:
        """Puts files into a repository; returns the commit."""
        return self.repositories.setdefault(name, Repository(private)).commit(files)

    def fetched(self) -> list[str]:
        """The files that were downloaded, each once."""
        paths = [
            request.split("/", 5)[-1] for request in self.requests if request.startswith("GET") and "/resolve/" in request
        ]  # fmt: skip
        return sorted(set(paths))


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Yields a hub that answers until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    hub = Hub(f"http://127.0.0.1:{server.server_port}")
    server.hub = hub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def connect(monkeypatch: pytest.MonkeyPatch, url: str, cache: Path, offline: bool = False) -> None:
    """Gives the client the settings that HF_ENDPOINT, HF_HUB_CACHE and HF_HUB_OFFLINE would give it, and no token."""
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
    settings = {
        "ENDPOINT": url,
        "HUGGINGFACE_CO_URL_TEMPLATE": template,
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_OFFLINE": offline,
        "HF_TOKEN_PATH": str(cache / "no token"),
    }
    for name, value in settings.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.delenv("HF_TOKEN", raising=False)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> Hub:
        return self.server.hub  # type: ignore[attr-defined]

    @property
    def token(self) -> str:
        return (self.headers.get("authorization") or "").removeprefix("Bearer ")

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        steps = [unquote(step) for step in urlsplit(self.path).path.strip("/").split("/")]
        if steps[:2] == ["api", "models"]:
            self._model(steps[2:])
        elif steps[2:3] == ["resolve"]:
            self._file("/".join(steps[:2]), steps[3], "/".join(steps[4:]))
        else:
            self._json(404, {"error": "Not found"})

    def do_POST(self) -> None:
        self.hub.requests.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers["content-length"]))
        steps = [unquote(step) for step in urlsplit(self.path).path.strip("/").split("/")]
        if steps == ["api", "validate-yaml"]:
            self._json(200, {"errors": [], "warnings": []})
        elif self.token not in TOKENS:
            self._json(401, {"error": "Invalid username or password."})
        elif self.token != WRITER:
            self._json(403, {"error": "You don't have the rights."})
        elif steps == ["api", "repos", "create"]:
            self._create(json.loads(body))
        elif steps[4] == "preupload":
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self._json(200, {"files": files})
        else:
            self._commit("/".join(steps[2:4]), body)

    def _create(self, wanted: dict[str, str]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        there = name in self.hub.repositories
        if not there:
            self.hub.repositories[name] = Repository(wanted.get("visibility") == "private")
            self.hub.repositories[name].commit({".gitattributes": b""})
        self._json(409 if there else 200, {"url": f"{self.hub.url}/{name}"})

    def _commit(self, name: str, body: bytes) -> None:
        lines = [json.loads(line) for line in body.splitlines()]
        files = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"])
            for line in lines
            if line["key"] == "file"
        }
        gone = [line["value"]["path"] for line in lines if line["key"] == "deletedFile"]
        sha = self.hub.repositories[name].commit(files, lines[0]["value"]["summary"], gone)
        address = f"{self.hub.url}/{name}/commit/{sha}"
        self._json(200, {"success": True, "commitUrl": address, "commitOid": sha})

    def _model(self, steps: list[str]) -> None:
        name, revision = "/".join(steps[:2]), steps[3] if len(steps) > 3 else "main"
        sha = self._found(name, revision)
        if sha is None:
            return
        repository = self.hub.repositories[name]
        files = repository.commits[sha]
        oids = {path: hashlib.sha1(content).hexdigest() for path, content in files.items()}
        if steps[2:3] == ["tree"]:
            rows = [
                {"type": "file", "path": path, "size": len(content), "oid": oids[path]}
                for path, content in files.items()
            ]
            self._json(200, rows)
            return
        siblings = [
            {"rfilename": path, "size": len(content), "blobId": oids[path]}
            for path, content in files.items()
        ]
        about = {"id": name, "sha": sha, "private": repository.private, "siblings": siblings}
        self._json(200, about)

    def _file(self, name: str, revision: str, path: str) -> None:
        sha = self._found(name, revision)
        if sha is None:
            return
        content = self.hub.repositories[name].commits[sha].get(path)
        if content is None:
            self._json(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            return
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": sha}
        self._send(200, content, headers)

    def _found(self, name: str, revision: str) -> str | None:
        """The commit; where there is none to be seen, says so and returns None."""
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and self.token not in TOKENS):
            self._json(401, {"error": "Not found"}, {"X-Error-Code": "RepoNotFound"})
            return None
        sha = repository.resolve(revision)
        if sha is None:
            self._json(404, {"error": "Invalid rev"}, {"X-Error-Code": "RevisionNotFound"})
        return sha

    def _json(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(value).encode(), headers or {})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
