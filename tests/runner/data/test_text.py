from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from runner.data.open import open_dataset
from runner.data.sample import InputInfo
from runner.errors import DataError
from tests.runner.data.builders import source

VOCABULARY = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "good": 4, "bad": 5, "film": 6}


def inputs(*names: str) -> tuple[InputInfo, ...]:
    return tuple(InputInfo(name=name, shape=(1, None), dtype=np.dtype("int64")) for name in names)


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "a.tsv").write_text("good film\tbad\t1\ngood good good good good\tbad\t0\n")
    return {
        "path": tmp_path / "a.tsv",
        "columns": {"text": 0, "label": 2},
        "tokenizer": tmp_path / "tokenizer.json",
        "max_length": 6,
    }


def test_tokens_are_padded_on_the_right(options: dict[str, Any]) -> None:
    dataset = open_dataset(source("text", **options), inputs("input_ids", "attention_mask"))
    sample = dataset[0]
    assert sample.inputs["input_ids"].tolist() == [[1, 4, 6, 2, 3, 3]]
    assert sample.inputs["attention_mask"].tolist() == [[1, 1, 1, 1, 0, 0]]
    assert (sample.id, sample.label, dataset.has_labels) == ("a.tsv:1", 1, True)


def test_tokens_are_cut(options: dict[str, Any]) -> None:
    sample = open_dataset(source("text", **options), inputs("input_ids"))[1]
    assert sample.inputs["input_ids"].tolist() == [[1, 4, 4, 4, 4, 2]]


def test_a_pair_of_texts_has_type_ids(options: dict[str, Any]) -> None:
    options["columns"] = {"text": 0, "text_pair": 1}
    sample = open_dataset(source("text", **options), inputs("input_ids", "token_type_ids"))[0]
    assert sample.inputs["input_ids"].tolist() == [[1, 4, 6, 2, 5, 2]]
    assert sample.inputs["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1]]
    assert sample.label is None


def test_the_tokenizers_own_padding_is_kept(options: dict[str, Any]) -> None:
    tokenizer = Tokenizer.from_file(str(options["tokenizer"]))
    tokenizer.enable_padding(direction="left", pad_id=5, pad_token="bad")
    tokenizer.save(str(options["tokenizer"]))
    sample = open_dataset(source("text", **options), inputs("input_ids"))[0]
    assert sample.inputs["input_ids"].tolist() == [[1, 4, 6, 2, 5, 5]]


def test_inputs_with_other_names_are_mapped(options: dict[str, Any]) -> None:
    options["inputs"] = {"64": "attention_mask", "tokens": "ids"}
    sample = open_dataset(source("text", **options), inputs("tokens", "64"))[0]
    assert {name: x[0, 0].item() for name, x in sample.inputs.items()} == {"tokens": 1, "64": 1}


def test_samples_are_the_same_from_several_threads(options: dict[str, Any]) -> None:
    dataset = open_dataset(source("text", **options), inputs("input_ids"))
    order = [0, 1] * 50
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(dataset.__getitem__, order))
    assert [sample.id for sample in found] == [f"a.tsv:{i + 1}" for i in order]


@pytest.mark.parametrize(
    ("changes", "names", "message"),
    [
        ({}, ("input_ids", "64"), r"nothing feeds the model's input\(s\) '64'"),
        ({"inputs": {"tokens": "ids"}}, ("token",), "'tokens': 'ids'.*did you mean 'token'"),
        ({"inputs": {"t": "attention"}}, ("t",), "'attention'; .*did you mean 'attention_mask'"),
    ],
)
def test_inputs_that_do_not_suit_are_refused(
    changes: dict[str, Any], names: tuple[str, ...], message: str, options: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match=message):
        open_dataset(source("text", **options, **changes), inputs(*names))


@pytest.mark.parametrize("content", ["", "{}", "not json"])
def test_a_broken_tokenizer_is_refused(content: str, options: dict[str, Any]) -> None:
    options["tokenizer"].write_text(content)
    with pytest.raises(DataError, match=r"expected a tokenizer\.json"):
        open_dataset(source("text", **options), inputs("input_ids"))


def test_text_takes_no_preprocessing(options: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="loader 'text' takes no preprocessing"):
        open_dataset(source("text", ({"use": "normalize"},), **options), inputs("input_ids"))
