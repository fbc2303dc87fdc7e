"""Which of the checks that were collected are run."""

from __future__ import annotations

import hashlib

import pytest

from runner.errors import RunnerError
from runner.harness.nodes import CheckItem
from runner.harness.select import is_selected
from runner.harness.session import Session
from runner.harness.shard import share
from runner.harness.status import NOT_PASSED


def narrow(session: Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the checks that are selected, and of these the shard's; other items stay.

    Raises:
        pytest.UsageError: the selection can't be carried out.
    """
    ours = [each for each in items if isinstance(each, CheckItem)]
    try:
        selected = [each for each in ours if _is_wanted(session, each)]
    except RunnerError as error:
        session.codes.add(error.exit_code)
        raise pytest.UsageError(str(error)) from error
    names = "\n".join(sorted(each.check_id for each in selected))
    session.selection = hashlib.blake2b(names.encode(), digest_size=8).hexdigest()
    kept = dict.fromkeys(_shard(session, selected))
    session.selected = tuple(each.check_id for each in kept)
    left = [each for each in items if not isinstance(each, CheckItem) or each in kept]
    if len(left) < len(items):
        config.hook.pytest_deselected(items=[each for each in ours if each not in kept])
        items[:] = left


def _is_wanted(session: Session, item: CheckItem) -> bool:
    facts = item.facts()
    if session.settings.retry and facts.status not in NOT_PASSED:
        return False
    return is_selected(session.settings.select, facts)


def _shard(session: Session, items: list[CheckItem]) -> list[CheckItem]:
    """The checks of this shard; those of one run stay together."""
    shard = session.settings.shard
    if shard is None:
        return items
    seconds: dict[str, float | None] = {}
    for each in items:
        last = session.history.get(each.check_id)
        seconds[each.run.id] = seconds.get(each.run.id) or (None if last is None else last.run_s)
    mine = share(seconds, shard)
    return [each for each in items if each.run.id in mine]
