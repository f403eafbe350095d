"""A page as a browser would find it: elements, texts, tables, and the document that its scripts read."""

from __future__ import annotations

import base64
import json
import zlib
from html.parser import HTMLParser
from typing import Any

import numpy as np


class Page(HTMLParser):
    """What a browser would find: elements, texts, tables, and the document that the scripts read."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.tables: list[list[list[str]]] = []
        self._inside: list[str] = []
        self.feed(text)
        self.data: dict[str, Any] = json.loads(self.scripts[0])
        self.words = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._inside[-1:] == ["script"]:
            self.scripts.append(data)
        elif self._inside[-1:] == ["style"]:
            self.styles.append(data)
        else:
            self.texts.append(data)
            if {"td", "th"} & set(self._inside):
                self.tables[-1][-1][-1] += data if "small" not in self._inside else f" | {data}"

    def rows(self, column: str) -> list[dict[str, str]]:
        """Those of the table that has such a column, by its headings."""
        heading, *rows = next(table for table in self.tables if table and column in table[0])
        return [dict(zip(heading, row, strict=True)) for row in rows]


def unpacked(packed: dict[str, Any]) -> np.ndarray:
    """The numbers of an array in a page, none as nan."""
    codes = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), f"<u{packed['bytes']}")
    missing = packed["bytes"] == 2
    values = np.where(missing & (codes == 65535), np.nan, codes / packed["scale"])
    return values.reshape(packed["shape"])
