"""One model, one target, one set of parameters -> the quantizers and every operation's fate."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from quant.errors import ParameterError, ParameterProblem
from quant.graph import Graph, Op, Port
from quant.parameters import MinMaxParameters, ModelType, Request
from quant.placement.cells import alike
from quant.placement.demand import Demand, demand
from quant.placement.estimators import estimators, few, outside
from quant.placement.fates import SKIPPED, operation_plans
from quant.placement.fused import takes_channels
from quant.placement.groups import groups
from quant.placement.ignored import ACTIVATIONS, ignored
from quant.placement.kept import Kept, kept
from quant.placement.layers import Layers, Wish, asked, layers, wish
from quant.placement.lone import LONE, lone
from quant.placement.outputs import with_outputs
from quant.placement.products import behind_products
from quant.placement.rows import rounded_once
from quant.placement.schemes import Candidates, choose, only_per_tensor, override, shared, unmet
from quant.placement.sites import Site, sites
from quant.placement.tables import (
    CONVOLUTIONS,
    GATES,
    HIDDEN_STATE,
    RECURRENT,
    behind_matmuls,
    descriptor_type,
    has_weights_first,
    needs_one_scale,
)
from quant.placement.weights import Weights, first_layers, is_saturable, weights
from quant.plan import (
    ActivationQuantizer,
    OperationPlan,
    PortRef,
    TensorRef,
    WeightQuantizer,
)
from quant.scheme import Granularity, Mode, Scheme, grid, signed
from quant.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What placement found: the quantizers, and every operation's fate."""

    activations: tuple[ActivationQuantizer, ...]
    weights: tuple[WeightQuantizer, ...]
    operations: tuple[OperationPlan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """What every part of placement looks at."""

    graph: Graph
    target: Target
    parameters: MinMaxParameters
    step: int
    activations: Layers
    weights: Layers
    behind_matmuls: frozenset[int]
    problems: list[ParameterProblem]


def place(
    graph: Graph,
    parameters: MinMaxParameters,
    target: Target,
    step: int = 0,
    smoothed: frozenset[Port] = frozenset(),
) -> Placement:
    """The placement of quantizers; `smoothed` ports get one of their own, behind their scaling.

    Raises:
        ParameterError: an ignored entry matches nothing, or the target can't run what was asked
        for.
    """
    floats, problems = ignored(graph, parameters.ignored, step)
    rules = kept(graph, parameters.model_type, target)
    on_integers = {
        i
        for i, why in floats.items()
        if why == ACTIVATIONS and i not in rules and graph.ops[i].type not in RECURRENT
    }  # OpenVINO's CPU plugin (2026.4.1) compiles no cell in floating point on integer weights
    floats |= {i: why for i, why in rules.items() if i not in floats}
    if target.quantizes_outputs:
        smoothed = frozenset()  # each reader of a quantized result gets the same integers
    found, placed = _settled(graph, target, floats, smoothed)
    integer = frozenset(reader.port.op for site in placed for reader in site.readers)
    constants = [
        (each, ports)
        for each in weights(graph, target, (integer - floats.keys()) | on_integers)
        if (ports := tuple(p for p in each.ports if p.op not in floats or p.op in on_integers))
    ]
    holders = sorted({port.op for _, ports in constants for port in ports})
    askable = sorted(integer | {i for i, why in floats.items() if why == LONE})
    of_activations = layers(
        graph, "activations", parameters.activations, [graph.ops[i] for i in askable], step
    )
    of_weights = layers(graph, "weights", parameters.weights, [graph.ops[i] for i in holders], step)
    setting = _Setting(
        graph=graph,
        target=target,
        parameters=parameters,
        step=step,
        activations=of_activations[0],
        weights=of_weights[0],
        behind_matmuls=behind_matmuls(graph),
        problems=[*problems, *of_activations[1], *of_weights[1]],
    )
    activations, weighted = rounded_once(
        graph, _activations(setting, placed), _weights(setting, constants), setting.weights
    )
    if setting.problems:
        raise ParameterError(dict.fromkeys(setting.problems))
    operations = operation_plans(graph, target, found, floats, activations, weighted)
    return Placement(activations=activations, weights=weighted, operations=operations)


def _settled(
    graph: Graph, target: Target, floats: Kept, smoothed: frozenset[Port]
) -> tuple[Demand, list[Site]]:
    """What is wanted in integers, and the quantizers for it; operations that would read one that
    is no good are added to what stays in floating point."""
    while True:
        found = demand(graph, target, floats, smoothed)
        placed = with_outputs(graph, target, floats, found, list(sites(graph, found)))
        left_alone = behind_products(graph, placed)
        if not target.quantizes_outputs:
            left_alone |= lone(graph, found)
        if not left_alone:
            return found, placed
        floats |= left_alone


def _activations(setting: _Setting, placed: list[Site]) -> tuple[ActivationQuantizer, ...]:
    names = groups(setting.graph, setting.target, placed)
    members: dict[object, list[Site]] = {}
    for i, (site, name) in enumerate(zip(placed, names, strict=True)):
        members.setdefault(name or i, []).append(site)
    found = {key: _shared_scheme(setting, together) for key, together in members.items()}
    quantizers = (
        _quantizer(setting, site, *found[name or i], name)
        for i, (site, name) in enumerate(zip(placed, names, strict=True))
    )
    return tuple(each for each in quantizers if each is not None)


def _shared_scheme(setting: _Setting, together: list[Site]) -> tuple[Scheme | None, Wish]:
    """The scheme of quantizers that share one range, and what is asked of them."""
    indices = {reader.port.op for site in together for reader in site.readers}
    ops = [op for i in sorted(indices) if (op := setting.graph.ops[i]).type not in SKIPPED]
    wanted, problems = wish(setting.activations, ops) if ops else (_of_end(setting, together), [])
    setting.problems.extend(problems)
    lists = [_site_candidates(setting, site, wanted) for site in together]
    if len(together) > 1:
        lists = [only_per_tensor(each) for each in lists if each]
    candidates = shared(lists, setting.target.primary_bitwidth) if lists else ()
    fitting = override(candidates, wanted.special, is_weights=False)
    if candidates and not fitting and not problems:
        setting.problems.append(_unshared(setting, ops, candidates, wanted))
    if not fitting:
        return None, wanted
    preset = setting.target.preset(setting.parameters.preset)
    return choose(fitting, preset, is_weights=False), wanted


def _of_end(setting: _Setting, together: list[Site]) -> Wish:
    """What is asked of results that no operation reads in integers: how to estimate the range, as
    of what the operations above read; the scheme is that of results, whatever these read."""
    above = [setting.graph.ops[site.producer] for site in together if site.producer is not None]
    wanted, _ = wish(setting.activations, above)
    estimator = wanted.request.range_estimator
    request = dataclasses.replace(setting.activations.general, range_estimator=estimator)
    return dataclasses.replace(wanted, request=request, special=Request())


def _unshared(
    setting: _Setting, ops: list[Op], candidates: Candidates, wanted: Wish
) -> ParameterProblem:
    """What some layers ask, and others that share their quantizer can't run."""
    owners = ", ".join(repr(op.name) for op in ops if op.index in wanted.owners)
    others = ", ".join(repr(op.name) for op in ops if op.index not in wanted.owners)
    sharing = f", which they share with {others}," if others else ""
    message = f"the activations of {owners}{sharing} can't be run with {asked(wanted.special)}"
    hint = f"they can be run with: {_listed(candidates)}"
    return ParameterProblem(setting.step, wanted.path, message, hint)


def _site_candidates(setting: _Setting, site: Site, wanted: Wish) -> Candidates:
    """The schemes of the highest priority that meets here: 2 for readers of the target's
    `input_priority_types`, 1 for other readers and for results of operations without weights, 0
    for results of weighted ones. Where a result and its readers are level, the result's count.
    Source: POT 2023.0.2, priorities of quantizers.
    """
    ranks = [_priority(setting, setting.graph.op(reader.port)) for reader in site.readers]
    highest = max(ranks, default=0)
    if site.producer is not None:
        op = setting.graph.ops[site.producer]
        support = setting.target.operations[descriptor_type(setting.graph, op)]
        if (0 if support.weights else 1) >= highest:
            results = only_per_tensor(support.outputs)
            return override(results, wanted.request, is_weights=False) or results
    lists = []
    for reader, rank in zip(site.readers, ranks, strict=True):
        if rank < highest:
            continue
        op = setting.graph.op(reader.port)
        found = _overridden(setting, op, _allowed(setting, op), wanted, is_weights=False)
        if _is_attention_product(setting, op):
            found = tuple(c for c in found if c.mode is Mode.SYMMETRIC) or found
        lists.append(
            found if reader.keeps_channels and _channels(setting, site) else only_per_tensor(found)
        )
    return shared(lists, setting.target.primary_bitwidth)


def _allowed(setting: _Setting, op: Op) -> Candidates:
    """The target's schemes for an operation's activations; symmetric where weights stand first."""
    listed = setting.target.operations[descriptor_type(setting.graph, op)].activations
    if not has_weights_first(setting.graph, op):
        return listed
    return tuple(each for each in listed if each.mode is Mode.SYMMETRIC) or listed


def _priority(setting: _Setting, op: Op) -> int:
    name = descriptor_type(setting.graph, op)
    return 2 if name in setting.target.input_priority_types else 1


def _is_attention_product(setting: _Setting, op: Op) -> bool:
    """A MatMul of two activations in a transformer: symmetric. Source: NNCF 3.4.0, POT 2023.0.2."""
    if setting.parameters.model_type is not ModelType.TRANSFORMER or op.type != "MatMul":
        return False
    return setting.graph.joins(op)


def _overridden(
    setting: _Setting, op: Op, allowed: Candidates, wanted: Wish, *, is_weights: bool
) -> Candidates:
    """The candidates left by the user's overrides; none is a problem that names what is allowed.

    A layer that shares the quantizer of one with a request of its own follows if it can.
    """
    found = override(allowed, wanted.request, is_weights=is_weights)
    if found or not allowed:
        return found
    if wanted.owners and op.index not in wanted.owners:
        return allowed
    key = "weights" if is_weights else "activations"
    missed = unmet(allowed, wanted.request, is_weights=is_weights)
    what = f"{key} of {op.type} {op.name!r} with {asked(missed)}"
    message = f"the target {setting.target.name!r} can't run {what}"
    hint = f"it can run: {_listed(allowed)}; or put the operation into ignored"
    if missed.level_low is not None:
        low, high = grid(allowed[0], is_weights=is_weights)
        hint = f"its integers go from {low} to {high}; {hint}"
    if not any(p.path == wanted.path for p in setting.problems):
        setting.problems.append(ParameterProblem(setting.step, wanted.path, message, hint))
    return ()


def _listed(candidates: Candidates) -> str:
    return "; ".join(str(candidate) for candidate in dict.fromkeys(candidates))


def _channels(setting: _Setting, site: Site) -> int | None:
    """The static channel count of a site's tensor, on axis 1.

    A tensor of rank 3 has its channels there only if a convolution reads it; else it may as well be
    a sequence of vectors. OpenVINO's CPU plugin (2026.4.1) computes a product of two tensors with
    scales per channel wrongly where a dynamic batch, or all that is not channels, turns out to be 1
    (-12 dB), and does not compile those behind a Transpose of dynamic shape that others read too.
    """
    if site.tensor.op in setting.behind_matmuls:
        return None
    shape = setting.graph.shape(site.tensor)
    readers = {setting.graph.op(reader.port).type for reader in site.readers}
    if shape is None or len(shape) <= (3 if CONVOLUTIONS.isdisjoint(readers) else 2):
        return None
    if not takes_channels(setting.graph, site.tensor, 1):
        return None
    if None not in shape:
        return shape[1]
    may_be_one = shape[0] is None or set(shape[2:]) <= {None, 1}
    is_turned = setting.graph.op(site.tensor).type == "Transpose" and not site.is_output
    is_gated = may_be_one and "Multiply" in readers
    return None if is_turned or is_gated else shape[1]


def _quantizer(
    setting: _Setting, site: Site, scheme: Scheme | None, wanted: Wish, group: str | None
) -> ActivationQuantizer | None:
    if scheme is None:
        return None
    if any(has_weights_first(setting.graph, setting.graph.op(r.port)) for r in site.readers):
        scheme = signed(scheme)
    owner = setting.graph.op(site.tensor if site.is_output else site.consumers[0])
    port = site.tensor.port if site.is_output else site.consumers[0].port
    return ActivationQuantizer(
        name=f"{owner.name}/fq_{'output' if site.is_output else 'input'}_{port}",
        tensor=TensorRef(setting.graph.op(site.tensor).name, site.tensor.port),
        consumers=_port_refs(setting.graph, site.consumers),
        operations=_served(setting.graph, site),
        scheme=scheme,
        estimators=estimators(scheme, setting.parameters.range_estimator, wanted.request),
        outside=outside(scheme, setting.parameters.range_estimator, wanted.request),
        few=few(setting.graph.shape(site.tensor)),
        channels=_channels(setting, site) if scheme.granularity is Granularity.PERCHANNEL else None,
        group=group,
        covers=HIDDEN_STATE
        if any(setting.graph.op(r.port).type in GATES for r in site.readers)
        else None,
        is_smoothed=site.is_smoothed,
        has_asymmetric=wanted.request.mode is None
        and site.producer is None
        and all(_has_asymmetric(setting, setting.graph.op(r.port)) for r in site.readers),
    )


def _has_asymmetric(setting: _Setting, op: Op) -> bool:
    is_listed = any(each.mode is Mode.ASYMMETRIC for each in _allowed(setting, op))
    return is_listed and not _is_attention_product(setting, op)


def _served(graph: Graph, site: Site) -> tuple[str, ...]:
    """The operations that read a quantizer; the one above it where only the model's end does."""
    ops = [graph.op(reader.port) for reader in site.readers]
    names = [op.name for op in ops if op.type not in SKIPPED]
    if not names:
        names = [graph.ops[site.tensor.op if site.producer is None else site.producer].name]
    return tuple(dict.fromkeys(names))


def _port_refs(graph: Graph, ports: tuple[Port, ...]) -> tuple[PortRef, ...]:
    return tuple(PortRef(graph.op(port).name, port.port) for port in ports)


def _weights(
    setting: _Setting, constants: list[tuple[Weights, tuple[Port, ...]]]
) -> tuple[WeightQuantizer, ...]:
    first = first_layers(setting.graph)
    found = (_weight_quantizer(setting, each, ports, first) for each, ports in constants)
    return tuple(each for each in found if each is not None)


def _weight_quantizer(
    setting: _Setting, each: Weights, ports: tuple[Port, ...], first: frozenset[int]
) -> WeightQuantizer | None:
    op = setting.graph.op(ports[0])
    allowed = setting.target.operations[descriptor_type(setting.graph, op)].weights
    readers = [setting.graph.ops[i] for i in sorted({port.op for port in ports})]
    if op.type in RECURRENT:
        readers = alike(setting.graph, setting.target, op)  # with one scale for all
    if any(needs_one_scale(setting.graph, each) for each in readers):
        allowed = only_per_tensor(allowed)
    wanted, problems = wish(setting.weights, readers)
    setting.problems.extend(problems)
    candidates = _overridden(setting, op, allowed, wanted, is_weights=True)
    if not candidates:
        return None
    scheme = choose(candidates, setting.target.preset(setting.parameters.preset), is_weights=True)
    per_channel = scheme.granularity is Granularity.PERCHANNEL
    return WeightQuantizer(
        name=f"{op.name}/fq_weights_{ports[0].port}",
        constant=setting.graph.ops[each.constant].name,
        consumers=_port_refs(setting.graph, ports),
        scheme=scheme,
        channel_axes=each.channel_axes if per_channel else (),
        estimators=estimators(scheme, setting.parameters.range_estimator, wanted.request),
        group=_weight_group(setting, op, ports[0].port),
        gates=GATES.get(op.type, 1),
        is_first_layer=any(port.op in first for port in ports),
        is_saturable=is_saturable(setting.graph, op),
    )


def _weight_group(setting: _Setting, op: Op, port: int) -> str | None:
    """The group of constants that share their ranges: ports that the target lists together."""
    unified = setting.target.operations[descriptor_type(setting.graph, op)].unified_scales
    together = [ports for ports in unified if port in ports] if isinstance(unified, tuple) else []
    if not together:
        return None
    first = alike(setting.graph, setting.target, op)[0]
    return f"{first.name}/ports_{'_'.join(map(str, together[0]))}"
