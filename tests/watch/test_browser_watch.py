"""The page as a browser shows it while runs are stored: it follows them, and its reader loses nothing.

Without a browser these tests are skipped, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.browser import BROWSER, Case, findings
from helpers.in_training import checkpointed
from helpers.watching import PAUSE, served

from attnsearch.runs.store import Store, StoredRun
from attnsearch.watch.pages import Pages

pytestmark = pytest.mark.skipif(
    BROWSER is None,
    reason="no chromium, chromium-browser or google-chrome on the path: the page is not tried",
)


class Growing(Pages):
    """A folder that changes as soon as its page is asked for a second time, which a probe does."""

    def __init__(self, root: Path, grow: Callable[[], object]):
        super().__init__(root, PAUSE)
        self._grow, self._asked = grow, 0

    def page(self) -> bytes:
        self._asked += 1
        if self._asked == 2:
            self._grow()
        return super().page()


LATER = """
const grown = async () => {
  const revision = () => JSON.parse(find("data").textContent).revision;
  const first = revision();
  await fetch("./");
  for (let k = 0; k < 400 && revision() === first; k += 1) await wait(50);
  await settled();
  await wait(100);
};
"""

FOLLOWED = (
    LATER
    + """
const training = [...find("run").options].find((one) => one.textContent.includes("in training"));
send("run", training.value, "change");
await settled();
send("slider", 2, "input");
send("target", 1, "change");
send("group", "cell", "change");
find("survival-legend").querySelector("button").click();
document.querySelector("#choice details").open = true;
find("browser").scrollIntoView({ behavior: "instant" });
find("play").focus();
await settled();
const view = () => ({
  run: find("run").selectedOptions[0].textContent,
  step: find("slider").value,
  target: find("target").value,
  group: find("group").value,
  off: [...document.querySelectorAll("#survival-legend .off")].map((one) => one.textContent.split(":")[0]),
  open: document.querySelector("#choice details").open,
  top: Math.round(find("browser").getBoundingClientRect().top),
  focus: document.activeElement.id,
});
const numbers = () => ({
  runs: find("run").options.length,
  shown: text("chosen"),
  lanes: [...find("training").querySelectorAll("tbody tr")]
    .map((row) => row.textContent.replace(/\\s+/g, " ")),
  survival: text("survival-legend"),
  dots: document.querySelectorAll("#headline .dot").length,
  dashed: document.querySelectorAll("#headline .dot.unfinished").length,
  lighter: document.querySelectorAll("#overlay .many.unfinished").length,
});
const before = { view: view(), numbers: numbers() };
await grown();
const after = { view: view(), numbers: numbers() };
document.querySelector("#training tbody button").click();
await settled();
return { before, after, opened: find("run").selectedOptions[0].textContent, live: text("live") };
"""
)


def test_the_page_follows_the_folder_and_keeps_its_readers_view(
    tmp_path: Path, store: Store, runs: list[StoredRun]
) -> None:
    for run in runs[3:5]:
        store.save(run)
    checkpointed(store.root, runs[0], 200)

    def grow() -> None:
        store.save(runs[1])
        checkpointed(store.root, runs[0], 250)

    found = _seen(tmp_path, store, grow, FOLLOWED)
    before, after = found["before"], found["after"]
    assert before["view"]["run"] == "seed 0: in training at step 200, escaped at 100"
    assert before["view"]["off"] == ["linear_map; mlp_mixer"]
    assert (before["view"]["focus"], before["view"]["open"]) == ("play", True)
    at_250 = "seed 0: in training at step 250, escaped at 100"
    # A browser scrolls by whole pixels.
    assert abs(after["view"].pop("top") - before["view"].pop("top")) <= 1
    assert after["view"] == before["view"] | {"run": at_250}
    assert found["opened"] == at_250
    assert "attention; seed 0 200 1,000" in before["numbers"]["lanes"][0]
    assert "attention; seed 0 250 1,000" in after["numbers"]["lanes"][0]
    assert (before["numbers"]["shown"], after["numbers"]["shown"]) == (
        "1 of 3 runs are shown.",
        "2 of 4 runs are shown.",
    )
    # The run in training is drawn, and does not count.
    for numbers, dots, ended in (
        (before, 1, "no run has ended"),
        (after, 2, "1 of 1 escaped, median 100 steps"),
    ):
        drawn = numbers["numbers"]
        assert (drawn["dots"], drawn["dashed"], drawn["lighter"]) == (dots, 1, 1)
        assert drawn["survival"].endswith(f"attention: {ended}")
    assert found["live"].startswith("As of ")


HELD = (
    LATER
    + """
const first = text("training");
find("hold").click();
await fetch("./");
for (let k = 0; k < 400 && find("show-now").hidden; k += 1) await wait(50);
const held = { same: text("training").includes("0 runs stored"), live: text("live") };
find("show-now").click();
for (let k = 0; k < 400 && text("training").includes("0 runs stored"); k += 1) await wait(50);
await settled();
return { held, then: text("training") };
"""
)


def test_a_page_that_is_held_says_that_a_later_state_is_there(
    tmp_path: Path, store: Store, runs: list[StoredRun]
) -> None:
    checkpointed(store.root, runs[0], 200)
    found = _seen(tmp_path, store, lambda: store.save(runs[0]), HELD)
    assert found["held"] == {"same": True, "live": "Held. A later state is there."}
    assert "1 run stored; 0 in training." in found["then"]


def _seen(folder: Path, store: Store, grow: Callable[[], object], probe: str) -> dict[str, Any]:
    with served(Growing(store.root, grow)) as address:
        return findings(folder, {"watch": Case("", probe, server=address)})["watch"]
