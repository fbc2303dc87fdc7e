"""The trials of accuracy control on disk, so that an interrupted run goes on where it was."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from cattrs.preconf.json import make_converter

from quant.control.control import Trial

_CONVERTER = make_converter()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFile:
    """A line of JSON per trial, behind one with the key of all that the trials follow from."""

    path: Path
    key: str

    def trials(self) -> list[Trial]:
        """Those of an earlier run; the file then holds exactly these, under our key."""
        lines = self._lines()
        found = [_CONVERTER.structure(json.loads(line), Trial) for line in lines]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        beside.write_text("".join(f"{line}\n" for line in (self._head(), *lines)), encoding="utf-8")
        beside.replace(self.path)
        return found

    def add(self, trial: Trial) -> None:
        line = json.dumps(_CONVERTER.unstructure(trial), sort_keys=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _head(self) -> str:
        return json.dumps({"trials": self.key})

    def _lines(self) -> list[str]:
        """The trials under our key, but for a last line that was cut off."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        head, *lines = text.splitlines(keepends=True) or [""]
        if head != f"{self._head()}\n":
            return []
        return [line.rstrip("\n") for line in lines if line.endswith("\n")]
