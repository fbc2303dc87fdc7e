"""JUnit files of several sessions as one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from runner.errors import UsageError
from runner.text_file import write_text

NAME = "junit.xml"
COUNTS = ("errors", "failures", "skipped", "tests")


def merged_junit(paths: Iterable[Path]) -> str:
    """One test suite of all cases, in the order of their names, with sums of counts and seconds.

    Raises:
        UsageError: a file is missing or no JUnit.
    """
    suites = [suite for path in paths for suite in _suites(path)]
    cases = [case for suite in suites for case in suite.iter("testcase")]
    whole = ElementTree.Element("testsuite", {"name": "recipes"})
    for name in COUNTS:
        whole.set(name, str(sum(int(each.get(name, "0")) for each in suites)))
    whole.set("time", f"{sum(float(each.get('time', '0')) for each in suites):.3f}")
    whole.extend(sorted(cases, key=lambda each: (each.get("classname", ""), each.get("name", ""))))
    root = ElementTree.Element("testsuites")
    root.append(whole)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def merge_junit(paths: Iterable[Path], into: Path) -> None:
    """Writes JUnit files as one."""
    write_text(into, merged_junit(paths))


def _suites(path: Path) -> list[ElementTree.Element]:
    try:
        return list(ElementTree.parse(path).getroot().iter("testsuite"))
    except (OSError, ElementTree.ParseError) as error:
        message = f"{path}: not a JUnit file: {error}"
        raise UsageError(message) from error
