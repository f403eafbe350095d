"""A check for the machines that show it: JUnit, GitHub's annotations and job summary, trends.

Numpy side; never imports jax.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from attnsearch import files
from attnsearch.gate.tables import markdown, waiting
from attnsearch.gate.verdict import Report, figures, rows, sentences

_LEVELS = {"regression": "error", "inconclusive": "warning"}

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """JUnit's XML: a test case for each cell, and each mixer that has several.

    A regression is a failure. An inconclusive finding is an error and not skipped: a test that could not tell
    has not passed. A check that failed is one test case with an error.
    """
    found = rows(report)
    suite = ElementTree.Element("testsuite", name=f"attnsearch {_printable(report.suite)}")
    for row in found:
        case = _case(suite, report, row.label)
        text = _printable(figures(row))
        if row.finding.verdict == "regression":
            ElementTree.SubElement(case, "failure", type="regression", message=text)
        elif row.finding.verdict == "inconclusive":
            ElementTree.SubElement(case, "error", type="inconclusive", message=text)
        else:
            ElementTree.SubElement(case, "system-out").text = text
    if report.verdict == "failed":
        case = _case(suite, report, "check")
        error = ElementTree.SubElement(case, "error", type="failed", message=_printable(sentences(report)[0]))
        error.text = _printable(report.failure.trace) if report.failure else ""
    counts = {
        "tests": len(suite),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": 0,
    }
    for name, count in counts.items():
        suite.set(name, str(count))
    root = ElementTree.Element("testsuites", {name: str(count) for name, count in counts.items()})
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, report: Report, name: str) -> ElementTree.Element:
    classname = f"attnsearch.{_printable(report.suite)}"
    return ElementTree.SubElement(suite, "testcase", classname=classname, name=_printable(name))


def _printable(text: str) -> str:
    """`text` without what XML cannot hold."""
    return _NOT_XML.sub("", text)


def commands(report: Report) -> Iterator[str]:
    """GitHub's workflow commands: an error for each regression, a warning for each inconclusive finding."""
    for row in rows(report):
        level = _LEVELS.get(row.finding.verdict)
        if level:
            yield _command(level, f"{row.finding.verdict}: {row.label}", figures(row))
    if report.verdict == "failed":
        yield _command("error", f"attnsearch check {report.suite}", sentences(report)[0])


def _command(level: str, title: str, message: str) -> str:
    escaped = _data(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={escaped}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def trend(report: Report) -> str:
    """A JSON list of measurements where smaller is better, in the shape that benchmark-tracking actions take:
    the restricted mean of each cell's plateau, in steps, with its 95 % interval."""
    measured = []
    for row in rows(report):
        if row.pair is not None:
            plateau, mastery = waiting(row.pair.candidate, row.pair.cell.budget.steps)
            measured.append(
                {
                    "name": f"{row.label}: plateau length",
                    "unit": "steps",
                    "value": round(plateau.restricted_mean, 2),
                    "range": f"{plateau.restricted_mean_low:.1f} to {plateau.restricted_mean_high:.1f}",
                    "extra": f"{plateau.runs} runs, {plateau.observed} escaped, {mastery.observed} mastered",
                }
            )
    return json.dumps(measured, indent=1) + "\n"


def on_github(environment: Mapping[str, str]) -> bool:
    """Whether a workflow of GitHub runs this, by its environment variables."""
    return environment.get("GITHUB_ACTIONS") == "true"


def append_summary(report: Report, environment: Mapping[str, str]) -> None:
    """Add the check to the summary that the environment names, if it does. Errors: AttnsearchError."""
    name = environment.get("GITHUB_STEP_SUMMARY")
    if name:
        with (
            files.explaining(f"cannot write the job summary {name}"),
            Path(name).open("a", encoding="utf-8") as file,
        ):
            file.write(markdown(report))
