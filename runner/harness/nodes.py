"""pytest's tree: a recipe file, its targets, and the checks on each of them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.errors import DocumentError, RunnerError
from runner.harness.finding import Finding, finding
from runner.harness.select import Facts
from runner.harness.status import Status
from runner.header import CheckHeader, Header, TargetHeader
from runner.pytest_plugin import SCHEMA, RecipeWarning, session_of

RAN = "runs"
"""The check of a recipe that expects nothing: it runs."""
MARKER = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]*")
PYTESTS_OWN = ("filterwarnings", "parametrize", "skip", "skipif", "usefixtures", "xfail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A recipe on one of its targets; `recipe`: its path as users write it."""

    recipe: str
    header: Header
    target: TargetHeader

    @property
    def id(self) -> str:
        """What tells it from other runs."""
        return f"{self.recipe}::{self.target.name}"


class RecipeFile(pytest.File):
    """A recipe."""

    def collect(self) -> Iterator[TargetNode]:
        """Its targets; none of an abstract one."""
        session = session_of(self.config)
        try:
            header = session.header(self.path)
        except RunnerError as error:
            is_placed = isinstance(error, DocumentError)
            text = str(error) if is_placed else f"{self.nodeid}: {error}"
            raise self.CollectError(text) from error
        recipe = session.named(header.path)
        for target in () if header.abstract else header.targets:
            run = Run(recipe=recipe, header=header, target=target)
            yield TargetNode.from_parent(self, name=target.name, run=run)


class TargetNode(pytest.Collector):
    """A recipe on one of its targets."""

    def __init__(self, *, run: Run, **words: Any) -> None:
        super().__init__(**words)
        self.run = run

    def collect(self) -> Iterator[CheckItem]:
        """Its checks; where nothing is expected, whether it runs."""
        for check in self.run.target.checks or (None,):
            name = RAN if check is None else check.id
            yield CheckItem.from_parent(self, name=name, run=self.run, check=check)


class CheckItem(pytest.Item):
    """A check of a recipe on a target."""

    def __init__(self, *, run: Run, check: CheckHeader | None, **words: Any) -> None:
        super().__init__(**words)
        self.run, self.check = run, check
        self.check_id = f"{run.id}::{self.name}"
        for tag in run.header.tags:
            self._mark(tag)

    def facts(self) -> Facts:
        """What it can be selected by."""
        session = session_of(self.config)
        last = session.history.get(self.check_id)
        return Facts(
            tags=self.run.header.tags,
            owner=self.run.header.owner,
            target=self.run.target.name,
            status="" if last is None else last.status,
            is_modified=lambda: session.is_modified(self.run.header),
        )

    def runtest(self) -> None:
        """Runs the recipe on the target, unless that was done, and tells what it says of this."""
        session = session_of(self.config)
        outcome = session.outcome(self.run.header, self.run.target)
        found = finding(outcome, self.check, self.run.recipe, self.run.target.name)
        code = found.exit_code(strict=session.settings.strict)
        self._note(found, code)
        if code:
            pytest.fail(found.text, pytrace=False)
        if found.status is Status.SKIPPED:
            pytest.skip(found.message)
        if found.status is Status.XFAIL:
            pytest.xfail(found.message)
        if found.is_warning:
            warnings.warn(RecipeWarning(f"{found.status}: {found.text}"), stacklevel=1)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The place of the bound, and what the check is called in headings."""
        name = f"{self.run.recipe} [{self.run.target.name}] {self.name}"
        if self.check is None:
            return self.path, 0, name
        return self.check.path, self.check.line - 1, name

    def _note(self, found: Finding, code: int) -> None:
        """Leaves figures for whoever hears of this item, JUnit among them."""
        words = {
            "schema": SCHEMA,
            "recipe": self.run.recipe,
            "target": self.run.target.name,
            "check": self.name,
            "status": str(found.status),
            "exit_code": code,
            "message": found.message,
        }
        self.user_properties += [*words.items(), *found.figures.items()]

    def _mark(self, tag: str) -> None:
        """Makes the tag a keyword, and a marker where it can be one."""
        self.extra_keyword_matches.add(tag)
        if MARKER.fullmatch(tag) and tag not in PYTESTS_OWN:
            markers = session_of(self.config).markers
            if tag not in markers:
                self.config.addinivalue_line("markers", f"{tag}: recipes with this tag")
            markers.add(tag)
            self.add_marker(tag)
