"""What a page may hold: names as text, data that cannot end its element, one script and no requests."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from dataclasses import replace

import pytest
from helpers.hand_made import renamed
from helpers.made_runs import STANDINGS
from helpers.page import Page

from attnsearch.report.page import json_for_script
from attnsearch.report.report import report
from attnsearch.results.study import Study
from attnsearch.runs.store import StoredRun
from attnsearch.spec.command import commands

HOSTILE = '<script>alert("1")</script>&lt;'


# Names, whoever gave them.


def test_whatever_a_name_holds_appears_as_text(runs: list[StoredRun]) -> None:
    hostile = [
        renamed(
            replace(run, environment={HOSTILE: HOSTILE, "<b>": {"<u>": "\u2028</script>"}}), HOSTILE, HOSTILE
        )
        for run in runs[:3]
    ]
    text = report(Study(hostile, lambda cell: STANDINGS["not checked"]), title=HOSTILE)
    found = Page(text)
    assert [tag for tag, _ in found.tags].count("script") == 2
    assert not {"b", "u"} & {tag for tag, _ in found.tags}
    assert len(found.scripts) == 2
    assert "alert(" not in found.scripts[1]
    assert '<script>alert(\\"1\\")' not in text
    assert HOSTILE in found.data["cells"][0]["name"]
    for place in ("h1", "title"):
        assert f"<{place}>&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;&amp;lt;</{place}>" in text
    assert found.words.count(HOSTILE) > 10
    # In the command it is one word for a shell.
    (line,) = commands([run.spec for run in hostile])
    assert shlex.split(line)[3] == HOSTILE


def test_no_name_turns_the_page_or_hides_in_it(runs: list[StoredRun]) -> None:
    name = "a\u202eb\u200b\x1b[31m"
    hostile = [renamed(replace(run, environment={name: name}), name, name) for run in runs[:2]]
    text = report(Study(hostile, lambda cell: STANDINGS["not checked"]), title=name)
    assert not {"\u202e", "\u200b", "\x1b"} & set(text)
    assert "a\\u202eb\\u200b\\x1b[31m" in Page(text).words


def test_json_cannot_end_the_element_it_stands_in() -> None:
    value = {"</script><!--": ["]]>&amp;\u2028\u2029", "\ud800", "é"]}
    text = json_for_script(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value
    with pytest.raises(ValueError, match="JSON"):
        json_for_script({"loss": float("nan")})


def test_the_policy_of_the_page_admits_its_own_script_alone(runs: list[StoredRun]) -> None:
    text = report(Study(runs[:2]))
    found = Page(text)
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in found.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    digest = base64.b64encode(hashlib.sha256(found.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    (style,) = found.styles
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in policy
    # What a style attribute says, or a link leads to, the policy would refuse or the network have to bring.
    links = {attributes.get(name) for _, attributes in found.tags for name in ("href", "src")} - {None}
    assert all(link and link.startswith(("#", "data:")) for link in links)
    assert not any("style" in attributes for _, attributes in found.tags)
    assert set(re.findall(r"https?://[^\"'\s)]+", text)) == {"http://www.w3.org/2000/svg"}
