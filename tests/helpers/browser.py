"""Pages in Chromium: what a script finds in each, and what the browser has to complain of.

One start of the browser shows many pages, each from its file in a tab of its own width. The browser is told
what to do through a pipe (the Chrome DevTools Protocol), so that the pages stay as they were written.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

PATIENCE = 60.0
"""Seconds after which a page that does not answer has failed."""

# Before the page's own script: whatever goes wrong in it is kept, and what it hands out.
WATCH = """
const errors = [];
const violations = [];
const saved = [];
const copied = [];
addEventListener("error", (event) => errors.push(String(event.message)));
addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => violations.push(event.blockedURI));
console.error = (...words) => errors.push(words.join(" "));
window.alert = () => errors.push("a script of a name ran");
const blobs = new Map();
const addressOf = URL.createObjectURL.bind(URL);
URL.createObjectURL = (blob) => {
  const address = addressOf(blob);
  blobs.set(address, blob);
  return address;
};
HTMLAnchorElement.prototype.click = function () {
  saved.push({ name: this.download, blob: blobs.get(this.href) });
};
Object.defineProperty(navigator, "clipboard", {
  value: { writeText: async (text) => { copied.push(text); } },
});
"""

# After it: a few words for the probes, then the probe. `press` is a key of the browser's own keyboard.
PROBE = """
(async () => {
  const find = (id) => document.getElementById(id);
  const wait = (time) => new Promise((resolve) => setTimeout(resolve, time));
  // Until what takes a while is drawn.
  const settled = async () => {
    do await wait(50); while (document.querySelector("[aria-busy=true]"));
  };
  const text = (id) => find(id).textContent;
  const picture = (id) => find(id).toDataURL();
  const send = (id, value, kind) => {
    find(id).value = value;
    find(id).dispatchEvent(new Event(kind, { bubbles: true }));
  };
  const press = (key) => new Promise((resolve) => { window.pressed = resolve; pressKey(key); });
  const named = (label) => document.querySelector(`button[aria-label="${label}"]`);
  await settled();
  const found = await (async () => { %s })();
  return { ...found, errors, violations };
})()
"""

_CODES = {"Enter": 13, "Tab": 9, "End": 35, "Home": 36, " ": 32, "Escape": 27} | {
    f"Arrow{name}": 37 + place for place, name in enumerate(("Left", "Up", "Right", "Down"))
}
_TYPED = {"Enter": "\r"}


@dataclass(frozen=True)
class Case:
    """A page to look into.

    probe:      the body of an async function that returns an object
    width:      of the tab
    address:    what follows the file's name in the address, `#run=1`
    dark:       whether the reader likes dark pages
    complains:  whether the browser's console is meant to say something
    server:     the address of the server that has the page; the page is then not a file
    """

    page: str
    probe: str
    width: int = 1280
    address: str = ""
    dark: bool = False
    complains: bool = False
    server: str = ""


def findings(folder: Path, cases: Mapping[str, Case]) -> dict[str, dict[str, Any]]:
    """What each probe finds in its page, by the names of `cases`, which are names of files."""
    found = {}
    with _browser(folder) as pipe:
        for name, case in cases.items():
            file = folder / f"{name}.html"
            file.write_text(case.page, encoding="utf-8")
            said, home = len(pipe.complaints), case.server or file.as_uri()
            found[name] = _look(pipe, home + case.address, case)
            asked = [url for url in pipe.requests if not url.startswith((home, "data:", "blob:"))]
            if not case.complains:
                wrong = [*pipe.complaints[said:], *found[name]["errors"], *found[name]["violations"], *asked]
                assert wrong == [], f"{name}: {wrong}"
            pipe.requests.clear()
    return found


@dataclass
class _Pipe:
    """Both ends of the talk with the browser, its complaints, and the addresses that its pages asked for."""

    to: int
    back: int
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _number: int = 0
    _buffer: bytes = b""
    _answers: dict[int, dict[str, Any]] = field(default_factory=dict)

    def ask(self, method: str, session: str = "", **values: Any) -> dict[str, Any]:
        """The answer to a command of the protocol."""
        number = self.tell(method, session, **values)
        ends = time.monotonic() + PATIENCE
        while number not in self._answers:
            ready, _, _ = select.select([self.back], [], [], max(0.0, ends - time.monotonic()))
            assert ready, f"the browser does not answer {method}"
            self._listen()
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def tell(self, method: str, session: str = "", **values: Any) -> int:
        self._number += 1
        told = {"id": self._number, "method": method, "params": values}
        if session:
            told["sessionId"] = session
        os.write(self.to, json.dumps(told).encode() + b"\0")
        return self._number

    def _listen(self) -> None:
        read = os.read(self.back, 1 << 20)
        assert read, "the browser has ended"
        *whole, self._buffer = (self._buffer + read).split(b"\0")
        for text in whole:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._hear(message["method"], message["params"], message.get("sessionId", ""))

    def _hear(self, method: str, said: Mapping[str, Any], session: str) -> None:
        if method == "Runtime.bindingCalled":
            key = said["payload"]
            typed = key if len(key) == 1 else _TYPED.get(key)
            values = {"key": key, "windowsVirtualKeyCode": _CODES.get(key, ord(key[0].upper()))}
            pressed = {"type": "keyDown", "text": typed} if typed else {"type": "rawKeyDown"}
            # A key is pressed only once the page has dealt with it: the browser answers then.
            self.ask("Input.dispatchKeyEvent", session, **pressed, **values)
            self.ask("Input.dispatchKeyEvent", session, type="keyUp", **values)
            self.tell("Runtime.evaluate", session, expression="window.pressed()")
        elif method == "Log.entryAdded":
            self.complaints.append(said["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(said["exceptionDetails"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])


def _look(pipe: _Pipe, address: str, case: Case) -> dict[str, Any]:
    target = pipe.ask("Target.createTarget", url="about:blank")["targetId"]
    session = pipe.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for part in ("Page", "Runtime", "Log", "Network"):
        pipe.ask(f"{part}.enable", session)
    pipe.ask(
        "Emulation.setDeviceMetricsOverride",
        session,
        width=case.width,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if case.dark else "light"}
    pipe.ask("Emulation.setEmulatedMedia", session, features=[scheme])
    # Focus goes where a script or a key puts it, as in a window that is being used.
    pipe.ask("Emulation.setFocusEmulationEnabled", session, enabled=True)
    pipe.ask("Runtime.addBinding", session, name="pressKey")
    pipe.ask("Page.addScriptToEvaluateOnNewDocument", session, source=WATCH)
    pipe.ask("Page.navigate", session, url=address)
    done = "document.readyState === 'complete' && location.href !== 'about:blank'"
    while not pipe.ask("Runtime.evaluate", session, expression=done)["result"]["value"]:
        time.sleep(0.01)
    answer = pipe.ask(
        "Runtime.evaluate", session, expression=PROBE % case.probe, awaitPromise=True, returnByValue=True
    )
    assert "exceptionDetails" not in answer, answer["exceptionDetails"]
    pipe.ask("Target.closeTarget", targetId=target)
    return answer["result"]["value"]


# The browser listens on 3 and answers on 4. Copies from 10 on keep one end from the other's place.
_ON_3_AND_4 = """
import fcntl, os, sys
hears, says = (fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3])
os.dup2(hears, 3)
os.dup2(says, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


@contextmanager
def _browser(folder: Path) -> Iterator[_Pipe]:
    assert BROWSER is not None
    (hears, to), (back, says) = os.pipe(), os.pipe()
    command = [
        *(sys.executable, "-c", _ON_3_AND_4, str(hears), str(says), BROWSER),
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"),
        f"--user-data-dir={folder / 'profile'}",
    ]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, pass_fds=(hears, says), stdin=quiet, stdout=quiet, stderr=quiet
    ) as process:
        os.close(hears)
        os.close(says)
        pipe = _Pipe(to, back)
        try:
            yield pipe
            pipe.ask("Browser.close")
        finally:
            process.kill()
            os.close(to)
            os.close(back)
