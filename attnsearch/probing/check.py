"""A check of a mixer or a task: one question, and what came of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from attnsearch.base import AttnsearchError
from attnsearch.files import reason
from attnsearch.runs.verification import Verdict

_Subject = TypeVar("_Subject")


class Answer(NamedTuple):
    """Whether what a check proves holds, and what was seen, in words."""

    holds: bool
    evidence: str


@dataclass(frozen=True)
class Check(Generic[_Subject]):
    """One question about a subject. Whatever `ask` raises means that it could not be asked."""

    name: str
    ask: Callable[[_Subject], Answer]

    @property
    def proves(self) -> str:
        """What is shown where the answer holds, in a sentence."""
        return " ".join((inspect.getdoc(self.ask) or "").partition("\n\n")[0].split())

    def verdict(self, subject: _Subject) -> tuple[Verdict, str]:
        """The verdict on `subject`, with its evidence."""
        try:
            holds, evidence = self.ask(subject)
        except AttnsearchError as error:
            return "failed", str(error)
        except Exception as error:
            return "not run", reason(error)
        return "passed" if holds else "failed", evidence
