"""Loader `text`: rows of a table, tokenized when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from runner.data.record import Origin, Record
from runner.data.sample import InputInfo
from runner.data.table_file import Columns, Row, read_rows
from runner.document.names import listed, suggest
from runner.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ROLES = ("ids", "attention_mask", "type_ids")
DEFAULT_ROLES = {
    "input_ids": "ids",
    "attention_mask": "attention_mask",
    "token_type_ids": "type_ids",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRecords:
    """Rows, the files that they come from, a tokenizer set to pad and truncate, and what each model
    input takes from it."""

    path: Path
    files: tuple[Path, ...]
    rows: tuple[Row, ...]
    tokenizer: Tokenizer
    roles: Mapping[str, str]
    has_labels: bool
    has_pictures: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int) -> Record:
        """Tokens of one row, each array int64 `[max_length]`."""
        row = self.rows[index]
        encoding = self.tokenizer.encode(row.text, row.text_pair)
        arrays = {name: np.asarray(getattr(encoding, role)) for name, role in self.roles.items()}
        return Record(id=f"{self.path.name}:{row.line}", arrays=arrays, label=row.label)

    def origin(self, index: int) -> tuple[Origin, ...]:
        return (*self.files, index)


def open_text(
    model_inputs: tuple[InputInfo, ...],
    *,
    path: Path,
    columns: Columns,
    tokenizer: Path,
    max_length: int,
    header: bool = False,
    separator: str | None = None,
    inputs: Mapping[str, str] | None = None,
) -> TextRecords:
    """Records of a table of texts, cut and padded on the right to `max_length` tokens.

    `inputs`: `ids`, `attention_mask` or `type_ids` by model input name (default: by the usual
    names `input_ids`, `attention_mask`, `token_type_ids`). `columns`, `header` and `separator`:
    see `read_rows`.
    """
    return TextRecords(
        path=path,
        files=(path, tokenizer),
        rows=read_rows(path, columns, header=header, separator=separator),
        tokenizer=read_tokenizer(tokenizer, max_length),
        roles=choose_roles(model_inputs, inputs, path),
        has_labels="label" in columns,
    )


def read_tokenizer(path: Path, max_length: int) -> Tokenizer:
    """The tokenizer of a tokenizer.json, set to give exactly `max_length` tokens.

    Padded on the right with the tokenizer's own padding token, else `[PAD]`, else id 0.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing narrower
        message = f"the tokenizer can't be read ({error}); expected a tokenizer.json"
        raise DataError(message, path) from error
    own = tokenizer.padding or {}
    pad_id = own.get("pad_id", tokenizer.token_to_id("[PAD]"))
    tokenizer.enable_truncation(max_length)
    tokenizer.enable_padding(
        direction="right",
        length=max_length,
        pad_id=pad_id or 0,
        pad_token=own.get("pad_token", "[PAD]"),
        pad_type_id=own.get("pad_type_id", 0),
    )
    return tokenizer


def choose_roles(
    model_inputs: tuple[InputInfo, ...], inputs: Mapping[str, str] | None, path: Path
) -> dict[str, str]:
    """What each model input takes, in the model's order.

    Raises:
        DataError: a model input is not covered, or `inputs` names one that is not there.
    """
    known = [item.name for item in model_inputs]
    roles = DEFAULT_ROLES if inputs is None else inputs
    for name, role in (inputs or {}).items():
        if name not in known or role not in ROLES:
            near = suggest(role, ROLES) if name in known else suggest(name, known)
            message = (
                f"'inputs' has {name!r}: {role!r}; expected an input of the model, "
                f"{listed(known)}, and {listed(ROLES)}{near}"
            )
            raise DataError(message, path)
    uncovered = [name for name in known if name not in roles]
    if uncovered:
        message = (
            f"nothing feeds the model's input(s) {listed(uncovered, 'and')}; "
            f"say with 'inputs' which of {listed(ROLES)} each takes"
        )
        raise DataError(message, path)
    return {name: roles[name] for name in known}
