"""`recipe catalog`: recipes that a team shares, pinned by `recipe.lock`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from runner.catalog.checkout import resolve_rev
from runner.catalog.find import SCHEME, Catalog, folder_of, known_catalogs
from runner.catalog.lock import Locked, lock_path, read_lock, write_lock
from runner.catalog.pin import (
    SHOWN_DIGITS,
    Contents,
    cautions,
    contents_of,
    expect_fixed,
    fetch_locked,
    lock_catalog,
    verify_catalog,
)
from runner.cli.emit import emit_json
from runner.cli.exits import DONE, FAILED, MISSING, NOTHING
from runner.cli.options import Output, output_options, read_output
from runner.document.names import listed, suggest
from runner.errors import RunnerError, UsageError
from runner.header import Header
from runner.project import PROJECT_FILE, URL, Project, Source, read_project, source_faults
from runner.recipe.roots import find_project_file
from runner.text_file import write_text

HEAD = "HEAD"

frozen_option = click.option(
    "--frozen", is_flag=True, help="Refuse a tag or a branch, which can move."
)

partial_option = click.option(
    "--partial",
    "is_partial",
    is_flag=True,
    help="Lock nothing of what recipes read that can't be read here, instead of refusing; verify "
    "warns of them.",
)


@click.group()
def command() -> None:
    """Share recipes: catalogs of a project, which are listed in recipes.toml and locked.

    A catalog is a folder with catalog.yaml, by itself or in a git repository. Its recipes are
    catalog:NAME/PATH wherever a recipe file is named, and under `extends`. Only `add` and `update`
    fetch anything.
    """


@command.command()
@click.argument("name")
@click.argument("source", metavar="URL|DIR")
@click.option("--rev", help="Commit, tag or branch.  [default: the commit that HEAD is now]")
@click.option("--folder", default="", help="Where catalog.yaml is in it.")
@frozen_option
@partial_option
@output_options
def add(
    *,
    name: str,
    source: str,
    rev: str | None,
    folder: str,
    frozen: bool,
    is_partial: bool,
    **options: Any,
) -> int:
    """Fetch a catalog, and write it to recipes.toml and recipe.lock."""
    output, path = read_output(options), _project_file() or Path.cwd() / PROJECT_FILE
    project = read_project(path) if path.exists() else Project(path=path)
    if name in project.catalogs:
        message = f"there is a catalog {name!r} already; edit {PROJECT_FILE} and run update"
        raise UsageError(message)
    words = _words(source, rev, folder)
    for _, fault in source_faults(name, words):
        raise UsageError(fault)
    if "git" in words and rev is None:
        words["rev"] = resolve_rev(words["git"], HEAD)
    new = _source(name, words, project)
    locked = lock_catalog(new, project, is_partial=is_partial)
    if frozen:
        expect_fixed(new, locked.commit)
    before = path.read_text("utf-8").rstrip() + "\n\n" if path.exists() else ""
    lines = [f"{key} = {json.dumps(value)}" for key, value in words.items()]
    write_text(path, "\n".join([f"{before}[catalogs.{name}]", *lines, ""]))
    write_lock(lock_path(path), {**read_lock(lock_path(path)), name: locked})
    return _tell({name: locked}, [new], output)


@command.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--locked", "is_locked", is_flag=True, help="Fetch what recipe.lock says, as it is.")
@frozen_option
@partial_option
@output_options
def update(
    *, names: tuple[str, ...], is_locked: bool, frozen: bool, is_partial: bool, **options: Any
) -> int:
    """Fetch catalogs anew and lock what they are now; with --locked, change nothing."""
    output, project = read_output(options), _project()
    known = known_catalogs(project.path)
    found: dict[str, Locked] = {}
    for catalog in _named(names, known):
        if catalog.source is None:
            continue
        if is_locked:
            found[catalog.name] = _as_locked(catalog, catalog.source)
        else:
            found[catalog.name] = lock_catalog(
                catalog.source, project, catalog.locked, is_partial=is_partial
            )
        if frozen:
            expect_fixed(catalog.source, found[catalog.name].commit)
    if not is_locked:
        kept = {n: each for n, each in read_lock(lock_path(project.path)).items() if n in known}
        write_lock(lock_path(project.path), {**kept, **found})
    return _tell(found, project.catalogs.values(), output)


@command.command("list")
@output_options
def list_catalogs(**options: Any) -> int:
    """List the catalogs of the project and of installed packages."""
    output, path = read_output(options), _project_file()
    rows = [_row(each) for each in known_catalogs(path).values()]
    return _show("catalogs", rows, output)


@command.command()
@click.argument("words", nargs=-1)
@output_options
def search(*, words: tuple[str, ...], **options: Any) -> int:
    """List the recipes of all catalogs that have all WORDS in name, title, tags or owner."""
    output = read_output(options)
    rows = []
    for catalog in known_catalogs(_project_file()).values():
        try:
            folder = folder_of(catalog)
        except RunnerError as error:
            click.echo(f"left out: {error}", err=True)
            continue
        found = contents_of(folder)
        rows += [_recipe(catalog, folder, each) for each in found.headers if _has(each, words)]
        _warn_unreadable(catalog.name, found)
    return _show("recipes", rows, output)


@command.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@frozen_option
@output_options
def verify(*, names: tuple[str, ...], frozen: bool, **options: Any) -> int:
    """Compare catalogs, and the models and data of their recipes, with recipe.lock.

    Exit 1 where something has changed, 4 where something is not here. Fetches nothing.
    """
    output, project = read_output(options), _project()
    chosen = _named(names, known_catalogs(project.path))
    for catalog in chosen if frozen else ():
        if catalog.source is not None:
            expect_fixed(catalog.source, catalog.locked.commit if catalog.locked else "")
    found = [verify_catalog(each, project) for each in chosen]
    changed, absent = (any(each.changed for each in found), any(each.absent for each in found))
    code = MISSING if absent else FAILED if changed else DONE
    if output.json:
        emit_json(code, [], {"catalogs": [asdict(each) for each in found]})
        return code
    for each in found:
        for text in each.warnings:
            click.echo(f"warning: {text}", err=True)
        wrong = [f"changed: {text}" for text in each.changed]
        wrong += [f"absent: {text}" for text in each.absent]
        for text in wrong or ["ok"]:
            click.echo(f"{each.name}: {text}")
    return code


def _project_file() -> Path | None:
    return find_project_file(Path.cwd() / PROJECT_FILE)


def _project() -> Project:
    path = _project_file()
    if path is None:
        message = f"there is no {PROJECT_FILE} here or above; see: recipe catalog add"
        raise UsageError(message)
    return read_project(path)


def _named(names: Iterable[str], known: dict[str, Catalog]) -> list[Catalog]:
    """The catalogs of these names; without names all."""
    for name in names:
        if name not in known:
            message = f"unknown catalog {name!r}; there are {listed(known)}{suggest(name, known)}"
            raise UsageError(message)
    return [each for name, each in known.items() if name in (tuple(names) or known)]


def _as_locked(catalog: Catalog, source: Source) -> Locked:
    """What the lock says of the catalog, which is here then."""
    if catalog.locked is None:
        message = f"the catalog {catalog.name!r} is not locked; run update without --locked"
        raise UsageError(message)
    fetch_locked(source, catalog.locked)
    return catalog.locked


def _words(source: str, rev: str | None, folder: str) -> dict[str, str]:
    """The table of recipes.toml; a folder that is a repository is written as an address."""
    path = Path(source)
    is_address = URL.fullmatch(source) or not path.is_dir()
    words = {"git": source} if is_address else {"path": source}
    if not is_address and (rev is not None or _is_repository(path)):
        words = {"git": path.resolve().as_uri()}
    if "git" in words:
        words["rev"] = HEAD if rev is None else rev
    elif rev is not None:
        message = f"{source!r} is a folder; a rev is of a git repository"
        raise UsageError(message)
    return {**words, **({"folder": folder} if folder else {})}


def _is_repository(folder: Path) -> bool:
    return (folder / ".git").exists() or (folder / "objects").is_dir()


def _source(name: str, words: dict[str, str], project: Project) -> Source:
    if "path" not in words:
        return Source(name=name, **words)  # type: ignore[arg-type]
    here = project.path.absolute().parent
    words["path"] = Path(os.path.relpath(Path(words["path"]).resolve(), here.resolve())).as_posix()
    return Source(name=name, path=here / words["path"], folder=words.get("folder", ""))


def _row(catalog: Catalog) -> dict[str, Any]:
    source, locked = catalog.source, catalog.locked
    try:
        state = str(len(contents_of(folder_of(catalog)).headers))
    except RunnerError as error:
        state = str(error)
    return {
        "name": catalog.name,
        "from": catalog.package if source is None else source.git or str(source.path),
        "rev": "" if source is None else source.rev,
        "commit": "" if locked is None else locked.commit,
        "recipes": state,
    }


def _recipe(catalog: Catalog, folder: Path, header: Header) -> dict[str, Any]:
    inner = header.path.relative_to(folder).with_suffix("").as_posix()
    return {
        "recipe": f"{SCHEME}{catalog.name}/{inner}",
        "title": header.title,
        "owner": header.owner,
        "targets": [] if header.abstract else [each.name for each in header.targets],
        "tags": list(header.tags),
    }


def _has(header: Header, words: Iterable[str]) -> bool:
    text = " ".join([header.name, header.title, header.owner, *header.tags]).casefold()
    return all(word.casefold() in text for word in words)


def _warn_unreadable(name: str, found: Contents) -> None:
    for path, error in list(found.errors.items())[:1]:
        count = len(found.errors)
        click.echo(f"{name}: {count} recipes can't be read, such as {path}: {error}", err=True)


def _tell(found: dict[str, Locked], sources: Iterable[Source], output: Output) -> int:
    """What was locked, and warnings of what that does not hold fast."""
    for source in sources:
        for text in cautions(source, found[source.name]) if source.name in found else ():
            click.echo(f"warning: {text}", err=True)
    if output.json:
        rows = {n: {"commit": e.commit, "content": e.content} for n, e in found.items()}
        emit_json(DONE, [], {"catalogs": rows})
        return DONE
    for name, each in found.items():
        what = f"{each.rev} is {each.commit[:SHOWN_DIGITS]}" if each.git else "a folder"
        click.echo(f"{name}: {what}, {len(each.inputs)} models and datasets outside of it")
    return DONE


def _show(what: str, rows: list[dict[str, Any]], output: Output) -> int:
    code = DONE if rows else NOTHING
    if output.json:
        emit_json(code, [], {what: rows})
        return code
    if not rows:
        click.echo(f"no {what} found", err=True)
        return code
    from runner.cli.console import make_console
    from runner.report.tables import print_table

    cells = [
        [", ".join(v) if isinstance(v, list) else str(v) for v in row.values()] for row in rows
    ]
    print_table(make_console(sys.stdout, color=output.color), list(rows[0]), cells)
    return code
