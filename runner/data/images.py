"""Loader `images`: pictures of a folder or a glob, with boxes in YOLO text files or no labels."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path

from runner.data.image_folder import list_files, only_input
from runner.data.picture import EXTENSIONS, read_pixels
from runner.data.record import Origin, Record
from runner.data.sample import InputInfo
from runner.data.yolo_labels import read_yolo_labels
from runner.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRecords:
    """Picture files sorted by path; `labels` is the folder of text files by stem."""

    path: Path
    input_name: str
    files: tuple[Path, ...]
    labels: Path | None
    has_pictures: bool = True

    @property
    def has_labels(self) -> bool:
        return self.labels is not None

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> Record:
        file = self.files[index]
        label = None if self.labels is None else read_yolo_labels(label_file(self.labels, file))
        return Record(id=file.name, arrays={self.input_name: read_pixels(file)}, label=label)

    def origin(self, index: int) -> tuple[Origin, ...]:
        file = self.files[index]
        return (file,) if self.labels is None else (file, label_file(self.labels, file))


def open_images(
    model_inputs: tuple[InputInfo, ...], *, path: Path, labels: Path | None = None
) -> PictureRecords:
    """Records of the pictures in the folder `path` (not below it), or of those a glob matches.

    `labels`: a folder of .txt files by the pictures' stems; a picture without one has no objects.
    """
    files = tuple(_find(path))
    if labels is not None and files:
        _check_labels(labels, files)
    return PictureRecords(
        path=path, input_name=only_input(model_inputs, path), files=files, labels=labels
    )


def label_file(folder: Path, picture: Path) -> Path:
    """Where the labels of a picture are."""
    return folder / f"{picture.stem}.txt"


def _find(path: Path) -> list[Path]:
    if glob.has_magic(str(path)) and not path.is_dir():
        # The pattern is an absolute path, which Path.glob does not take.
        return sorted(p for p in map(Path, glob.glob(str(path))) if p.is_file())  # noqa: PTH207
    return [file for file in list_files(path) if file.suffix.lower() in EXTENSIONS]


def _check_labels(folder: Path, files: tuple[Path, ...]) -> None:
    if not folder.is_dir():
        message = "no such folder; 'labels' expects the folder of the pictures' .txt files"
        raise DataError(message, folder)
    if not any(label_file(folder, file).is_file() for file in files):
        message = (
            f"no label file for any of the {len(files)} pictures; "
            f"expected names like {label_file(folder, files[0]).name!r}"
        )
        raise DataError(message, folder)
