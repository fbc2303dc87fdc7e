"""The pytest plugin: a recipe file is a test file, and each of its checks on each target an item.

pytest loads this module into every session where the package is installed. So it imports the
standard library alone; what runs recipes is imported when the first recipe is found.
(PYTEST_DONT_REWRITE: there is no assertion in it, and `recipe test` has imported it before.)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner.recipe.sniff import SUFFIXES, is_recipe_file

if TYPE_CHECKING:
    from runner.harness.nodes import RecipeFile
    from runner.harness.session import Session

SCHEMA = "recipe.test/1"
COLLECTED = "collected.json"
"""The file of the shared folder that says what was selected."""
RESULTS = "build/recipe-test"
TIMEOUT_S = 3600.0
OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "--recipe-select",
        {
            "action": "append",
            "metavar": "WORDS",
            "help": "only recipes with tag:, owner:, target:, status: or state:modified; "
            "a comma is `and`, a space or another --recipe-select is `or`",
        },
    ),
    (
        "--recipe-since",
        {"metavar": "REV", "help": "git revision that state:modified compares with (HEAD)"},
    ),
    (
        "--recipe-retry",
        {"action": "store_true", "help": "only what did not pass when it last ran"},
    ),
    (
        "--recipe-shard",
        {"metavar": "I/N", "help": "the I-th of N parts that take about as long as one another"},
    ),
    (
        "--recipe-strict",
        {"action": "store_true", "help": "what is inconclusive fails"},
    ),
    (
        "--recipe-timeout",
        {
            "type": float,
            "metavar": "SECONDS",
            "default": TIMEOUT_S,
            "help": f"when a run is stopped and fails ({TIMEOUT_S:g})",
        },
    ),
    (
        "--recipe-results",
        {"metavar": "DIR", "default": RESULTS, "help": f"where results are kept ({RESULTS})"},
    ),
    (
        "--recipe-apply",
        {
            "metavar": "OPTIONS",
            "default": "",
            "help": "options of `recipe apply` that recipes run with, as in '--no-benchmark'",
        },
    ),
)


class RecipeWarning(UserWarning):
    """A check that did not fail, but did not simply pass either."""


_recorder = pytest.StashKey["Recorder"]()
_session = pytest.StashKey["Session"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds our options."""
    group = parser.getgroup("recipe", "recipes as tests")
    for flag, words in OPTIONS:
        group.addoption(flag, **words)


def pytest_configure(config: pytest.Config) -> None:
    """Registers who listens; options that are given are checked before anything is collected."""
    config.stash[_recorder] = Recorder(config)
    config.pluginmanager.register(config.stash[_recorder], "recipe-recorder")
    for flag, words in OPTIONS:
        if config.getoption(flag) not in (None, False, words.get("default")):
            session_of(config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> RecipeFile | None:
    """A recipe, where the file is one."""
    if file_path.suffix not in SUFFIXES or not is_recipe_file(file_path):
        return None
    from runner.harness.nodes import RecipeFile

    return RecipeFile.from_parent(parent, path=file_path)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the recipes that are selected, after pytest's own -k and -m."""
    if (session := config.stash.get(_session, None)) is not None:
        from runner.harness.narrow import narrow

        try:
            narrow(session, config, items)
        finally:
            recorder_of(config).share(session)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keeps the headers of recipes for the next time."""
    if (ours := session.config.stash.get(_session, None)) is not None:
        ours.index.save()


def session_of(config: pytest.Config) -> Session:
    """What all recipes of a session share; made when it is first asked for.

    Raises:
        pytest.UsageError: our options are wrong.
    """
    if _session not in config.stash:
        from runner.harness.session import make_session

        config.stash[_session] = make_session(config, recorder_of(config).scratch())
    return config.stash[_session]


def recorder_of(config: pytest.Config) -> Recorder:
    """Who listens to this session."""
    return config.stash[_recorder]


class Recorder:
    """Notes what became of recipes, in the process that hears of all of them, and keeps it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._scratch: Any = None
        self.items: list[dict[str, Any]] = []
        self.errors: list[dict[str, str]] = []
        self.codes: set[int] = set()
        self.selection: str | None = None
        self.selected: tuple[str, ...] = ()

    @property
    def _worker(self) -> dict[str, Any] | None:
        """What a worker of pytest-xdist was given; None in the process that was started."""
        return getattr(self._config, "workerinput", None)

    def scratch(self) -> Path:
        """A folder that all processes of the session share."""
        if self._worker is not None:
            return Path(self._worker["recipe_scratch"])
        if self._scratch is None:
            import tempfile

            self._scratch = tempfile.TemporaryDirectory(prefix="recipe-test-")
        return Path(self._scratch.name)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tells a worker of pytest-xdist where the shared folder is."""
        node.workerinput["recipe_scratch"] = str(self.scratch())

    def share(self, ours: Session) -> None:
        """Leaves what was collected in the shared folder: the same from all workers, of which each
        may die.
        """
        from runner.text_file import write_text

        found = {"codes": [*ours.codes], "selection": ours.selection, "selected": ours.selected}
        write_text(self.scratch() / COLLECTED, json.dumps(found))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Notes that somebody has stopped the session; it stops itself by other kinds of these."""
        from runner.cli.exits import INTERRUPTED

        if excinfo.type in (KeyboardInterrupt, pytest.exit.Exception):
            self.codes.add(INTERRUPTED)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Notes what can't be collected."""
        if report.failed:
            self.errors.append({"id": report.nodeid, "text": report.longreprtext})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes the outcome of a check."""
        if report.when == "call" and report.user_properties:
            found = dict(report.user_properties)
            if found.get("schema") == SCHEMA:
                text = "" if report.longrepr is None else report.longreprtext
                self.items.append({"id": report.nodeid, **found, "text": text})

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Writes the results, in the process that was started."""
        if self._worker is not None or not self._has_recipes():
            return
        found = json.loads((self.scratch() / COLLECTED).read_text(encoding="utf-8"))
        self.codes |= set(found["codes"])
        self.selection, self.selected = found["selection"], tuple(found["selected"])
        if not self._config.option.collectonly:
            from runner.harness.results import keep

            stops_early = bool(self._config.option.maxfail)
            keep(self, session_of(self._config).settings, stops_early=stops_early)

    def _has_recipes(self) -> bool:
        """Whether a recipe, or what was asked about recipes, was met in collecting."""
        return self._scratch is not None and (self.scratch() / COLLECTED).exists()

    def pytest_unconfigure(self) -> None:
        """Removes the shared folder."""
        if self._scratch is not None:
            self._scratch.cleanup()
