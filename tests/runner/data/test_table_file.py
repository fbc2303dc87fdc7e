from __future__ import annotations

from pathlib import Path

import pytest

from runner.data.table_file import Row, read_rows
from runner.errors import DataError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_tsv_has_no_quoting(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", 'a "quoted word\t1\n\n"b"\t0')
    assert read_rows(path, {"text": 0, "label": 1}) == (
        Row(line=1, text='a "quoted word', label=1),
        Row(line=3, text='"b"', label=0),
    )


def test_a_csv_has_quoting(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", '1,"a, b\nc",x\n')
    expected = (Row(line=2, text="a, b\nc", text_pair="x", label=1),)
    assert read_rows(path, {"label": 0, "text": 1, "text_pair": 2}) == expected


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "\ufefflabel;text\n3;hello\n")
    rows = read_rows(path, {"text": "text", "label": "label"}, header=True, separator=";")
    assert rows == (Row(line=2, text="hello", label=3),)


@pytest.mark.parametrize(
    ("text", "columns", "header", "line", "message"),
    [
        ("a\t1\nb\n", {"text": 0, "label": 1}, False, 2, r"1 column\(s\); expected 'label' at"),
        ("a\tone\n", {"text": 0, "label": 1}, False, 1, "label 'one' is no integer"),
        ("a\t1.0\n", {"text": 0, "label": 1}, False, 1, "label '1.0' is no integer"),
        ("txt\ty\na\t1\n", {"text": "text"}, True, 1, "no column 'text'.*did you mean 'txt'"),
        ("a\t1\n", {"text": "text"}, False, None, "'text' is a name; set 'header: true'"),
    ],
)
def test_a_bad_table_names_file_and_line(
    text: str,
    columns: dict[str, int | str],
    header: bool,
    line: int | None,
    message: str,
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.tsv", text)
    with pytest.raises(DataError, match=message) as caught:
        read_rows(path, columns, header=header)
    assert (caught.value.path, caught.value.line) == (path, line)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"\xff\xfe\x00\t1\n")
    with pytest.raises(DataError, match="the rows can't be read"):
        read_rows(tmp_path / "a.tsv", {"text": 0})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the rows can't be read"):
        read_rows(tmp_path / "absent.tsv", {"text": 0})
