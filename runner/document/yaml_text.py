"""Plain values to YAML text, which reads back as the same values."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from runner.document.scalars import parse_scalar

WIDTH = 100
WORDS = re.compile(r"[A-Za-z_./](?:[\w./+()-]|[ :](?=[\w./+(]))*", re.ASCII)
"""Texts that need no quotes anywhere."""


def make_yaml() -> YAML:
    """YAML as this project writes it; comments, quotes and order of what was read are kept."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = WIDTH
    yaml.preserve_quotes = True
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def yaml_text(value: dict[str, Any]) -> str:
    """The mapping as YAML: blocks, and what holds scalars only in braces and brackets."""
    yaml = make_yaml()
    yaml.default_flow_style = None
    stream = StringIO()
    yaml.dump(_quoted(value), stream)
    return stream.getvalue()


def _quoted(value: Any) -> Any:
    """The value with quotes around all texts that are not plainly words."""
    if isinstance(value, dict):
        return {_quoted(key): _quoted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_quoted(each) for each in value]
    if isinstance(value, str) and not (WORDS.fullmatch(value) and parse_scalar(value) == value):
        return DoubleQuotedScalarString(value)
    return value
