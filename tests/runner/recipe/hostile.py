"""Recipes that are made to do harm: each is refused at a place."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tests.runner.recipe.written import SMALL, write

HEAD = "recipe: 1\nname: a\n"


def bomb(first: str, later: str) -> str:
    """Entries of a mapping of which each refers nine times to the one before."""
    lines = [f"  v0: &v0 {first}\n"]
    for i in range(1, 9):
        references = ", ".join([f"*v{i - 1}"] * 9)
        lines.append(f"  v{i}: &v{i} {later.format(references)}\n")
    return "".join(lines)


BOMB = bomb("[lol]", "[{}]")
MERGE_BOMB = bomb("{x: 1}", "{{<<: [{}]}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """Files beside one another, of which `recipe.yaml` is read, and what its refusal says.

    `make`: what else is done to the folder.
    """

    id: str
    expected: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    edits: tuple[str, ...] = ()
    code: int = 2
    make: Callable[[Path], object] = lambda folder: None


def write_hostile(case: Hostile, folder: Path) -> Path:
    """The path of the recipe, with all that it needs."""
    path = write(folder, SMALL)
    for name, content in case.files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
    case.make(folder)
    return path


def extending(*bases: str) -> str:
    return f"{HEAD}extends: [{', '.join(bases)}]\n"


def chain(length: int, width: int = 1) -> dict[str, str]:
    """Recipes of which each extends the next one, several times over."""
    names = ["recipe.yaml", *(f"b{i}.yaml" for i in range(length))]
    found = {name: extending(*[f"./{base}"] * width) for name, base in pairwise(names)}
    return found | {names[-1]: SMALL}


def alone(text: str | bytes) -> dict[str, str | bytes]:
    return {"recipe.yaml": text}


def based(text: str | bytes) -> dict[str, str | bytes]:
    return {"recipe.yaml": extending("./b.yaml"), "b.yaml": text}


VALUES = ", ".join(["123456"] * 4_000)

CASES = (
    Hostile(
        id="cycle of one",
        files=alone(extending("./recipe.yaml")),
        expected="recipe.yaml:3:11: the document extends itself",
    ),
    Hostile(
        id="cycle of three",
        files={
            "recipe.yaml": extending("./b.yaml"),
            "b.yaml": extending("./c.yaml"),
            "c.yaml": extending("./recipe.yaml"),
        },
        expected="c.yaml:3:11: the document extends itself: recipe.yaml -> b.yaml -> c.yaml",
    ),
    Hostile(
        id="cycle through a link",
        files=alone(extending("./link.yaml")),
        make=lambda folder: (folder / "link.yaml").symlink_to("recipe.yaml"),
        expected="recipe.yaml:3:11: the document extends itself",
    ),
    Hostile(id="depth", files=chain(10), expected="b7.yaml:3:11: more than 8 levels of bases"),
    Hostile(id="width", files=chain(1, width=65), expected=": more than 64 bases"),
    Hostile(id="diamonds", files=chain(8, width=40), expected=": more than 64 bases"),
    Hostile(
        id="alias bomb",
        files=alone(f"{HEAD}metadata:\n{BOMB}"),
        expected=": more than 200 aliases",
    ),
    Hostile(
        id="alias bomb in a base",
        files=based(f"{HEAD}metadata:\n{BOMB}"),
        expected="b.yaml:",
    ),
    Hostile(
        id="alias bomb of merge keys",
        files=alone(f"{HEAD}metadata:\n{MERGE_BOMB}"),
        expected=": more than 200 aliases",
    ),
    Hostile(
        id="alias in itself",
        files=alone(f"{HEAD}metadata: &m {{tags: [*m]}}\n"),
        expected="recipe.yaml:3:",
    ),
    Hostile(
        id="deep lists",
        files=alone(f"{HEAD}metadata: {'[' * 20_000}\n"),
        expected="recipe.yaml:3:42: more than 32 levels of nesting",
    ),
    Hostile(
        id="deep mappings",
        files=alone(HEAD + "".join(f"{' ' * i}a:\n" for i in range(200))),
        expected=": more than 32 levels of nesting",
    ),
    Hostile(
        id="deep path of an edit",
        edits=("a." * 5_000 + "a=1",),
        expected="command line:1:71: more than 32 levels of nesting",
    ),
    Hostile(
        id="deep path in set",
        files=alone(f"{SMALL}set: {{{'a.' * 400}a: 1}}\n"),
        expected="recipe.yaml:8:71: more than 32 levels of nesting",
    ),
    Hostile(
        id="huge file",
        files=alone(HEAD + "# x\n" * 5_000_000),
        expected="recipe.yaml:1:1: the file is larger than 65536 bytes",
    ),
    Hostile(
        id="huge base",
        files=based(b"\xff" * 20_000_000),
        expected="b.yaml:1:1: the file is larger than 65536 bytes",
    ),
    Hostile(
        id="large bases",
        files={
            "recipe.yaml": extending("./b.yaml", "./c.yaml", "./d.yaml"),
            "b.yaml": f"{HEAD}metadata: {{tags: [{VALUES}]}}\n",
            "c.yaml": f"{HEAD}metadata: {{tags: [{VALUES}]}}\n",
            "d.yaml": f"{HEAD}metadata: {{tags: [{VALUES}]}}\n",
        },
        expected="recipe.yaml:3:31: more than 65536 characters",
    ),
    Hostile(
        id="values of bases",
        files={
            "recipe.yaml": extending("./b.yaml", "./c.yaml"),
            **dict.fromkeys(("b.yaml", "c.yaml"), f"{HEAD}x: [{'1,' * 6_000}]"),
        },
        expected="recipe.yaml:3:21: more than 10000 values",
    ),
    Hostile(
        id="many unknown keys",
        files=alone(HEAD + "".join(f"key{i}: 1\n" for i in range(4_000))),
        expected="recipe.yaml:3:1: unknown key 'key0'",
    ),
    Hostile(
        id="many unknown names",
        files=alone(SMALL + f"targets: [{', '.join(f'cpu{i}' for i in range(5_000))}]\n"),
        expected="expected a list of 1 to 32 items",
    ),
    Hostile(
        id="many steps",
        files=alone(SMALL + "  - use: DefaultQuantization\n" * 2_000),
        expected="recipe.yaml:8:10:",
    ),
    Hostile(
        id="many checks",
        files=alone(SMALL + f"expect: [{'{metric: m, min: 1}, ' * 1_500}]\n"),
        expected="recipe.yaml:8:19: unknown metric 'm'",
    ),
    Hostile(
        id="many references",
        files=alone(SMALL + f"metadata: {{title: '{'${x}' * 10_000}'}}\n"),
        expected="unknown reference '${x}'",
    ),
    Hostile(id="long key", files=alone(f"{HEAD}{'k' * 1_000}: 1\n"), expected="recipe.yaml:3:1"),
    Hostile(
        id="long number",
        files=alone(f"{HEAD}vars: {{a: {'9' * 50_000}}}\n"),
        expected="recipe.yaml:3:11: this number is out of range",
    ),
    Hostile(
        id="UTF-16",
        files=alone(SMALL.encode("utf-16")),
        expected="recipe.yaml:1:1: byte 0xff is not UTF-8",
    ),
    Hostile(
        id="Latin-1 in a base",
        files=based(SMALL.replace("small", "größe").encode("latin-1")),
        expected="b.yaml:2:9: byte 0xf6 is not UTF-8",
    ),
    Hostile(
        id="null bytes",
        files=alone(SMALL.replace("small", "sm\0all")),
        expected="recipe.yaml:2:9: the character U+0000 is not allowed",
    ),
    Hostile(
        id="code",
        files=alone(f"{SMALL}metadata: !!python/object/apply:os.system ['exit 1']\n"),
        expected="recipe.yaml:8:11: the tag '!!python/object/apply:os.system' is not allowed",
    ),
    Hostile(
        id="code in a base",
        files=based(f"{SMALL}metadata: !!python/name:os.system\n"),
        expected="b.yaml:8:11: the tag '!!python/name:os.system' is not allowed",
    ),
    Hostile(
        id="code in an edit",
        edits=("metadata.title=!!python/name:os.system",),
        expected="command line:1:22: the tag '!!python/name:os.system' is not allowed",
    ),
    Hostile(
        id="environment that is not allowed",
        files=alone(SMALL + "metadata: {title: '${env:HOME}'}\n"),
        expected="recipe.yaml:8:19: the environment variable 'HOME' is not allowed",
    ),
    Hostile(
        id="secret of the environment",
        files=alone(SMALL + "env: [AWS_SECRET]\nmetadata: {title: '${env:AWS_SECRET}'}\n"),
        expected="recipe.yaml:8:7: 'AWS_SECRET' looks like a secret",
    ),
    Hostile(
        id="environment that is not set",
        files=alone(SMALL + "env: [RECIPE_NOT_SET]\nmetadata: {title: '${env:RECIPE_NOT_SET}'}\n"),
        expected="recipe.yaml:9:19: the environment variable 'RECIPE_NOT_SET' is not set",
        code=4,
    ),
    Hostile(
        id="reference in extends",
        files=alone(HEAD + "vars: {x: ../b}\nextends: './${x}.yaml'\n"),
        expected="recipe.yaml:4:10: no such file",
    ),
    Hostile(
        id="a file of the system",
        files=alone(extending("../../../../../../etc/passwd")),
        expected="recipe.yaml:3:11: '../../../../../../etc/passwd' is no YAML file",
    ),
    Hostile(
        id="an absolute path",
        files=alone(extending("/etc/passwd.yaml")),
        expected="recipe.yaml:3:11: '/etc/passwd.yaml' names no base",
    ),
    Hostile(
        id="out of what ships",
        files=alone(extending("builtin:../../secret")),
        expected="recipe.yaml:3:11: there is no builtin recipe '../../secret'",
    ),
    Hostile(
        id="an address",
        files=alone(extending("http://example.com/b.yaml")),
        expected="recipe.yaml:3:11: 'http://example.com/b.yaml' names no base",
    ),
    Hostile(
        id="a folder as a base",
        files=alone(extending("./b.yaml")),
        make=lambda folder: (folder / "b.yaml").mkdir(),
        expected="recipe.yaml:3:11: expected a file, but",
    ),
    Hostile(
        id="a pipe as a base",
        files=alone(extending("./b.yaml")),
        make=lambda folder: os.mkfifo(folder / "b.yaml"),
        expected="recipe.yaml:3:11: no such file",
    ),
    Hostile(
        id="a link to itself as a base",
        files=alone(extending("./b.yaml")),
        make=lambda folder: (folder / "b.yaml").symlink_to("b.yaml"),
        expected="recipe.yaml:3:11: no such file",
    ),
    Hostile(
        id="out of a root",
        files=alone(SMALL.replace("files/model.xml", "'data://../../model.xml'")),
        expected="recipe.yaml:3:15: a path can't leave its root",
    ),
)
