"""A check for the machines that show it: JUnit, annotations of GitHub, trends."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from helpers.checks import awkward, checked, recorded, slow

from attnsearch.gate import ci


def test_junit_has_a_case_for_every_finding() -> None:
    root = ElementTree.fromstring(ci.junit(checked(slow("mlp_mixer", 2.2))[0]))
    suite = root.find("testsuite")
    assert suite is not None
    failed = [case.get("name", "") for case in suite if case.find("failure") is not None]
    assert "all cells of mlp_mixer" in failed
    assert all("mlp_mixer" in name for name in failed)
    assert (suite.get("tests"), suite.get("failures")) == ("6", str(len(failed)))
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "ratio 2." in failure.get("message", "")


def test_junit_calls_what_is_inconclusive_an_error() -> None:
    report, _ = checked(slow("attention", 1.3), baseline=recorded(range(8)))
    root = ElementTree.fromstring(ci.junit(report))
    kinds = [error.get("type") for error in root.findall("testsuite/testcase/error")]
    assert kinds
    assert set(kinds) == {"inconclusive"}
    assert root.get("errors") == str(len(kinds))
    assert root.get("failures") == "0"


def test_junit_escapes() -> None:
    root = ElementTree.fromstring(ci.junit(awkward()))
    case = root.find("testsuite/testcase")
    assert case is not None
    assert case.get("name", "").startswith('linear_map, state size 4, support size 1, a,b:C|D<E>&"%\\x1b[31m')


def test_commands_of_github_are_escaped() -> None:
    lines = list(ci.commands(awkward()))
    assert lines
    for line in lines:
        assert "\n" not in line
        level, _, message = line.removeprefix("::").partition("::")
        assert level.startswith(("error title=", "warning title="))
        assert message
    assert any("title=regression%3A linear_map%2C state size 4%2C support size " in line for line in lines)
    assert any('a%2Cb%3AC|D<E>&"%25' in line for line in lines)


def test_trends_are_smaller_is_better() -> None:
    report, _ = checked(slow("mlp_mixer", 2.2))
    found = json.loads(ci.trend(report))
    assert len(found) == 4
    assert all({"name", "unit", "value", "range", "extra"} == set(one) for one in found)
    (one,) = (one for one in found if one["name"].startswith("linear_map, state size 4, support size 2, mlp"))
    assert one["unit"] == "steps"
    assert one["value"] == pytest.approx(report.pairs[3].candidate.plateau.length.mean())
    assert one["extra"] == "4 runs, 4 escaped, 4 mastered"
