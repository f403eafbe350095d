"""A check as a table, as Markdown and as JSON values."""

from __future__ import annotations

import json

from helpers.checks import awkward, checked, made, slow, specs

from attnsearch.gate.tables import document, markdown
from attnsearch.gate.verdict import Report


def test_the_document_is_json_and_says_everything() -> None:
    report, _ = checked(slow("mlp_mixer", 2.2))
    found = json.loads(json.dumps(document(report), allow_nan=False))
    assert (found["verdict"], found["exit_status"], found["suite"]) == ("regression", 1, "small")
    assert [cell["mixer"] for cell in found["cells"]] == ["attention"] * 2 + ["mlp_mixer"] * 2
    (slow_cell,) = (
        cell for cell in found["cells"] if (cell["mixer"], cell["support_size"]) == ("mlp_mixer", 2)
    )
    assert slow_cell["verdict"] == "regression"
    assert slow_cell["effect"]["low"] < 2.2 < slow_cell["effect"]["high"]
    assert slow_cell["candidate"]["runs"] == 4
    assert slow_cell["reference"]["runs"] == 32
    assert {mixer["mixer"]: mixer["verdict"] for mixer in found["mixers"]}["mlp_mixer"] == "regression"
    json.dumps(document(Report("small", "small.json", 1.25, 8)), allow_nan=False)


def test_markdown_keeps_its_columns() -> None:
    table = [line for line in markdown(awkward()).splitlines() if line.startswith("|")]
    assert len(table) == 2 + 6
    assert {line.replace("\\|", "").count("|") for line in table} == {9}
    assert "<E>" not in "".join(table).replace("\\<E\\>", "")


def test_medians_are_of_the_same_seeds_where_these_were_recorded() -> None:
    def medians(report: Report) -> list[str]:
        lines = markdown(report).splitlines()
        return [line.split("|")[5].replace("\\", "").strip() for line in lines if "| linear" in line]

    assert medians(checked(made)[0]) == ["180 -> 180"] * 4
    assert medians(checked(made, specs(range(100, 108)))[0]) == ["240 -> 240"] * 4
