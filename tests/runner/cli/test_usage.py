from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli.main import main
from tests.runner.tiny import write_recipe

PROGRAM = [sys.executable, "-m", "runner"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in ("apply", "plan", "validate", "list", "130"))


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("recipe ")


@pytest.mark.parametrize(
    "arguments",
    [["apply"], ["aply"], ["apply", "--no-such"], ["plan", "none.yaml"], ["list", "stepps"],
     ["validate", ".", "--root", "zoo"], ["validate", ".", "--root", "zoo=/no/where"]],
    ids=["no file", "verb", "option", "file", "kind", "pair", "folder"],
)  # fmt: skip
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err
    assert main([*arguments, "--json"]) == 2
    content = json.loads(capsys.readouterr().out)
    assert (content["ok"], content["exit_code"], len(content["errors"])) == (False, 2, 1)


def test_defect_is_told_as_one(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        message = "unforeseen"
        raise ValueError(message)

    monkeypatch.setattr("runner.cli.validate.load_target", fail)
    assert main(["validate", str(write_recipe(tiny)), "--json"]) == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["errors"][0]["message"] == "ValueError: unforeseen"
    assert "defect" in err
    assert "Traceback" not in err


def test_validate_shows_all_errors_of_all_files(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write_recipe(tiny, "a.yaml", parameters="presett: 1", targets="cpuu")
    second = write_recipe(tiny, "b.yaml", model="none.xml")
    third = write_recipe(tiny, "c.yaml")
    assert main(["validate", str(tiny)]) == 2
    out, err = capsys.readouterr()
    assert out == f"{third} [cpu]: ok\n"
    assert all(f"\n{place}" in f"\n{err}" for place in (f"{first}:8:", f"{first}:11:", second))


def test_light_imports(tiny: Path) -> None:
    """Neither the help nor validation imports what takes long."""
    recipe = write_recipe(tiny)
    for arguments, heavy in (
        (["--help"], {"openvino", "numpy", "ruamel", "cerberus", "rich", "jinja2"}),
        (["validate", str(recipe)], {"openvino", "numpy", "rich", "jinja2"}),
    ):
        code = (
            "import sys; from runner.cli.main import main\n"
            f"assert main({arguments!r}) == 0\n"
            "print(*(name.partition('.')[0] for name in sys.modules), file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert not heavy & set(done.stderr.split())


def test_no_socket_is_opened(tmp_path: Path) -> None:
    """OpenVINO's telemetry stays off, also when it converts a model."""
    path = tmp_path / "relu.onnx"
    path.write_bytes(relu_onnx())
    code = (
        "import socket, sys, time\n"
        "def refuse(*a, **k): raise SystemExit('a socket was opened')\n"
        "socket.socket = refuse; socket.create_connection = refuse\n"
        "import quant, runner.apply\n"
        f"quant.load_model({str(path)!r}); time.sleep(0.3)\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def relu_onnx() -> bytes:
    """`y = Relu(x)` as ONNX, f32 [2]. Source: onnx.proto, field numbers of ModelProto and below."""

    def part(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    def count(number: int, value: int) -> bytes:
        return bytes([number << 3, value])

    def value_info(name: bytes) -> bytes:
        tensor = count(1, 1) + part(2, part(1, count(1, 2)))
        return part(1, name) + part(2, part(1, tensor))

    node = part(1, b"x") + part(2, b"y") + part(4, b"Relu")
    graph = part(1, node) + part(2, b"g") + part(11, value_info(b"x")) + part(12, value_info(b"y"))
    return count(1, 8) + part(7, graph) + part(8, count(2, 13))


def test_long_lines_are_not_wrapped(tiny: Path) -> None:
    folder = tiny / ("long_name_" * 12)
    folder.mkdir()
    recipe = write_recipe(folder, parameters="presett: 1")
    done = run("validate", recipe)
    assert done.returncode == 2
    assert any(line.startswith(f"{recipe}:11:12: unknown key") for line in done.stderr.splitlines())


@pytest.mark.parametrize("no_color", ["", "1"], ids=["color", "NO_COLOR"])
def test_ansi_codes_on_a_terminal_only(tiny: Path, no_color: str) -> None:
    recipe = write_recipe(tiny)
    environment = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": no_color}
    primary, secondary = pty.openpty()
    program = [*PROGRAM, "apply", str(recipe)]
    process = subprocess.Popen(program, stdout=secondary, stderr=secondary, env=environment)
    os.close(secondary)
    shown = b"".join(_read(primary))
    os.close(primary)
    assert process.wait() == 0
    assert (b"\x1b" in shown) == (not no_color)
    assert b"PASS" in shown


def _read(descriptor: int) -> list[bytes]:
    parts = []
    try:
        while part := os.read(descriptor, 4096):
            parts.append(part)
    except OSError:  # Linux ends the reading of a terminal nobody writes to so
        pass
    return parts


def test_list_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    for kind, name in (
        ("targets", "cpu"),
        ("steps", "DefaultQuantization"),
        ("loaders", "npz"),
        ("metrics", "accuracy"),
        ("preprocessing", "letterbox"),
    ):
        assert main(["list", kind, "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)[kind]
        assert name in [row["name"] for row in rows]


def test_list_recipes(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tiny, targets="cpu, npu")
    assert main(["list", str(tiny), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recipes"] == [
        {
            "name": "tiny",
            "title": "A tiny net",
            "owner": "",
            "targets": ["cpu", "npu"],
            "tags": ["test"],
            "path": str(recipe),
        }
    ]
    assert main(["list", "recipes", str(tiny)]) == 0
    assert "A tiny net" in capsys.readouterr().out


def test_folders_named_as_ours_are_not_taken_for_ours(tiny: Path) -> None:
    """`python -m` puts the working directory first; nothing in it is imported."""
    for name in ("recipes", "hw_targets"):
        (tiny / name).mkdir()
        (tiny / name / "__init__.py").write_text("raise SystemExit(9)\n")
    path = write_recipe(tiny)
    path.write_text(path.read_text().replace("metadata: ", "extends: builtin:base/cnn\nmetadata: "))
    done = subprocess.run(
        [*PROGRAM, "validate", path.name], cwd=tiny, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_pipes_and_devices_are_no_recipes(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing waits for one that is named, or lies in a folder of recipes."""
    pipe = tiny / "pipe.yaml"
    os.mkfifo(pipe)
    write_recipe(tiny)
    assert main(["validate", str(pipe)]) == 2
    assert "neither a file nor a folder" in capsys.readouterr().err
    assert main(["validate", str(tiny)]) == 0
