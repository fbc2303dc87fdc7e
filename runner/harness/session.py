"""What all recipes of a session share."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.cache.folder import cache_folder
from runner.catalog.find import reference_to
from runner.errors import Problem, RecipeError, RunnerError
from runner.harness.changed import Changes
from runner.harness.history import Last, load_history
from runner.harness.select import parse_selection, selects_changes
from runner.harness.settings import HEAD, Settings, reader
from runner.harness.shard import parse_shard
from runner.header import Header, TargetHeader
from runner.index import Index, open_index
from runner.recipe.roots import find_project_file

if TYPE_CHECKING:
    from runner.harness.outcome import Outcome

NO_BENCHMARK = "--no-benchmark"


@dataclass(slots=True, kw_only=True)
class Session:
    """The recipes of a session of tests.

    Attributes:
        scratch: a folder that all processes of the session share.
        history: what became of checks when they last ran, by their ids.
        codes: exit codes of recipes that can't be read.
        selection: the digest of the ids of all checks that were selected, whatever the shard.
        selected: the ids of those that are to run here.
        markers: tags that pytest knows as markers.
        taken: by folder of results, the recipe and target that they are of.
        relocked: by project file, folders of catalogs that are locked otherwise than before.
        named_folders: by folder of recipes, what it is called as one of a catalog, or nothing.
    """

    settings: Settings
    index: Index
    scratch: Path
    history: Mapping[str, Last]
    changes: Changes
    codes: set[int] = field(default_factory=set)
    selection: str | None = None
    selected: tuple[str, ...] = ()
    markers: set[str] = field(default_factory=set)
    taken: dict[Path, tuple[Path, str]] = field(default_factory=dict)
    relocked: dict[Path, tuple[Path, ...]] = field(default_factory=dict)
    named_folders: dict[Path, str] = field(default_factory=dict)

    def header(self, path: Path) -> Header:
        """The header of a recipe whose results go to folders of their own.

        Raises:
            RunnerError: it can't be read; the exit code is noted.
        """
        try:
            header = self.index.header(self.shown(path))
            for i, target in enumerate(header.targets):
                self._expect_apart(header, target, i)
        except RunnerError as error:
            self.codes.add(error.exit_code)
            raise
        return header

    def outcome(self, header: Header, target: TargetHeader) -> Outcome:
        """What came of the recipe on the target; it is run once in a session."""
        from runner.harness.once import once

        run = f"{header.path}::{target.name}"
        key = hashlib.blake2b(run.encode(), digest_size=8).hexdigest()
        return once(self.scratch, key, lambda: self._run(header, target, key))

    def _run(self, header: Header, target: TargetHeader, key: str) -> Outcome:
        """Runs the recipe; one that measures speed, while nothing else of the session runs."""
        from runner.harness.once import machine
        from runner.harness.outcome import run_apart

        settings = self.settings
        is_timed = target.is_timed and NO_BENCHMARK not in settings.apply
        with machine(self.scratch, is_alone=is_timed):
            return run_apart(
                self.shown(header.path),
                ["--target", target.name, *settings.apply],
                settings.results / "logs" / f"{header.name}.{target.name}.{key}.log",
                timeout_s=settings.timeout_s,
            )

    def is_modified(self, header: Header) -> bool:
        """Whether a file that the recipe is read from, works on or is compared with has changed.

        Raises:
            UsageError, MissingTool: git can't tell.
        """
        project = find_project_file(header.path)
        used = (header.path, *header.files, *header.inputs)
        if any(each.is_relative_to(folder) for folder in self._relocked(project) for each in used):
            return True
        is_fetched = header.path.is_relative_to(cache_folder())
        self.changes.expect_repository(project if is_fetched and project else header.path)
        from runner.baseline.file import FOLDER
        from runner.model_files import model_files

        accepted = (header.path.parent / FOLDER).glob(f"{escape(header.path.stem)}.*")
        if self.changes.touch([*header.files, *header.inputs, *accepted]):
            return True
        return self.changes.touch(model_files(header.inputs[0]))

    def _relocked(self, project: Path | None) -> tuple[Path, ...]:
        """The folders of catalogs that are locked otherwise than at the revision."""
        from runner.harness.relocked import relocked

        if project is None:
            return ()
        if project not in self.relocked:
            self.relocked[project] = relocked(project, self.changes)
        return self.relocked[project]

    def shown(self, path: Path) -> Path:
        """The path as users write it: relative to the working directory where it is below."""
        here = self.settings.here
        return path.relative_to(here) if path.is_relative_to(here) else path

    def named(self, path: Path) -> str:
        """What a recipe is called: of a catalog catalog:NAME/PATH, of others the path."""
        if path.parent not in self.named_folders:
            self.named_folders[path.parent] = reference_to(path.parent, self.settings.here)
        folder = self.named_folders[path.parent]
        return f"{folder}/{path.name}" if folder else self.shown(path).as_posix()

    def _expect_apart(self, header: Header, target: TargetHeader, position: int) -> None:
        folder = Path(os.path.normpath(self.settings.here / target.results))
        first, name = self.taken.setdefault(folder, (header.path, target.name))
        if (first, name) == (header.path, target.name):
            return
        recipe = self.settings.read(self.shown(header.path))[position]
        message = f"the results of {self.shown(first)} on {name} go to {str(target.results)!r}, too"
        hint = "give each recipe a name, or an outputs.dir, of its own"
        raise RecipeError([Problem(recipe.locate("outputs", "dir"), message, hint)])


def make_session(config: pytest.Config, scratch: Path) -> Session:
    """The session that pytest's options ask for.

    Raises:
        pytest.UsageError: they are wrong.
    """
    try:
        settings = _settings(config)
        changes = Changes(revision=settings.since)
        if selects_changes(settings.select):
            changes.expect_revision(settings.here)
    except RunnerError as error:
        raise pytest.UsageError(str(error)) from error
    if not config.option.collectonly:
        from runner.harness.results import forget

        forget(settings.results)
    return Session(
        settings=settings,
        index=open_index(cache_folder(), settings.read, settings.apply),
        scratch=scratch,
        history=load_history(settings.results),
        changes=changes,
    )


def _settings(config: pytest.Config) -> Settings:
    here = config.invocation_params.dir
    apply = tuple(shlex.split(config.getoption("--recipe-apply")))
    shard = config.getoption("--recipe-shard")
    return Settings(
        here=here,
        apply=apply,
        read=reader(apply),
        select=parse_selection(config.getoption("--recipe-select") or ()),
        since=config.getoption("--recipe-since") or HEAD,
        retry=config.getoption("--recipe-retry"),
        shard=None if shard is None else parse_shard(shard),
        strict=config.getoption("--recipe-strict"),
        timeout_s=config.getoption("--recipe-timeout"),
        results=here / config.getoption("--recipe-results"),
    )
