"""The page's server: it gives out the page and what was uploaded to it, and lets the page ask nobody else."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

import gradio
import uvicorn
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spt_whisper.demo.choices import Choice
from spt_whisper.demo.comparison import Comparer
from spt_whisper.demo.page import build_page, page_style
from spt_whisper.errors import InputError

_LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
# Gradio would fetch other servers' files for the page, by the address that it writes and by an older one that nothing here writes
_PROXIED = re.compile(r"/gradio_api/file(=https?:|/)", re.IGNORECASE)
_GRACE_SECONDS = 2


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens; close it at the end.

    Raises:
        InputError: the port is taken, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"host {host}, port {port}: {error.strerror}; name others by --host and --port"
        ) from error


def page_app(
    comparer: Comparer, choices: Sequence[Choice], host: str, max_megabytes: int
) -> FastAPI:
    """Returns the web application.

    Args:
        comparer: what transcribes.
        choices: what the page offers.
        host: the address it will be served at; a loopback address answers to its own names only.
        max_megabytes: largest upload.
    """
    app = FastAPI(openapi_url=None)
    app.add_middleware(_Shielded)
    if _is_loopback(host):
        own = f"[{host}]" if ":" in host else host
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*_LOOPBACK, own])
    return gradio.mount_gradio_app(
        app,
        build_page(comparer, choices),
        "/",
        allowed_paths=[],
        css=page_style(),
        enable_monitoring=False,
        footer_links=[],
        max_file_size=1_000_000 * max_megabytes,
        mcp_server=False,
        pwa=False,
        run_history=False,
        show_error=False,
        ssr_mode=False,
        theme=_theme(),
    )


def _is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address, or that of a name, which may be the machine's own."""
    return ip_address(host if ":" in host else socket.gethostbyname(host)).is_loopback


def _theme() -> gradio.themes.Base:
    """Gradio's own look, but for fonts that come with the system and faint text that can be read."""
    theme = gradio.themes.Default(
        primary_hue="blue",
        font=("system-ui", "sans-serif"),
        font_mono=("ui-monospace", "monospace"),
    )
    return theme.set(
        body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_300"
    )


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Answers until Ctrl-C; says only what is wrong."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_SECONDS
    )
    uvicorn.Server(config).run(sockets=[listener])


class _Shielded:
    """Tells the browser to ask no other host; refuses other sites' pages, and requests to fetch from other hosts."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY
                headers["Referrer-Policy"] = "no-referrer"
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        refused = scope["type"] != "lifespan" and (
            _PROXIED.match(scope["path"]) or _from_elsewhere(Headers(scope=scope))
        )
        answer = PlainTextResponse("refused", status_code=403) if refused else self.app
        await answer(scope, receive, send_shielded)


def _from_elsewhere(headers: Headers) -> bool:
    """Whether a page of another site sends the request."""
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")
