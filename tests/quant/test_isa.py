"""Which machines saturate."""

from __future__ import annotations

import pytest

from quant.isa import DETECT, saturates


@pytest.mark.parametrize("machine", ["x86_64", "AMD64"])
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (frozenset(), True),
        (frozenset({"avx2"}), True),
        (frozenset({"avx2", "avx512bw"}), True),
        (frozenset({"avx2", "avx_vnni"}), False),
        (frozenset({"avx512_vnni"}), False),
        (frozenset({"amx_int8"}), False),
    ],
    ids=lambda value: "-".join(sorted(value)) or "none" if isinstance(value, frozenset) else None,
)
def test_x86_saturates_without_vnni(
    machine: str, flags: frozenset[str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert saturates(DETECT, flags) is expected


def test_other_machines_do_not_saturate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert not saturates(DETECT, frozenset())


@pytest.mark.parametrize(
    ("isa", "expected"),
    [(None, False), ("avx2", True), ("avx512", True), ("vnni", False), ("amx", False)],
)
def test_named_instruction_sets_ignore_this_machine(isa: str | None, expected: bool) -> None:
    assert saturates(isa) is expected
