"""A page in Chromium: what a script finds in it, and what the browser has to complain of.

Chromium loads a copy of the page with a script more, whose hash is added to the page's own policy; what that
script finds comes back as JSON.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from attnsearch.report.page import policy

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

LIGHT, DARK = 1, 0

# Before the page's own script: whatever goes wrong in it is kept.
WATCH = """
const errors = [];
const violations = [];
addEventListener("error", (event) => errors.push(String(event.message)));
addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => violations.push(event.blockedURI));
console.error = (...words) => errors.push(words.join(" "));
window.alert = () => errors.push("a script of a name ran");
"""

# After it: a few words for the probes, then the probe.
PROBE = """
(async () => {
  const find = (id) => document.getElementById(id);
  const settled = () => new Promise((resolve) => setTimeout(resolve, 250));
  const text = (id) => find(id).textContent;
  const picture = (id) => find(id).toDataURL();
  const send = (id, value, kind) => {
    find(id).value = value;
    find(id).dispatchEvent(new Event(kind, { bubbles: true }));
  };
  const press = (key) => {
    const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
    document.activeElement.dispatchEvent(event);
  };
  await settled();
  const found = await (async () => { %s })().catch((error) => { errors.push(String(error)); return {}; });
  const pre = document.createElement("pre");
  pre.id = "findings";
  pre.textContent = JSON.stringify({ ...found, errors, violations });
  top.document.body.append(pre);
})();
"""


def findings(
    folder: Path,
    page: str,
    probe: str,
    *,
    frame: int | None = None,
    scheme: int = LIGHT,
    complains: bool = False,
) -> dict[str, Any]:
    """What `probe`, the body of an async function that returns an object, finds in `page`.

    frame:      width of a frame to show it in: no window of the browser is as narrow as a phone
    complains:  whether the browser's console is meant to say something
    """
    scripts: list[str] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    watched = PROBE % probe
    own, wider = (
        policy(allowed, [style]).replace("'", "&#39;") for allowed in (scripts, [*scripts, WATCH, watched])
    )
    assert own in page
    page = page.replace(own, wider)
    page = page.replace("</title>", f"</title><script>{WATCH}</script>", 1)
    page = page.replace("</body>", f"<script>{watched}</script></body>")
    if frame is not None:
        page = f'<!doctype html><body><iframe width={frame} height=900 srcdoc="{html.escape(page)}"></iframe>'
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    assert BROWSER is not None
    done = subprocess.run(
        [
            *(BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
            *(f"--user-data-dir={folder / 'profile'}", "--window-size=1280,2000"),
            *(f"--blink-settings=preferredColorScheme={scheme}", "--virtual-time-budget=20000", "--dump-dom"),
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    match = re.search(r'<pre id="findings">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match is not None, done.stderr[-2000:]
    found = json.loads(html.unescape(match[1]))
    if not complains:
        assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
        assert (found["errors"], found["violations"]) == ([], [])
    return found
