"""Loader `image_folder`: one folder of pictures per class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.data.picture import EXTENSIONS, read_pixels
from runner.data.record import Origin, Record
from runner.data.sample import InputInfo
from runner.document.names import listed, suggest
from runner.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderRecords:
    """Files with their class index, by class and then by name."""

    path: Path
    input_name: str
    files: tuple[tuple[Path, int], ...]
    has_labels: bool = True
    has_pictures: bool = True

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> Record:
        file, label = self.files[index]
        name = file.relative_to(self.path).as_posix()
        return Record(id=name, arrays={self.input_name: read_pixels(file)}, label=label)

    def origin(self, index: int) -> tuple[Origin, ...]:
        return self.files[index]


def open_image_folder(
    model_inputs: tuple[InputInfo, ...],
    *,
    path: Path,
    classes: Sequence[str] | None = None,
    extensions: Sequence[str] | None = None,
) -> FolderRecords:
    """Records of the pictures in the folders of `path`.

    `classes`: folder names in the order of the class indices (default: sorted names; a class
    without a folder has no pictures); `extensions`: with or without the dot, any case. Without
    `shuffle` the first samples are those of the first class.
    """
    folders = list_files(path, folders=True)
    names = [folder.name for folder in folders] if classes is None else list(classes)
    _check_folders(folders, names, path)
    wanted = EXTENSIONS if extensions is None else tuple(_suffix(item) for item in extensions)
    files = tuple(
        (file, names.index(folder.name))
        for folder in sorted(folders, key=lambda folder: names.index(folder.name))
        for file in list_files(folder)
        if file.suffix.lower() in wanted
    )
    return FolderRecords(path=path, input_name=only_input(model_inputs, path), files=files)


def list_files(path: Path, *, folders: bool = False) -> list[Path]:
    """The visible files (or folders) of a folder, sorted by name."""
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        message = f"the folder can't be listed ({error.strerror}); expected a folder of pictures"
        raise DataError(message, path) from error
    return [p for p in entries if not p.name.startswith(".") and p.is_dir() == folders]


def only_input(model_inputs: tuple[InputInfo, ...], path: Path) -> str:
    """The name of the model's only input, which is what a picture can feed."""
    if len(model_inputs) != 1:
        names = listed((item.name for item in model_inputs), "and")
        message = f"a picture feeds one input, and the model has {names}; use the loader 'npz'"
        raise DataError(message, path)
    return model_inputs[0].name


def _check_folders(folders: Sequence[Path], names: Sequence[str], path: Path) -> None:
    if not folders:
        message = "no class folders found; expected one folder per class (or use loader 'images')"
        raise DataError(message, path)
    for folder in folders:
        if folder.name not in names:
            message = f"folder {folder.name!r} is no class; 'classes' names {listed(names, 'and')}"
            raise DataError(message + suggest(folder.name, names), path)


def _suffix(extension: str) -> str:
    return "." + extension.lower().lstrip(".")
