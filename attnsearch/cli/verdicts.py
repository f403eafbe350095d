"""How verdicts of checks are told, for mixers and tasks alike."""

from __future__ import annotations

from collections.abc import Mapping

from attnsearch.runs.verification import Verdict

REFUSED = 1
"""Exit status where a check is not passed."""

COLOURS: Mapping[Verdict, str] = {"passed": "green", "failed": "red", "not run": "yellow"}
