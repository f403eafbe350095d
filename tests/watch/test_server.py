"""Who may ask the server for what, and what it answers."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import pytest
from helpers.page import Page
from helpers.watching import PAUSE, served

from attnsearch.base import AttnsearchError
from attnsearch.runs.store import Store, StoredRun
from attnsearch.watch.pages import Pages
from attnsearch.watch.server import WatchServer


@pytest.fixture
def port(store: Store, runs: list[StoredRun]) -> Iterator[int]:
    """Of a server of one stored run."""
    store.save(runs[0])
    with served(Pages(store.root, PAUSE)) as address:
        assert address.startswith("http://127.0.0.1:")
        yield int(address.strip("/").rpartition(":")[2])


def answer(port: int, path: str, method: str = "GET", host: str | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"localhost:{port}")
    connection.endheaders()
    return connection.getresponse()


def test_the_page_and_its_latest_state(port: int) -> None:
    got = answer(port, "/")
    assert got.status == 200
    assert got.headers["Content-Type"] == "text/html; charset=utf-8"
    assert got.headers["Cache-Control"] == "no-store"
    assert got.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert "Access-Control-Allow-Origin" not in got.headers
    page = Page(got.read().decode())
    (policy,) = [words["content"] or "" for tag, words in page.tags if words.get("http-equiv")]
    assert "default-src 'none'; connect-src 'self'; script-src 'sha256-" in policy
    state = json.loads(answer(port, "/state").read())
    assert state["revision"] == page.data["revision"]


@pytest.mark.parametrize(
    "path", ["/runs", "/../../etc/passwd", "//etc/passwd", "/state/", "/%2e%2e/", "http://a/"]
)
def test_there_is_nothing_else(port: int, path: str) -> None:
    got = answer(port, path)
    assert (got.status, got.read()) == (404, b"there is / and /state\n")


@pytest.mark.parametrize(
    "host", ["example.org", "example.org:80", "127.0.0.1.example.org", "", "0.0.0.0", "[::1]"]
)
def test_who_calls_this_machine_by_another_name_gets_nothing(port: int, host: str) -> None:
    for path in ("/", "/state"):
        got = answer(port, path, host=host)
        assert (got.status, got.read()) == (403, b"ask for localhost\n")


def test_a_port_that_is_forwarded_may_be_another_one(port: int) -> None:
    for host in ("localhost:9", "127.0.0.1:9", "localhost"):
        assert answer(port, "/state", host=host).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_nothing_can_be_changed(port: int, method: str) -> None:
    got = answer(port, "/", method)
    assert (got.status, got.headers["Allow"]) == (405, "GET")


def test_no_other_machine_is_listened_to(store: Store) -> None:
    with WatchServer(Pages(store.root), 0, pytest.fail) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"
        # A browser that goes away in the middle is not worth a word.
        socket.create_connection(server.socket.getsockname()).close()


def test_a_port_that_is_taken_is_an_error_of_the_users(store: Store) -> None:
    pages = Pages(store.root)
    with WatchServer(pages, 0, pytest.fail) as server:
        taken = server.server_address[1]
        with pytest.raises(AttnsearchError, match=f"at port {taken}: .*; choose another with --port"):
            WatchServer(pages, taken, pytest.fail)


def test_what_goes_wrong_is_told_and_does_not_end_the_server(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, said = Pages(store.root, PAUSE), list[str]()

    def fail(self: Pages) -> bytes:
        raise ValueError("no page today")

    with served(pages, said) as address:
        port = int(address.strip("/").rpartition(":")[2])
        with monkeypatch.context() as patched:
            patched.setattr(Pages, "page", fail)
            got = answer(port, "/")
            assert (got.status, got.read()) == (500, b"no page today\n")
        assert answer(port, "/").status == 200
    assert said == ["cannot make the page: no page today"]
