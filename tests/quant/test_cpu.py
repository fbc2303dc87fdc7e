"""What a CPU says of itself, and what of that can be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from quant import cpu

HELD = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_FP16"}


@pytest.fixture(params=[0, 1], ids=["hidden", "described"])
def palettes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(cpu, "_palettes", lambda: request.param)
    return int(request.param)


def cpuinfo(folder: Path, line: str) -> Path:
    path = folder / "cpuinfo"
    path.write_text(f"processor\t: 0\n{line}\n\nprocessor\t: 1\n{line}\n")
    return path


def test_hidden_tiles_are_no_usable_flags(tmp_path: Path, palettes: int) -> None:
    path = cpuinfo(tmp_path, "flags\t\t: avx2 avx512_vnni amx_tile amx_int8 amx_bf16")
    tiles = {"amx_tile", "amx_int8", "amx_bf16"} if palettes else set()
    assert cpu.cpu_flags(path) == {"avx2", "avx512_vnni", *tiles}


@pytest.mark.parametrize("line", ["flags\t: avx2 avx_vnni", "Features\t: avx2 avx_vnni"])
def test_other_flags_stay(tmp_path: Path, palettes: int, line: str) -> None:
    assert cpu.cpu_flags(cpuinfo(tmp_path, line)) == {"avx2", "avx_vnni"}


def test_a_system_without_a_list_has_no_flags(tmp_path: Path) -> None:
    assert cpu.cpu_flags(tmp_path / "missing") == frozenset()


@pytest.mark.parametrize("flags", [{"avx2"}, {"avx2", "amx_tile"}], ids=["none", "amx"])
def test_kernels_are_held_below_hidden_tiles(
    flags: set[str], palettes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "_named_flags", lambda: frozenset(flags))
    environ: dict[str, str] = {}
    cpu.avoid_hidden_tiles(environ)
    assert environ == (HELD if "amx_tile" in flags and not palettes else {})


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "hides_tiles", lambda _: True)
    environ = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    cpu.avoid_hidden_tiles(environ)
    assert environ == {"ONEDNN_MAX_CPU_ISA": "AVX2"}


def test_this_machine_can_be_asked() -> None:
    """Zero or one palette on every CPU that there is; the integer layers of all other tests run."""
    assert cpu._palettes() in (0, 1)
