from __future__ import annotations

import pytest

from runner.errors import UsageError
from runner.harness.select import Facts, is_selected, parse_selection


def facts(*, is_modified: bool = False) -> Facts:
    return Facts(
        tags=("cnn", "nightly"),
        owner="vision team",
        target="cpu",
        status="fail",
        is_modified=lambda: is_modified,
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([], True),
        (["tag:cnn"], True),
        (["tag:nlp"], False),
        (["tag:night*"], True),
        (["tag:nlp tag:cnn"], True),
        (["tag:nlp", "tag:cnn"], True),
        (["tag:cnn,target:gpu"], False),
        (["tag:cnn,target:cpu,status:fail"], True),
        (["tag:cnn,target:gpu owner:vision*"], True),
        (["owner:vision"], False),
        (["owner:vision?team"], True),
        (["status:crashed"], False),
        (["state:modified"], False),
    ],
)
def test_selection(written: list[str], expected: bool) -> None:
    assert is_selected(parse_selection(written), facts()) is expected


def test_modified() -> None:
    assert is_selected(parse_selection(["state:modified"]), facts(is_modified=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cnn", "can't select by 'cnn'; expected one of 'tag:...', 'owner:...'"),
        ("tags:cnn", "did you mean 'tag'?"),
        ("tag:", "can't select by 'tag:'"),
        ("status:failed", "unknown status 'failed'.* - did you mean 'fail'?"),
        ("state:new", "unknown state 'new'; expected 'modified'"),
        ("tag:a,", "can't select by ''"),
    ],
)
def test_what_can_not_be_selected_by(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_selection([text])
