"""Every selected recipe, one after the other: a failing one does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from runner.cli.exits import CRASHED, INTERRUPTED, NOTHING, worst
from runner.cli.failure import Failure, failure, problems_of
from runner.cli.options import Selected
from runner.document.edits import Edit
from runner.document.names import listed, suggest
from runner.errors import Problem, RecipeError, RunnerError, UsageError
from runner.recipe.read import read
from runner.recipe.recipe import Recipe
from runner.selection import located, select_files

T = TypeVar("T")
Fail = Callable[[Failure], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results(Generic[T]):
    """What came of all recipes; filled while they run, so that an interrupt loses nothing."""

    done: list[T] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def exit_code(self, codes: Iterable[int] = ()) -> int:
        """The worst of the failures' codes and of those of what was done."""
        found = [each.exit_code for each in self.failures]
        return NOTHING if NOTHING in found else worst([*found, *codes])


def for_each(
    selected: Selected, act: Callable[[Recipe], T], show: Fail, *, writes: bool = False
) -> Results[T]:
    """The results of acting on every recipe; `show` is called with each failure as it comes.

    `writes`: acting fills `outputs.dir`, so no two recipes may share one.
    """
    results: Results[T] = Results()

    def fail(failed: Failure) -> None:
        if _is_news(failed, results.failures):
            results.failures.append(failed)
            show(failed)

    recipes = _selected(selected, fail)
    for recipe in _apart(recipes, fail) if writes else recipes:
        try:
            results.done.append(act(recipe))
        except RunnerError as error:
            fail(failure(error, recipe.path, recipe.target.name))
        except KeyboardInterrupt as error:
            fail(Failure(error=error, exit_code=INTERRUPTED, recipe=recipe.path))
            break
        except Exception as error:  # a defect of ours, or of a library, must not stop the others
            name = recipe.target.name
            fail(Failure(error=error, exit_code=CRASHED, recipe=recipe.path, target=name))
    return results


def _is_news(failed: Failure, earlier: Iterable[Failure]) -> bool:
    """Whether a failure says more than that of another target of the same recipe."""
    said = {problem for each in earlier for problem in problems_of(each.error)}
    found = problems_of(failed.error)
    return not found or not said.issuperset(found)


def _selected(selected: Selected, fail: Fail) -> list[Recipe]:
    """The recipes on the targets asked for; fails where that is none."""
    failed: list[Failure] = []
    found = list(_readable(selected, failed.append))
    wanted = [
        each for each in found if each.target.name in (selected.targets or [each.target.name])
    ]
    for each in failed:
        fail(each)
    if not wanted and not failed:
        fail(Failure(error=UsageError(_nothing(selected, found)), exit_code=NOTHING))
    return wanted


def _apart(recipes: list[Recipe], fail: Fail) -> Iterator[Recipe]:
    """The recipes whose results go to a folder of their own; of others only the first."""
    taken: dict[Path, Recipe] = {}
    for recipe in recipes:
        first = taken.setdefault(recipe.outputs.dir.resolve(), recipe)
        if first is recipe:
            yield recipe
            continue
        message = f"the results of {first.path} go to the same folder, {str(recipe.outputs.dir)!r}"
        hint = "give each recipe a name, or an outputs.dir, of its own"
        problem = Problem(recipe.locate("outputs", "dir"), message, hint)
        fail(failure(RecipeError([problem]), recipe.path, recipe.target.name))


def _readable(selected: Selected, fail: Fail) -> Iterator[Recipe]:
    """The recipes that can be read; abstract ones only where their file is named."""
    try:
        files = select_files(selected.paths)
    except RunnerError as error:
        fail(failure(error))
        return
    named = {located(path) for path in selected.paths}
    for file in files:
        try:
            recipes = _read(file, selected, selected.edits)
        except RunnerError as error:
            fail(failure(error, file))
        else:
            yield from (r for r in recipes if not r.abstract or file in named)


def read_again(recipe: Recipe, selected: Selected, edits: Sequence[Edit]) -> Recipe:
    """The recipe for its target, with more edits made."""
    again = _read(recipe.path, selected, (*selected.edits, *edits))
    return next(each for each in again if each.target.name == recipe.target.name)


def _read(file: Path, selected: Selected, edits: Sequence[Edit]) -> tuple[Recipe, ...]:
    return read(
        file,
        roots=selected.roots,
        profile=selected.profile,
        variables=selected.variables,
        edits=edits,
    )


def _nothing(selected: Selected, found: list[Recipe]) -> str:
    if not found:
        return f"nothing selected: no recipe in {listed(map(str, selected.paths), 'and')}"
    names = sorted({each.target.name for each in found})
    hint = "".join(suggest(name, names) for name in selected.targets[:1])
    wanted = listed(selected.targets)
    return f"nothing selected: no recipe has the target {wanted}; there are {listed(names)}{hint}"
