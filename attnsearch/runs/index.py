"""An index beside the folders of a store: what is known of each run, so that its files need not be read.

The folders are the truth, and the index follows them. It may lag, lack runs, or be deleted: whoever misses
something in it reads the folder and puts it in. So nothing is waited for, and nothing forced to the disk.
Each row has a check sum. A damaged row is not seen, and a damaged file is replaced. Numpy side; never imports
jax. Layout::

    index.sqlite    beside runs/; made where a store has `WORTHWHILE` runs

It is kept by a rollback journal. A write-ahead log would need shared memory, which network file systems lack.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote

FILE = "index.sqlite"

WORTHWHILE = 1_000
"""Fewer runs are read in a few seconds, and their store has no index."""

_PATIENCE = 0.005
"""Seconds to wait for another process. A row that could not be written is a lag like any other."""

_BATCH = 200
"""Rows that are written together."""

_PASSING = {
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY),
    *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM),
}
"""Errors that say nothing against the file."""

_TABLES = """
CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE runs (
    digest BLOB NOT NULL UNIQUE,
    cell INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    stamp BLOB NOT NULL,
    content BLOB NOT NULL,
    check_sum INTEGER NOT NULL
);
"""


class Row(NamedTuple):
    """What is known of a run.

    digest:             32 bytes
    cell, environment:  JSON texts that many runs share
    stamp:              tells the state of its files from any other
    content:            all else
    """

    digest: bytes
    cell: str
    environment: str
    stamp: bytes
    content: bytes

    @property
    def check_sum(self) -> int:
        """Of everything in the row."""
        told = zlib.crc32(self.environment.encode(), zlib.crc32(self.cell.encode()))
        return zlib.crc32(self.content, zlib.crc32(self.digest + self.stamp, told))


class Index:
    """The index of the store at `root`, made where there is none; for one process, and not for its forks.

    version:  a positive number below 2**31 that tells what rows hold; rows of another are dropped

    Rows are there for others after `save`. Where the file cannot be opened, read or written, there are none.
    """

    def __init__(self, root: Path, version: int):
        self._root, self._version = root, version
        self._texts: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self._waiting: list[Row] = []
        self._connection: sqlite3.Connection | None = None
        with self._mending():
            self._open()

    @classmethod
    def beside(cls, root: Path, version: int, *, worthwhile: int | None = WORTHWHILE) -> Self | None:
        """The index of the store at `root`; None where there is none.

        version:     as for `Index`
        worthwhile:  of so many runs one is made; None never makes one
        """
        if (root / FILE).exists() or (worthwhile is not None and _has(root, worthwhile)):
            return cls(root, version)
        return None

    def find(self, digest: bytes) -> Row | None:
        """What is known of a run; None where nothing is, or what is there is damaged."""
        with self._mending():
            if self._connection is not None:
                asked = (
                    "SELECT digest, cell, environment, stamp, content, check_sum FROM runs WHERE digest = ?"
                )
                for found, cell, environment, stamp, content, check_sum in self._connection.execute(
                    asked, (digest,)
                ):
                    row = Row(found, self._text(cell), self._text(environment), stamp, content)
                    return row if row.check_sum == check_sum else None
        return None

    def add(self, row: Row) -> None:
        """Take in what is known of a run, in the place of what was."""
        self._waiting.append(row)
        if len(self._waiting) >= _BATCH:
            self.save()

    def keep(self, digests: Collection[bytes]) -> None:
        """Forget all runs but these."""
        kept = set(digests)
        with self._mending():
            if self._connection is not None:
                known = self._connection.execute("SELECT digest FROM runs")
                gone = [(digest,) for (digest,) in known if digest not in kept]
                # The texts stay: other processes know them by their numbers.
                with _writing(self._connection):
                    self._connection.executemany("DELETE FROM runs WHERE digest = ?", gone)

    def save(self) -> None:
        """Write what was added, as far as no other process stands in the way."""
        rows, self._waiting[:] = list(self._waiting), []
        with self._mending():
            if self._connection is not None and rows:
                _write(self._connection, rows, self._ids)

    def close(self) -> None:
        """Save, and hold nothing from here on."""
        self.save()
        if self._connection is not None:
            self._closing()
            self._connection = None

    def _text(self, number: int) -> str:
        if number not in self._texts:
            assert self._connection is not None
            asked = "SELECT text FROM texts WHERE id = ?"
            self._texts[number] = next((text for (text,) in self._connection.execute(asked, (number,))), "")
        return self._texts[number]

    def _open(self) -> None:
        path = self._root / FILE
        writable = os.access(self._root, os.W_OK)
        # What cannot be written cannot be locked either, and others may write it: check sums tell.
        uri = f"file:{quote(os.fspath(path.absolute()))}" + ("" if writable else "?immutable=1")
        connection = sqlite3.connect(
            uri, timeout=_PATIENCE, isolation_level=None, check_same_thread=False, uri=True
        )
        self._connection = connection
        self._closing = weakref.finalize(self, _close, connection, self._waiting, self._ids)
        (known,) = connection.execute("PRAGMA user_version").fetchone()
        if known != self._version:
            if not writable:
                self._drop()
                return
            connection.execute("PRAGMA synchronous = OFF")
            with _writing(connection):
                for (table,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                ).fetchall():
                    connection.execute(f'DROP TABLE "{table}"')
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {self._version}")
        connection.execute("PRAGMA synchronous = OFF")

    def _drop(self) -> None:
        """Go without."""
        if self._connection is not None:
            self._closing.detach()
            self._connection.close()
            self._connection = None
        self._texts.clear()
        self._ids.clear()

    @contextmanager
    def _mending(self) -> Iterator[None]:
        """Go on where the index fails: without it, and with a new one where it is damaged."""
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING:
                return
            self._drop()
            # The journal first: it must never be taken for a later file's.
            for name in (f"{FILE}-journal", FILE):
                with suppress(OSError):
                    (self._root / name).unlink(missing_ok=True)
            with suppress(sqlite3.Error):
                self._open()


def _has(root: Path, runs: int) -> bool:
    """Whether a store has so many runs, and an index of them can be written."""
    try:
        with os.scandir(root / "runs") as entries:
            return sum(1 for _ in islice(entries, runs)) == runs and os.access(root, os.W_OK)
    except OSError:
        return False


@contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _write(connection: sqlite3.Connection, rows: list[Row], ids: dict[str, int]) -> None:
    with _writing(connection):
        for text in {text for row in rows for text in (row.cell, row.environment)} - ids.keys():
            connection.execute("INSERT OR IGNORE INTO texts (text) VALUES (?)", (text,))
            ((ids[text],),) = connection.execute("SELECT id FROM texts WHERE text = ?", (text,)).fetchall()
        connection.executemany(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
            [
                (row.digest, ids[row.cell], ids[row.environment], row.stamp, row.content, row.check_sum)
                for row in rows
            ],
        )


def _close(connection: sqlite3.Connection, waiting: list[Row], ids: dict[str, int]) -> None:
    with suppress(sqlite3.Error):
        if waiting:
            _write(connection, waiting, ids)
    connection.close()
