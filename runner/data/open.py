"""Opening a dataset: the table of loaders, and the samples that a recipe asks of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner import plugins
from runner.data import extras, preprocessing
from runner.data.extras import Extra
from runner.data.fit import fit_array, fit_picture
from runner.data.image_folder import open_image_folder
from runner.data.images import open_images
from runner.data.npz import open_npz
from runner.data.picture import from_array
from runner.data.record import Record, Records
from runner.data.sample import InputInfo, Sample
from runner.data.text import open_text
from runner.document.names import listed, suggest
from runner.errors import DataError, MissingExtra
from runner.plugins import Table
from runner.recipe.recipe import DatasetSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """How records are opened, and the optional package that it takes.

    `schema`: the keys of a loader that an installed package adds, as in
    `runner.recipe.schemas.datasets`; those of ours stand there.
    """

    open: Callable[..., Records]
    extra: Extra | None = None
    takes_preprocessing: bool = True
    schema: Mapping[str, Any] | None = None


SHIPPED: Mapping[str, Loader] = {
    "npz": Loader(open=open_npz),
    "image_folder": Loader(open=open_image_folder, extra=extras.VISION),
    "images": Loader(open=open_images, extra=extras.VISION),
    "text": Loader(open=open_text, extra=extras.TEXT, takes_preprocessing=False),
}
LOADERS: Mapping[str, Loader] = Table(own=SHIPPED, group=plugins.LOADERS, view=lambda each, _: each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The samples that were asked for, made ready for the model one at a time, from any thread.

    Attributes:
        indices: positions among the records, in the order of the samples.
        requested: how many samples were asked for (None: all); `len` may be less.
    """

    records: Records
    inputs: tuple[InputInfo, ...]
    preprocessing: tuple[Mapping[str, Any], ...]
    indices: tuple[int, ...]
    requested: int | None

    @property
    def has_labels(self) -> bool:
        return self.records.has_labels

    @property
    def is_short(self) -> bool:
        """Whether there are fewer samples than were asked for."""
        return self.requested is not None and len(self) < self.requested

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        record = self.records.read(self.indices[index])
        try:
            return self._make_sample(record)
        except DataError as error:
            message = f"sample {record.id!r}: {error.message}"
            raise DataError(message, self.records.path) from error

    def _make_sample(self, record: Record) -> Sample:
        if self.preprocessing or self.records.has_pictures:
            (model_input,) = self.inputs
            picture = preprocessing.preprocess(
                from_array(record.arrays[model_input.name]), self.preprocessing
            )
            arrays = {model_input.name: fit_picture(picture, model_input)}
            return Sample(id=record.id, inputs=arrays, label=record.label, meta=picture.meta)
        arrays = {item.name: fit_array(record.arrays[item.name], item) for item in self.inputs}
        return Sample(id=record.id, inputs=arrays, label=record.label)


def open_dataset(source: DatasetSource, inputs: tuple[InputInfo, ...]) -> Selection:
    """The dataset that `source` describes, for a model with these inputs.

    Raises:
        DataError: the data can't be read, does not suit the model, or is empty.
        MissingExtra: an optional package is not installed.
    """
    loader = _loader(source)
    absent = missing_extra(source)
    if absent is not None:
        raise absent
    records = loader.open(inputs, **source.options)
    _check_preprocessing(source, loader, inputs, records)
    indices = choose_samples(len(records), source)
    if not indices:
        message = "the dataset is empty; expected at least one sample"
        raise DataError(message, records.path)
    return Selection(
        records=records,
        inputs=inputs,
        preprocessing=source.preprocessing,
        indices=indices,
        requested=source.samples,
    )


def missing_extra(source: DatasetSource) -> MissingExtra | None:
    """The error for a package that this dataset needs and that is not installed, else None."""
    needed_by = f"loader {source.loader!r}"
    absent = extras.missing(_loader(source).extra, needed_by)
    return absent or extras.missing(
        preprocessing.needed_extra(source.preprocessing), f"preprocessing for {needed_by}"
    )


def choose_samples(available: int, source: DatasetSource) -> tuple[int, ...]:
    """Indices of the samples: the first ones in file order, or drawn by `shuffle` and `seed`."""
    order: Sequence[int] = range(available)
    if source.shuffle:
        order = np.random.default_rng(source.seed).permutation(available).tolist()
    return tuple(order[: source.samples])


def _loader(source: DatasetSource) -> Loader:
    if source.loader not in LOADERS:
        message = f"unknown loader {source.loader!r}; expected {listed(LOADERS)}"
        raise DataError(message + suggest(source.loader, LOADERS))
    return LOADERS[source.loader]


def _check_preprocessing(
    source: DatasetSource, loader: Loader, inputs: tuple[InputInfo, ...], records: Records
) -> None:
    if source.preprocessing and not loader.takes_preprocessing:
        message = f"loader {source.loader!r} takes no preprocessing; remove it"
        raise DataError(message, records.path)
    if source.preprocessing and len(inputs) != 1:
        message = f"preprocessing works on one picture, and the model has {len(inputs)} inputs"
        raise DataError(message, records.path)
