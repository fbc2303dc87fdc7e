"""Recipes of a catalog read nothing outside of it, however the way out is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.runner.catalog.builders import commit, write_catalog, write_child
from tests.runner.catalog.conftest import Call
from tests.runner.test_model_digest import external, field, tensor


@dataclass(frozen=True, kw_only=True)
class Escape:
    """A way out: what is done to the catalog, and where the error stands in which file."""

    id: str
    edit: Callable[[Path], None]
    place: str
    words: str


def replaced(old: str, new: str, name: str = "tiny.yaml") -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new.format(above=folder.parent)))

    return edit


def linked(name: str, to: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(to.format(above=folder.parent))

    return edit


def linked_folder(folder: Path) -> None:
    """Pictures of which one is a link."""
    (folder / "pictures" / "a").mkdir(parents=True)
    (folder / "pictures" / "a" / "x.png").symlink_to(folder.parent / "secret.npz")
    replaced("{loader: npz, path: data.npz}", "{{loader: image_folder, path: pictures}}")(folder)


def linked_weights(model: str, weights: str) -> Callable[[Path], None]:
    """A model with weights that are a link."""

    def edit(folder: Path) -> None:
        (folder / "tiny.bin").unlink()
        (folder / model).write_bytes(external("w.data"))
        linked(weights, "{above}/secret.npz")(folder)
        replaced("tiny.xml", model)(folder)

    return edit


def named_weights(folder: Path) -> None:
    """A model that names a file elsewhere as its weights."""
    (folder / "m.onnx").write_bytes(external("../secret.npz"))
    replaced("tiny.xml", "m.onnx")(folder)


def named_in_another_order(folder: Path) -> None:
    """A model that names a file elsewhere, as protobuf may write it, too."""
    entry = field(2, b"../secret.npz") + field(1, b"location")
    (folder / "m.onnx").write_bytes(tensor(entry))
    replaced("tiny.xml", "m.onnx")(folder)


def named_through_a_link(written: str) -> Callable[[Path], None]:
    """A model whose weights are above a folder elsewhere; without the link they are its own."""

    def edit(folder: Path) -> None:
        (folder.parent / "below").mkdir()
        (folder / "link").symlink_to(folder.parent / "below")
        (folder / "secret.npz").write_bytes(b"own")
        (folder / "m.onnx").write_bytes(external(written.format(above=folder.parent)))
        replaced("tiny.xml", "m.onnx")(folder)

    return edit


OUT = "lies outside of the catalog"
ESCAPES = (
    Escape(
        id="dots", edit=replaced("data.npz", "../secret.npz"), place="tiny.yaml:6:36", words=OUT
    ),
    Escape(
        id="absolute",
        edit=replaced("data.npz", '"{above}/secret.npz"'),
        place="tiny.yaml:6:36",
        words=OUT,
    ),
    Escape(
        id="through a variable",
        edit=replaced("data.npz}", '"${{x}}.npz"}}\nvars: {{x: ../secret}}'),
        place="tiny.yaml",
        words="",
    ),
    Escape(
        id="link",
        edit=linked("data.npz", "{above}/secret.npz"),
        place="tiny.yaml:6:36",
        words="the link 'data.npz' leads out",
    ),
    Escape(
        id="relative link",
        edit=linked("data.npz", "../secret.npz"),
        place="tiny.yaml:6:36",
        words="the link 'data.npz' leads out",
    ),
    Escape(
        id="weights",
        edit=linked("tiny.bin", "{above}/secret.npz"),
        place="tiny.yaml:4:15",
        words="the link 'tiny.bin' leads out",
    ),
    Escape(
        id="weights of paddle",
        edit=linked_weights("m.pdmodel", "m.pdiparams"),
        place="tiny.yaml:4:15",
        words="the link 'm.pdiparams' leads out",
    ),
    Escape(
        id="weights of onnx",
        edit=linked_weights("m.onnx", "w.data"),
        place="tiny.yaml:4:15",
        words="the link 'w.data' leads out",
    ),
    Escape(
        id="weights of an .XML",
        edit=linked_weights("m.XML", "m.bin"),
        place="tiny.yaml:4:15",
        words="the link 'm.bin' leads out",
    ),
    Escape(
        id="weights that the model names",
        edit=named_weights,
        place="tiny.yaml:4:15",
        words="secret.npz', which lies outside of the catalog",
    ),
    Escape(
        id="weights that the model names in another order",
        edit=named_in_another_order,
        place="tiny.yaml:4:15",
        words="secret.npz', which lies outside of the catalog",
    ),
    Escape(
        id="weights above a link",
        edit=named_through_a_link("link/../secret.npz"),
        place="tiny.yaml:4:15",
        words="the link 'link/../secret.npz' leads out",
    ),
    Escape(
        id="weights above a link, from the root",
        edit=named_through_a_link("{above}/below/../shared/link/../secret.npz"),
        place="tiny.yaml:4:15",
        words="below/../shared/link/../secret.npz' leads out",
    ),
    Escape(
        id="link below a folder",
        edit=linked_folder,
        place="tiny.yaml:6:45",
        words="the link 'pictures/a/x.png' leads out",
    ),
    Escape(
        id="descriptor",
        edit=replaced("targets: [cpu]", "targets: [../mine.yaml]"),
        place="tiny.yaml:8:11",
        words=OUT,
    ),
    Escape(
        id="base",
        edit=replaced("name: tiny", "name: tiny\nextends: ../secret.yaml"),
        place="tiny.yaml:3:10",
        words=OUT,
    ),
    Escape(
        id="linked base",
        edit=lambda folder: (
            linked("far.yaml", "../secret.yaml")(folder),
            replaced("name: tiny", "name: tiny\nextends: ./far.yaml")(folder),
        )[0],
        place="tiny.yaml:3:10",
        words="the link 'far.yaml' leads out",
    ),
    Escape(
        id="another catalog",
        edit=replaced("name: tiny", "name: tiny\nextends: catalog:team/base"),
        place="tiny.yaml:3:10",
        words="extends its own catalog's recipes only",
    ),
    Escape(
        id="the recipe itself",
        edit=linked("tiny.yaml", "{above}/secret.yaml"),
        place="tiny.yaml:1:1",
        words="the link 'tiny.yaml' leads out",
    ),
    Escape(
        id="results",
        edit=replaced("build/${target}", "../results"),
        place="tiny.yaml",
        words="outside of the working directory",
    ),
    Escape(
        id="environment",
        edit=replaced("name: tiny", "name: tiny\nenv: [HOME]"),
        place="tiny.yaml:3:7",
        words="may not read the variable 'HOME'",
    ),
)


@pytest.fixture
def secrets(tmp_path: Path, tiny: Path) -> None:
    """Files beside the catalog that a recipe would like to read."""
    (tmp_path / "secret.npz").write_bytes((tiny / "data.npz").read_bytes())
    (tmp_path / "secret.yaml").write_text("recipe: 1\nname: secret\nabstract: true\n")


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("escape", ESCAPES, ids=lambda each: each.id)
def test_escapes(escape: Escape, project: Path, tmp_path: Path, tiny: Path, call: Call) -> None:
    folder = write_catalog(tmp_path / "shared", tiny)
    escape.edit(folder)
    code, _, err = call("validate", folder / "tiny.yaml")
    assert code == 2
    assert err.startswith(str(folder / escape.place)), err
    assert escape.words in err


@pytest.mark.usefixtures("secrets")
def test_links_in_a_repository(project: Path, team: Path, call: Call) -> None:
    linked("data.npz", "{above}/secret.npz")(team)
    commit(team)
    call("catalog", "add", "team", team, "--partial")
    code, _, err = call("validate", "catalog:team/tiny")
    assert (code, "the link 'data.npz' leads out of the catalog" in err) == (2, True)


def test_links_within_the_catalog_are_followed(
    project: Path, tmp_path: Path, tiny: Path, call: Call
) -> None:
    folder = write_catalog(tmp_path / "shared", tiny)
    (folder / "data.npz").rename(folder / "real.npz")
    linked("data.npz", "real.npz")(folder)
    assert call("validate", folder / "tiny.yaml")[0] == 0


def test_a_project_file_in_a_catalog_sets_no_roots(project: Path, team: Path, call: Call) -> None:
    (team / "recipes.toml").write_text("[roots]\nall = '/'\n")
    replaced("path: data.npz", "path: 'all://etc/passwd'")(team)
    commit(team)
    call("catalog", "add", "team", team, "--partial")
    code, _, err = call("validate", "catalog:team/tiny")
    assert (code, "the root 'all' is not set" in err) == (4, True)


def test_roots_of_the_project_are_read(project: Path, team: Path, tiny: Path, call: Call) -> None:
    replaced("path: data.npz", "path: 'data://data.npz'")(team)
    commit(team)
    (project / "recipes.toml").write_text(f"[roots]\ndata = '{tiny}'\n")
    call("catalog", "add", "team", team)
    assert call("validate", "catalog:team/tiny")[0] == 0


def test_the_environment_is_granted_by_the_project(
    project: Path, team: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMPLES", "4")
    replaced("name: tiny", "name: tiny\nenv: [SAMPLES]")(team)
    replaced("path: data.npz}", 'path: data.npz, samples: "${{env:SAMPLES}}"}}')(team)
    commit(team)
    call("catalog", "add", "team", team, "--partial")
    assert call("validate", "catalog:team/tiny")[0] == 2
    with (project / "recipes.toml").open("a") as file:
        file.write('env = ["SAMPLES"]\n')
    assert call("validate", "catalog:team/tiny")[0] == 0


def test_a_child_reads_its_own_files(project: Path, team: Path, tiny: Path, call: Call) -> None:
    """What the user's own recipe says is the user's."""
    call("catalog", "add", "team", team)
    child = write_child(project)
    text = f"datasets: {{calibration: {{path: '{tiny / 'data.npz'}'}}}}\n"
    child.write_text(child.read_text() + text)
    assert call("validate", child)[0] == 0
    assert call("validate", child, "--set", f"model.path={tiny / 'tiny.xml'}")[0] == 0
