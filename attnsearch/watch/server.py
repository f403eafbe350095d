"""Serves the page of a folder to browsers on this machine, and to nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attnsearch.base import AttnsearchError
from attnsearch.files import reason
from attnsearch.watch.pages import Pages

LOOPBACK = "127.0.0.1"

_NAMES = (LOOPBACK, "localhost")
"""What this machine may be called in a request. A page of the network that has this address for its own name,
to read from here, asks under that name."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class WatchServer(ThreadingHTTPServer):
    """Answers `/` with the page of `pages`, and `/state` with the name of its latest state.

    port:    0 for any free one
    warned:  is told of unexpected errors, a line each

    Errors: AttnsearchError for a port that cannot be had.
    """

    daemon_threads = True

    def __init__(self, pages: Pages, port: int, warned: Callable[[str], None]):
        self.pages, self.warned = pages, warned
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise AttnsearchError(
                f"cannot serve a page at port {port}: {reason(error)}; choose another with --port, or 0 for"
                " any free one"
            ) from error

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: browsers go away in the middle. The handler tells of other errors."""


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "attnsearch", ""
    timeout = 30
    """Seconds that a browser may take for a request."""

    def do_GET(self) -> None:
        if self._name not in _NAMES:
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"ask for localhost\n")
            return
        try:
            match self.path.partition("?")[0]:
                case "/":
                    self._answer(HTTPStatus.OK, "text/html", self._server.pages.page())
                case "/state":
                    state = json.dumps(self._server.pages.state()._asdict()).encode()
                    self._answer(HTTPStatus.OK, "application/json", state)
                case _:
                    self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there is / and /state\n")
        except ConnectionError:
            raise
        except Exception as error:
            self._server.warned(f"cannot make the page: {reason(error)}")
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", f"{reason(error)}\n".encode())

    def _refuse(self) -> None:
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"only GET\n")

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse

    @property
    def _server(self) -> WatchServer:
        assert isinstance(self.server, WatchServer)
        return self.server

    @property
    def _name(self) -> str:
        """What the request calls this machine, without the port: that may be another one's, forwarded."""
        return (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host") or ""

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is for the address."""
