"""Einsum of two tensors -> MatMul, with the transposes and reshapes that it stands for.

OpenVINO makes a MatMul of an Einsum, too, but at load, when no quantizer has its place in front of
it any more. Linear layers of Keras and Flax are written so, and attention in many models.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from math import prod
from typing import NamedTuple

import numpy as np

from quant.runtime import opset, ov


def matmuls_instead(model: ov.Model) -> bool:
    """Replaces every Einsum that is one product of matrices by a MatMul of its name; whether there
    was any.

    Those are of two tensors of known rank, each label once in a tensor, with labels that both have
    and are summed up, and labels of each one alone, all of which the result has. Others stay, and
    so do those that repeat a tensor along what is summed up, or whose reshapes can't be written.
    """
    found = [node for node in model.get_ordered_ops() if node.get_type_name() == "Einsum"]
    replaced = [_replace(node) for node in found]
    return any(replaced)


class _Operand(NamedTuple):
    """A tensor, the label of each of its axes, and the lengths of these, None where unknown."""

    tensor: ov.Output
    labels: str
    sizes: dict[str, int | None]

    @property
    def is_constant(self) -> bool:
        return bool(self.tensor.get_node().get_type_name() == "Constant")


def _operand(tensor: ov.Output, labels: str) -> _Operand:
    shape = tensor.get_partial_shape()
    lengths = [each.get_length() if each.is_static else None for each in shape]
    return _Operand(tensor, labels, dict(zip(labels, lengths, strict=True)))


def _replace(node: ov.Node) -> bool:
    labels = _labels(node)
    if labels is None:
        return False
    operands, result = [_operand(node.input_value(i), labels[i]) for i in range(2)], labels[2]
    batch = "".join(label for label in result if all(label in each.labels for each in operands))
    left, right = sorted(operands, key=lambda each: _rank(each, batch, result))
    rows, columns = (
        "".join(label for label in result if label in each.labels and label not in batch)
        for each in (left, right)
    )
    summed = "".join(label for label in left.labels if label not in result)
    needed = [{*batch, *rows, *summed}, {*batch, *columns, *summed}]
    if not (rows and columns and summed) or [{*left.labels}, {*right.labels}] != needed:
        return False
    if not _is_summed_alike([(left.sizes[label], right.sizes[label]) for label in summed]):
        return False
    is_turned = right.is_constant or right.labels.index(columns[0]) < right.labels.index(summed[0])
    heads = [*batch, rows] if batch else [*rows]  # a matrix multiplies rows of any number of axes
    matrix = (columns, summed) if is_turned else (summed, columns)
    a, b = _merged(left, [*heads, summed]), _merged(right, [*batch, *matrix])
    if a is None or b is None:
        return False
    product = opset.matmul(a, b, transpose_a=False, transpose_b=is_turned)
    product.set_friendly_name(node.get_friendly_name())
    groups, sizes = [*heads, columns], left.sizes | right.sizes
    split = _reshaped(product.output(0), groups, [sizes[label] for label in "".join(groups)])
    if split is None:
        return False
    node.output(0).replace(_turned(split, "".join(groups), result))
    if len(columns) > 1 and result == "".join(groups):
        _add_bias_first(product, split.get_node(), len(columns))
    return True


def _add_bias_first(product: ov.Node, split: ov.Node, columns: int) -> None:
    """Adds a constant that is all that reads a product's split columns to the product itself, where
    OpenVINO makes a bias of it."""
    readers = list(split.output(0).get_target_inputs())
    add = readers[0].get_node()
    if len(readers) > 1 or add.get_type_name() != "Add":
        return
    other = add.input_value(1 - readers[0].get_index())
    shape, bias = split.get_output_partial_shape(0), other.get_node()
    if bias.get_type_name() != "Constant" or len(other.get_shape()) > len(shape):
        return
    kept = [1] * (len(shape) - columns)
    lengths = [each.get_length() if each.is_static else 0 for each in list(shape)[-columns:]]
    values = bias.data.reshape([1] * (len(shape) - bias.data.ndim) + list(bias.data.shape))
    if 0 in lengths or np.broadcast_shapes(values.shape, (*kept, *lengths)) != (*kept, *lengths):
        return
    row = np.broadcast_to(values, (*kept, *lengths))
    rank = product.get_output_partial_shape(0).rank.get_length()
    moved = opset.add(product, opset.constant(row.reshape([1] * (rank - 1) + [-1])))
    moved.set_friendly_name(add.get_friendly_name())
    split.input(0).replace_source_output(moved.output(0))
    add.output(0).replace(split.output(0))


def _rank(operand: _Operand, batch: str, result: str) -> tuple[bool, int]:
    """What tells which operand stands first: weights second, or else as the result has them."""
    own = [
        result.index(label) for label in operand.labels if label in result and label not in batch
    ]
    return operand.is_constant, min(own, default=0)


def _is_summed_alike(lengths: list[tuple[int | None, int | None]]) -> bool:
    """Whether no tensor is repeated along what is summed up, as one of length 1 would be. Of
    several labels, which become one, all lengths are known."""
    is_known = all(None not in each for each in lengths) or len(lengths) == 1
    return is_known and all(len({*each} - {None}) <= 1 for each in lengths)


def _labels(node: ov.Node) -> tuple[str, str, str] | None:
    """Both operands' labels and the result's, those of an ellipsis among them; None where they are
    not two, or a label stands twice in one."""
    given, arrow, result = node.get_attributes()["equation"].partition("->")
    operands = given.split(",")
    ranks = [node.input_value(i).get_partial_shape().rank for i in range(node.get_input_size())]
    if len(operands) != 2 or any(rank.is_dynamic for rank in ranks):
        return None
    if not arrow:
        counts = Counter(given.replace(",", "").replace("...", ""))
        result = "..." * ("..." in given) + "".join(sorted(k for k, n in counts.items() if n == 1))
    spare = "".join(letter for letter in string.ascii_letters if letter not in given)
    own = [len(each.replace("...", "")) for each in operands]
    hidden = [rank.get_length() - n for rank, n in zip(ranks, own, strict=True)]
    left, right, result = (
        each.replace("...", spare[:n][::-1])
        for each, n in zip((*operands, result), (*hidden, max(hidden)), strict=True)
    )
    if any(len(set(each)) < len(each) for each in (left, right, result)):
        return None
    return left, right, result


def _merged(operand: _Operand, groups: Sequence[str]) -> ov.Output | None:
    """The operand with one axis per group of labels, in their order; None where it can't be told
    how long they are."""
    turned = _turned(operand.tensor, operand.labels, "".join(groups))
    return _reshaped(turned, groups, [_length(operand, group) for group in groups])


def _length(operand: _Operand, group: str) -> int | None:
    lengths = [operand.sizes[label] for label in group]
    return prod(each or 0 for each in lengths) if None not in lengths else None


def _turned(tensor: ov.Output, labels: str, wanted: str) -> ov.Output:
    """The tensor with its axes in the wanted order."""
    if labels == wanted:
        return tensor
    order = np.array([labels.index(label) for label in wanted])
    return opset.transpose(tensor, order).output(0)


def _reshaped(
    tensor: ov.Output, groups: Sequence[str], lengths: Sequence[int | None]
) -> ov.Output | None:
    """The tensor with axes of these lengths, the same as before where groups of one label come
    first; as it is where all groups are of one label, None where two lengths are unknown or one is
    0, which a Reshape takes for the length before."""
    same = len(list(takewhile(lambda group: len(group) == 1, groups)))
    if same == len(groups):
        return tensor
    shape = [0] * same + [-1 if each is None else each for each in lengths[same:]]
    if shape.count(-1) > 1 or 0 in shape[same:]:
        return None
    return opset.reshape(tensor, np.array(shape), special_zero=True).output(0)
