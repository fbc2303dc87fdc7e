"""Names of parameters in other tools, and ours."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

_NO_GRADIENTS = "layers are tuned by least squares, without gradients; use {}"

OF_GRADIENTS: Mapping[str, str] = {
    "optimizer": _NO_GRADIENTS.format("tuning_iterations and weight_decay"),
    "loss": _NO_GRADIENTS.format("nothing in its place: it is the mean squared error"),
    "batch_size": _NO_GRADIENTS.format("num_samples_for_tuning: all of them count at once"),
    "calibration_indices_pool": _NO_GRADIENTS.format(
        "num_samples_for_tuning: each sample is read once per stage"
    ),
    "use_ranking_subset": _NO_GRADIENTS.format("num_samples_for_tuning with shuffle_data"),
    "calculate_grads_on_loss_increase_only": _NO_GRADIENTS.format(
        "nothing in its place: a change is kept only where the error falls"
    ),
}
"""POT's parameters of layer-wise tuning that have no meaning here, and what to use instead."""

SPELLINGS = {
    "max_drop": "maximal_drop",
    "subset_size": "stat_subset_size",
    "num_samples": "stat_subset_size",
    "ignored_scope": "ignored",
    "model type": "model_type",
    "inplace_statistic": "inplace_statistics",
    "inplase_statistics": "inplace_statistics",
    "fast_bias_correction": "use_fast_bias",
    "overflow_fix": "saturation_fix",
    "smooth_quant": "use_smooth_quant",
    "shuffle": "shuffle_data",
    "random_seed": "seed",
    "max_num_iterations": "max_iter_num",
    "ranking_subset": "ranking_subset_size",
    "weights_quantization_params": "weights",
    "activations_quantization_params": "activations",
    "activation": "activations",
    "weight": "weights",
}
"""Parameters of steps as NNCF 3.4.0, POT's documents and frequent slips write them, and ours."""

REQUEST_SPELLINGS = {"num_bits": "bits", "range_estimator_params": "range_estimator"}
SIDE_SPELLINGS = {
    "statistics_type": "type",
    "aggregator_type": "aggregator",
    "quantile_outlier_prob": "outlier_prob",
}
IGNORED_SPELLINGS = {"names": "scope", "types": "operations"}
LAYER_SPELLINGS = {"name": "names", "scope": "names", "operations": "types"}
_ALL_SPELLINGS = (
    SPELLINGS,
    REQUEST_SPELLINGS,
    SIDE_SPELLINGS,
    IGNORED_SPELLINGS,
    LAYER_SPELLINGS,
)


def advice_on(name: str, known: tuple[str, ...]) -> str:
    """Our name for what another tool calls `name`, what to use instead, or the nearest name."""
    if name in OF_GRADIENTS:
        return f": {OF_GRADIENTS[name]}"
    ours = next((t[name] for t in _ALL_SPELLINGS if t.get(name) in known), None)
    return f"; here it is called {ours!r}" if ours else nearest(name, known)


def nearest(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" - did you mean {close[0]!r}?" if close else ""
