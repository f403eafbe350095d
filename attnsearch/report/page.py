"""Pages: each is one HTML file that opens from a disk and asks nothing of any network.

The folder `assets` holds the templates, styles and scripts that pages are put together from.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from attnsearch.base import plain

FOLDER = Path(__file__).parent / "assets"

SHARED_STYLES = ("palette.css", "page.css", "table.css")
SHARED_SCRIPTS = ("dom.js", "table.js")
"""What every page is made of: colours, type and tables."""

# What could end a script element, or begin a comment in it. All beyond ASCII is escaped by json itself.
_IN_SCRIPT = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"}


def render(
    template: str,
    *,
    styles: Sequence[str],
    scripts: Sequence[str],
    data: Mapping[str, Any],
    context: Mapping[str, Any],
    asks_server: bool = False,
) -> str:
    """The page that `template` makes of `context`.

    styles, scripts:  names of files in `assets`, after the shared ones
    data:             JSON values for the scripts, numbers finite
    asks_server:      whether the scripts ask the server that the page came from; a page from a disk has none

    The same arguments give the same text. Whatever a value holds appears as text.
    """
    style = "\n".join(_asset(name) for name in (*SHARED_STYLES, *styles))
    # One scope for all files, closed to the page: they know each other's functions.
    body = "\n".join(_asset(name) for name in (*SHARED_SCRIPTS, *scripts))
    script = f'(() => {{\n"use strict";\n{body}\n}})();'
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(
        **context,
        style=Markup(style),
        script=Markup(script),
        data=Markup(json_for_script(data)),
        asks_server=asks_server,
        policy=policy([script], [style], "connect-src 'self';" if asks_server else ""),
    )
    return page.rstrip() + "\n"


def _shown(value: Any) -> Any:
    """What a template prints of a value: text without signs that turn or hide it."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def policy(scripts: Sequence[str], styles: Sequence[str], more: str = "") -> str:
    """The Content-Security-Policy of a page that holds just these: nothing else runs, and nothing is fetched
    unless `more`, directives each with its semicolon, lets it."""

    def hashes(texts: Sequence[str]) -> str:
        digests = (hashlib.sha256(text.encode()).digest() for text in texts)
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

    return (
        f"default-src 'none'; {more and more + ' '}script-src {hashes(scripts)}; style-src {hashes(styles)};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def json_for_script(value: Any) -> str:
    """`value` as JSON that cannot end the script element it stands in. Errors: ValueError for nan."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).translate(_IN_SCRIPT)


def _asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8").strip()
