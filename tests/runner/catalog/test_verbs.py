from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from runner import git as git_module
from tests.runner.catalog.builders import commit, git, write_catalog, write_child
from tests.runner.catalog.conftest import Call


def lock(project: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((project / "recipe.lock").read_text())["catalogs"]
    return found


def test_a_catalog_is_pinned_to_the_commit_that_head_is(
    project: Path, team: Path, call: Call
) -> None:
    head = git(team, "rev-parse", "HEAD").strip()
    code, out, err = call("catalog", "add", "team", team)
    assert (code, err) == (0, "")
    assert "team: " in out
    assert f'rev = "{head}"' in (project / "recipes.toml").read_text()
    assert lock(project)["team"]["commit"] == head
    assert call("validate", write_child(project))[0] == 0


def test_a_locked_catalog_needs_no_repository(project: Path, team: Path, call: Call) -> None:
    call("catalog", "add", "team", team)
    shutil.rmtree(team)
    child = write_child(project)
    assert call("validate", child, "catalog:team/tiny")[0] == 0
    assert call("catalog", "verify")[:2] == (0, "team: ok\n")
    assert call("catalog", "update", "--locked")[0] == 0


def test_a_recipe_of_a_catalog_runs(project: Path, team: Path, call: Call) -> None:
    call("catalog", "add", "team", team)
    code, out, _ = call("apply", "catalog:team/tiny", "--json", "--no-evaluate")
    assert code == 0
    assert json.loads(out)["reports"][0]["recipe"]["name"] == "tiny"
    assert (project / "build" / "cpu" / "report.json").is_file()


def test_a_branch_warns_and_frozen_refuses_it(project: Path, team: Path, call: Call) -> None:
    code, _, err = call("catalog", "add", "team", team, "--rev", "main", "--frozen")
    assert code == 2
    assert "'main' of the catalog 'team' can move" in err
    assert not (project / "recipes.toml").exists()
    code, _, err = call("catalog", "add", "team", team, "--rev", "main")
    assert code == 0
    assert "warning: the rev 'main'" in err
    assert "warning: the rev 'main'" in call("catalog", "verify")[2]
    assert call("catalog", "verify", "--frozen")[0] == 2
    assert call("catalog", "update", "--frozen")[0] == 2


def test_a_branch_moves_with_update_only(project: Path, team: Path, call: Call) -> None:
    call("catalog", "add", "team", team, "--rev", "main")
    first = lock(project)["team"]["commit"]
    (team / "base.yaml").write_text((team / "base.yaml").read_text().replace("[cnn]", "[new]"))
    second = commit(team)
    child = write_child(project)
    assert "cnn" in call("list", "recipes", "recipes", "--json")[1]
    assert call("catalog", "update", "--locked")[0] == 0
    assert lock(project)["team"]["commit"] == first
    assert call("catalog", "update")[0] == 0
    assert lock(project)["team"]["commit"] == second
    rows = json.loads(call("list", "recipes", child, "--json")[1])["recipes"]
    assert rows[0]["tags"] == ["new"]


def test_a_tag_is_the_commit_that_it_names(project: Path, team: Path, call: Call) -> None:
    head = git(team, "rev-parse", "HEAD").strip()
    git(team, "tag", "-a", "v1", "-m", "one")
    commit_file = team / "more.txt"
    commit_file.write_text("more")
    commit(team)
    assert call("catalog", "add", "team", team, "--rev", "v1")[0] == 0
    assert lock(project)["team"]["commit"] == head


def test_another_rev_in_the_project_file_needs_an_update(
    project: Path, team: Path, call: Call
) -> None:
    call("catalog", "add", "team", team, "--rev", "main")
    text = (project / "recipes.toml").read_text()
    (project / "recipes.toml").write_text(text.replace('"main"', '"v2"'))
    child = write_child(project)
    code, _, err = call("validate", child)
    assert code == 4
    assert f"{child}:3:10: the catalog 'team' is locked for another git" in err
    assert "recipe catalog update team" in err


def test_what_is_not_fetched_yet_is_told_at_its_place(
    project: Path, team: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("catalog", "add", "team", team)
    monkeypatch.setenv("RECIPE_CACHE", str(tmp_path / "other-cache"))
    child = write_child(project)
    code, out, _ = call("validate", child, "--json")
    error = json.loads(out)["errors"][0]
    assert (code, error["kind"], error["line"], error["column"]) == (4, "MissingCatalog", 3, 10)
    assert "update --locked team" in error["message"]
    assert call("catalog", "update", "--locked")[0] == 0
    assert call("validate", child)[0] == 0


def test_verify_finds_an_edited_checkout(
    project: Path, team: Path, call: Call, tmp_path: Path
) -> None:
    call("catalog", "add", "team", team)
    (found,) = (tmp_path / ".cache" / "catalogs").rglob("base.yaml")
    found.write_text(found.read_text() + "\n")
    code, out, _ = call("catalog", "verify")
    assert code == 1
    assert "team: changed: the files in" in out
    assert call("catalog", "update", "--locked")[0] == 0
    assert call("catalog", "verify")[0] == 0


def test_an_update_trusts_no_checkout_but_the_locked_one(
    project: Path, team: Path, call: Call, tmp_path: Path
) -> None:
    call("catalog", "add", "team", team)
    before = lock(project)
    (found,) = (tmp_path / ".cache" / "catalogs").rglob("base.yaml")
    text = found.read_text()
    found.write_text(text + "\n")
    assert call("catalog", "update")[0] == 0
    assert (lock(project), found.read_text()) == (before, text)
    found.write_text(text + "\n")
    assert call("catalog", "add", "again", team)[0] == 0
    assert (lock(project)["again"], found.read_text()) == (before["team"], text)
    shutil.rmtree(team)
    assert call("catalog", "update")[0] == 0


def test_a_catalog_with_wrong_recipes_is_not_added(project: Path, team: Path, call: Call) -> None:
    for name in ("one", "two"):
        (team / f"{name}.yaml").write_text(f"recipe: 1\nname: {name}\nstepz: []\n")
    commit(team)
    code, _, err = call("catalog", "add", "team", team)
    assert code == 2
    assert all(f"{name}.yaml:3:1: unknown key 'stepz'" in err for name in ("one", "two")), err
    assert list(project.iterdir()) == [project / ".git"]
    assert call("catalog", "add", "team", team, "--partial")[0] == 0
    assert call("catalog", "update")[0] == 2
    assert call("catalog", "update", "--partial")[0] == 0
    assert call("validate", "catalog:team/tiny")[0] == 0


def test_what_a_recipe_of_a_new_catalog_lacks_here(project: Path, team: Path, call: Call) -> None:
    for name in ("one", "two"):
        text = (team / "tiny.yaml").read_text().replace("tiny.xml", f"'{name}://tiny.xml'")
        (team / f"{name}.yaml").write_text(text)
    commit(team)
    code, _, err = call("catalog", "add", "team", team)
    assert (code, "the root 'one' is not set" in err) == (4, True), err
    assert "the root 'two' is not set" in err


def test_verify_finds_a_changed_model_outside(
    project: Path, tiny: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIPE_ROOT_ZOO", str(tiny))
    folder = write_catalog(tmp_path / "rooted", tiny)
    text = (folder / "tiny.yaml").read_text().replace("tiny.xml", "'zoo://tiny.xml'")
    (folder / "tiny.yaml").write_text(text)
    call("catalog", "add", "rooted", folder)
    assert list(lock(project)["rooted"]["inputs"]) == ["zoo://tiny.bin", "zoo://tiny.xml"]
    assert call("catalog", "verify")[:2] == (0, "rooted: ok\n")
    (tiny / "tiny.xml").rename(tmp_path / "moved.xml")
    (tiny / "tiny.xml").symlink_to(tmp_path / "moved.xml")
    assert call("catalog", "verify")[:2] == (0, "rooted: ok\n")
    (tiny / "tiny.bin").write_bytes((tiny / "tiny.bin").read_bytes()[:-1] + b"\0")
    code, out, _ = call("catalog", "verify")
    assert (code, out) == (1, "rooted: changed: zoo://tiny.bin is not what was locked\n")
    (tiny / "tiny.bin").unlink()
    assert call("catalog", "verify")[0] == 4


def test_what_can_not_be_read_is_not_locked_away(
    project: Path, tiny: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIPE_ROOT_ZOO", str(tiny))
    folder = write_catalog(tmp_path / "rooted", tiny)
    text = (folder / "tiny.yaml").read_text().replace("tiny.xml", "'zoo://tiny.xml'")
    (folder / "tiny.yaml").write_text(text)
    call("catalog", "add", "rooted", folder)
    before = lock(project)
    monkeypatch.delenv("RECIPE_ROOT_ZOO")
    code, _, err = call("catalog", "update")
    assert (code, "the root 'zoo' is not set" in err) == (4, True), err
    assert lock(project) == before
    code, out, _ = call("catalog", "verify")
    assert (code, "rooted: absent: tiny.yaml can't be read: " in out) == (4, True), out
    monkeypatch.setenv("RECIPE_ROOT_ZOO", str(tiny))
    (folder / "tiny.yaml").write_text(text.replace("steps:", "stepz:"))
    assert call("catalog", "update")[0] == 2
    assert lock(project) == before


def test_what_was_left_out_of_the_lock_is_no_change(
    project: Path, tiny: Path, team: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (team / "tiny.yaml").read_text().replace("tiny.xml", "'zoo://tiny.xml'")
    (team / "rooted.yaml").write_text(text)
    (team / "wrong.yaml").write_text("recipe: 1\nname: wrong\nstepz: []\n")
    commit(team)
    _, _, err = call(
        "catalog", "add", "team", team, "--rev", git(team, "rev-parse", "HEAD").strip(), "--partial"
    )
    words = "warning: 'rooted.yaml' could not be read when the catalog 'team' was locked"
    assert words in err
    assert lock(project)["team"]["unread"] == ["rooted.yaml", "wrong.yaml"]
    code, out, err = call("catalog", "verify")
    assert (code, out, err.count("could not be read when")) == (0, "team: ok\n", 2)
    assert words in err
    monkeypatch.setenv("RECIPE_ROOT_ZOO", str(tiny))
    assert call("catalog", "update", "--partial")[0] == 0
    assert lock(project)["team"]["unread"] == ["wrong.yaml"]
    assert list(lock(project)["team"]["inputs"]) == ["zoo://tiny.bin", "zoo://tiny.xml"]
    monkeypatch.delenv("RECIPE_ROOT_ZOO")
    code, out, _ = call("catalog", "verify")
    assert (code, "absent: rooted.yaml can't be read: " in out) == (4, True)


@pytest.mark.parametrize("unread", [[1], None])
def test_a_lock_with_other_recipes_left_out_is_damaged(
    project: Path, team: Path, call: Call, unread: object
) -> None:
    call("catalog", "add", "team", team)
    path = project / "recipe.lock"
    content = json.loads(path.read_text())
    content["catalogs"]["team"]["unread"] = unread
    path.write_text(json.dumps(content))
    code, _, err = call("catalog", "verify")
    assert (code, "not a lock of version 1" in err) == (2, True)


def test_list_and_search(project: Path, team: Path, call: Call) -> None:
    call("catalog", "add", "team", team)
    rows = json.loads(call("catalog", "list", "--json")[1])["catalogs"]
    assert [(row["name"], row["recipes"]) for row in rows] == [("team", "2")]
    rows = json.loads(call("catalog", "search", "ml-team", "--json")[1])["recipes"]
    assert [(row["recipe"], row["owner"]) for row in rows] == [("catalog:team/base", "ml-team")]
    assert call("catalog", "search", "no-such-word")[0] == 5
    rows = json.loads(call("list", "catalog:team", "--json")[1])["recipes"]
    assert [row["name"] for row in rows] == ["tiny"]


@pytest.mark.parametrize(
    ("base", "code", "words"),
    [
        ("catalog:teem/base", 2, "unknown catalog 'teem'; there are 'team' - did you mean 'team'?"),
        ("catalog:team/bas", 2, "has no recipe 'bas' - did you mean 'base'?"),
        ("catalog:team/old", 2, "catalog:team/old has moved; it is catalog:team/tiny now"),
        ("catalog:team/../../base", 2, "lies outside of the catalog"),
        ("catalog:team", 2, "names no recipe"),
    ],
)
def test_wrong_references(
    project: Path, team: Path, call: Call, base: str, code: int, words: str
) -> None:
    call("catalog", "add", "team", team)
    child = write_child(project, base)
    found, _, err = call("validate", child)
    assert (found, err.startswith(f"{child}:3:10: ")) == (code, True)
    assert words in err
    assert call("validate", base)[0] in ((2, 0) if base == "catalog:team" else (2,))


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("ext::sh -c touch% /tmp/x", 2, "is no address of a repository"),
        ("http://example.org/x.git", 2, "is no address of a repository"),
        ("--upload-pack=touch x", 2, "No such option"),
        ("https://me:secret@example.org/x.git", 2, "holds a password"),
        ("file:///no/such/repository", 4, "can't be fetched"),
    ],
)
def test_addresses(project: Path, call: Call, address: str, code: int, words: str) -> None:
    found, _, err = call("catalog", "add", "team", address)
    assert (found, words in err) == (code, True), err
    assert "secret" not in err
    assert list(project.iterdir()) == [project / ".git"]


def test_a_repository_without_a_catalog(project: Path, tmp_path: Path, call: Call) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "file").touch()
    commit(tmp_path / "empty")
    code, _, err = call("catalog", "add", "empty", tmp_path / "empty")
    assert code == 4
    assert "has no catalog.yaml" in err
    assert not (project / "recipes.toml").exists()


def test_no_git(project: Path, team: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_module, "GIT", "no-such-git")
    code, _, err = call("catalog", "add", "team", team)
    assert (code, "needs git, which is not installed" in err) == (4, True)


def test_hooks_and_variables_of_another_git_do_nothing(
    project: Path, team: Path, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a hook of pre-commit; and the user's template brings a hook along."""
    hook = tmp_path / "template" / "hooks" / "post-checkout"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "template"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert call("catalog", "add", "team", team)[0] == 0
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("way", ["file", "variables"])
def test_filters_of_the_user_do_not_run(
    project: Path, team: Path, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    """A fetched repository says which of them its files go through."""
    (team / ".gitattributes").write_text("*.yaml filter=lfs\n")
    commit(team)
    key, command = "filter.lfs.smudge", f"touch {tmp_path}/ran; cat"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    if way == "file":
        git(tmp_path, "config", "--global", key, command)
    else:
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", key)
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", command)
    assert call("catalog", "add", "team", team)[0] == 0
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("name", "place"), [("tiny.bin", "4:15"), ("data.npz", "6:36")])
def test_pointers_of_git_lfs(project: Path, team: Path, call: Call, name: str, place: str) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1\n"
    (team / name).write_text(pointer)
    code, _, err = call("validate", team / "tiny.yaml")
    assert (code, err.startswith(f"{team / 'tiny.yaml'}:{place}: ")) == (2, True), err
    assert "is a pointer of git-lfs in place of the file; run: git lfs pull" in err


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[catalogs.team]\npath = 'x'\nurl = 'x'\n", "3:1", "unknown key 'url'"),
        ("[catalog.team]\npath = 'x'\n", "1:2", "unknown table 'catalog'"),
        ("[catalogs.team]\npath = 'x'\ngit = 'https://e.org/x'\nrev='a'\n", "1:11", "either"),
        ("[catalogs.team]\ngit = 'https://e.org/x'\n", "1:11", "has no rev"),
        ("[catalogs.team]\ngit = 'https://e.org/x'\nrev = '--x'\n", "3:1", "is no commit"),
        ("[catalogs.team]\npath = 'x'\nfolder = '../y'\n", "3:1", "lies outside"),
        ("[catalogs.team]\npath = 'x'\nenv = 'DATA'\n", "3:1", "env lists names"),
        ("[catalogs\n", "1:1", "not valid TOML"),
    ],
)
def test_a_wrong_project_file(project: Path, call: Call, text: str, place: str, words: str) -> None:
    (project / "recipes.toml").write_text(text)
    code, _, err = call("catalog", "list")
    assert (code, err.startswith(f"{project / 'recipes.toml'}:{place}: ")) == (2, True), err
    assert words in err


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        '{"lock": 2}',
        '{"lock": 1, "catalogs": [1]}',
        '{"lock": 1, "catalogs": {"team": {"git": "g", "commit": "../..", "content": ""}}}',
        '{"lock": 1, "catalogs": {"team": {"content": 1}}}',
    ],
)
def test_a_damaged_lock(project: Path, team: Path, call: Call, damage: str) -> None:
    call("catalog", "add", "team", team)
    (project / "recipe.lock").write_text(damage)
    code, _, err = call("catalog", "verify")
    assert (code, err.startswith(f"{project / 'recipe.lock'}:1:1: not a lock")) == (2, True)


def test_items_of_a_catalog_are_named_by_it(project: Path, team: Path, call: Call) -> None:
    """So what became of them is found again behind an update."""
    call("catalog", "add", "team", team)
    code, out, _ = call("test", "catalog:team", "--no-evaluate", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["selected"] == ["catalog:team/tiny.yaml::cpu::drop"]
    assert call("validate", "catalog:team/tiny.yaml")[0] == 0


@pytest.mark.parametrize("cache", ["../cache", "{tmp}/build/../cache"])
def test_state_modified_sees_a_catalog_that_is_locked_anew(
    cache: str,
    project: Path,
    team: Path,
    tmp_path: Path,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RECIPE_CACHE", cache.format(tmp=tmp_path))

    def selected(*words: str) -> list[str]:
        words = ("--collect-only", "--json", "--select", "state:modified", *words)
        found: list[str] = json.loads(call("test", *words)[1])["selected"]
        return found

    (project / ".git").rmdir()
    for name in ("team", "other"):
        call("catalog", "add", name, team, "--rev", "main")
    child = write_child(project)
    other = child.with_name("other.yaml")
    other.write_text(child.read_text().replace("team", "other").replace("child", "other"))
    commit(project)
    assert selected() == selected("catalog:team") == []
    (team / "base.yaml").write_text((team / "base.yaml").read_text().replace("[cnn]", "[new]"))
    commit(team)
    call("catalog", "update", "team")
    assert selected() == ["recipes/child.yaml::cpu::runs"]
    assert selected("catalog:team") == ["catalog:team/tiny.yaml::cpu::drop"]
    assert selected("catalog:other") == []
    commit(project)
    assert selected() == []


def test_what_was_fetched_is_not_edited(project: Path, team: Path, call: Call) -> None:
    (team / "base.yaml").write_text("name: base\nabstract: true\nrecipe:   1\n")
    commit(team)
    call("catalog", "add", "team", team)
    code, _, err = call("fmt", "catalog:team/base")
    assert (code, "is the copy of a catalog" in err) == (2, True)
    assert call("apply", "catalog:team/tiny", "--no-benchmark")[0] == 0
    code, _, err = call("baseline", "accept", "catalog:team/tiny")
    assert (code, "change it in the catalog's repository" in err) == (2, True)
    assert call("catalog", "verify")[0] == 0


def test_a_server_that_hands_out_no_single_commits(
    project: Path, team: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As all do for commits that no branch ends with, in git's first protocol."""
    first = git(team, "rev-parse", "HEAD").strip()
    (team / "more.txt").touch()
    commit(team)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.version")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "0")
    assert call("catalog", "add", "team", team, "--rev", first)[0] == 0
    assert call("validate", "catalog:team/tiny")[0] == 0
    assert call("catalog", "add", "other", team, "--rev", "0" * 40)[0] == 4
