from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from runner.errors import UsageError
from runner.harness.junit import merged_junit

ONE = """<?xml version="1.0"?><testsuites><testsuite name="pytest" errors="0" failures="1"
skipped="0" tests="2" time="1.25"><testcase classname="b" name="x"><failure>why</failure></testcase>
<testcase classname="b" name="a"/></testsuite></testsuites>"""
OTHER = """<testsuite errors="1" failures="0" skipped="1" tests="1" time="0.5">
<testcase classname="a" name="z"><properties><property name="n" value="3"/></properties></testcase>
</testsuite>"""


def test_merged(tmp_path: Path) -> None:
    for name, text in (("one", ONE), ("other", OTHER)):
        (tmp_path / name).write_text(text)
    suite = ElementTree.fromstring(merged_junit([tmp_path / "one", tmp_path / "other"]))[0]
    assert suite.attrib == {
        "name": "recipes",
        "errors": "1",
        "failures": "1",
        "skipped": "1",
        "tests": "3",
        "time": "1.750",
    }
    names = [(each.get("classname"), each.get("name")) for each in suite]
    assert names == [("a", "z"), ("b", "a"), ("b", "x")]
    assert suite.find("testcase/failure").text == "why"  # type: ignore[union-attr]
    assert suite.find("testcase/properties/property").get("value") == "3"  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "<a>", None])
def test_no_junit(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "x").write_text(text)
    with pytest.raises(UsageError, match="not a JUnit file"):
        merged_junit([tmp_path / "x"])
