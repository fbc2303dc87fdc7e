"""Steps of installed packages: checked, planned, calibrated in the one pass, and applied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import quant
import runner
from runner.cli.main import main
from runner.errors import PluginError
from runner.packaged_steps import STEPS
from runner.plan import make_plan
from runner.plan_json import digest, plan_from_json, plan_to_json
from runner.recipe.read import read
from tests.models import conv_relu_conv, evaluate_all, samples
from tests.runner.packages import installed
from tests.runner.tiny import tiny_model, write_recipe

CPU = runner.load_target("cpu")
CODE = '''\
from dataclasses import dataclass, field, replace

import numpy as np

from quant.parameters import Aggregator, SubsetParameters, bounded
from quant.plan import Subset, TensorRef
from quant.runtime import opset
from quant.statistics.need import Need, Reduction
from quant.steps.table import Inferring, OnStatistics
from runner.packaged_steps import PackagedStep


@dataclass(frozen=True, slots=True, kw_only=True)
class CenteringParameters(SubsetParameters):
    """`share` of each result's mean that is taken off."""

    share: float = field(default=1.0, metadata=bounded(0, 1, "a share from 0 to 1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CenteringPlan:
    subset: Subset
    share: float
    results: tuple[TensorRef, ...]


def plan(graph, parameters, quantization):
    made = (op.inputs[0] for op in graph.ops if op.type == "Result")
    results = tuple(TensorRef(graph.ops[each.op].name, each.port) for each in made)
    return CenteringPlan(subset=Subset.of(parameters), share=parameters.share, results=results)


def needs(plan):
    for tensor in plan.results:
        yield Need(tensor=tensor, reduction=Reduction.MEAN, aggregator=Aggregator.MEAN,
                   subset=plan.subset)


def apply(work, plan, statistics):
    for need in needs(plan):
        mean = float(statistics.of(need, need.tensor.op)[0])
        output = work.nodes[need.tensor.op].output(need.tensor.port)
        readers = output.get_target_inputs()
        centred = opset.subtract(output, np.float32(plan.share * mean))
        for reader in readers:
            reader.replace_source_output(centred.output(0))
        work.outcomes["centering"] = f"{plan.share} of {mean:.6f}"
    return statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class CountPlan:
    subset: Subset


def count(graph, parameters, quantization):
    return CountPlan(subset=Subset.of(parameters))


def refine(work, plan, infer):
    read = infer.each(work.model, plan.subset, lambda index, values: None)
    work.outcomes["read again"] = str(read)


def none_of(plan):
    return ()


def unchanged(work, plan, statistics):
    return statistics


def failing(work, plan, statistics):
    return 1 / 0


def silent(work, plan, statistics):
    pass


SUBSET = {"stat_subset_size": {"type": "integer", "min": 1}, "shuffle_data": {"type": "boolean"},
          "seed": {"type": "integer", "min": 0}}
SHARE = {"share": {"type": "number", "min": 0, "max": 1}}
CENTERING = OnStatistics(parameters=CenteringParameters, plan=plan, needs=needs, apply=apply)
COUNTING = Inferring(parameters=SubsetParameters, plan=count, refine=refine)
IDLE = OnStatistics(parameters=SubsetParameters, plan=count, needs=none_of, apply=unchanged,
                    prepares=True)

centering = PackagedStep(kind=CENTERING, plan=CenteringPlan, schema={**SUBSET, **SHARE})
counting = PackagedStep(kind=COUNTING, plan=CountPlan, schema=SUBSET)
idle = PackagedStep(kind=IDLE, plan=CountPlan, schema=SUBSET)
fails = PackagedStep(kind=replace(IDLE, apply=failing), plan=CountPlan, schema=SUBSET)
quiet = PackagedStep(kind=replace(IDLE, apply=silent), plan=CountPlan, schema=SUBSET)
other_plan = PackagedStep(kind=IDLE, plan=CenteringPlan, schema=SUBSET)
other_keys = PackagedStep(kind=IDLE, plan=CountPlan, schema=SHARE)
no_subset = PackagedStep(kind=IDLE, plan=int, schema=SUBSET)
no_contract = PackagedStep(kind=apply, plan=CountPlan, schema=SUBSET)
bare = replace(IDLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayPlan:
    subset: Subset
    values: object


def arrays_of(graph, parameters, quantization):
    return ArrayPlan(subset=Subset.of(parameters), values=np.zeros(3))


arrays = PackagedStep(kind=replace(IDLE, plan=arrays_of), plan=ArrayPlan, schema=SUBSET)
'''
NAMES = {
    "Centering": "centering",
    "Counting": "counting",
    "Idle": "idle",
    "Fails": "fails",
    "Quiet": "quiet",
    "OtherPlan": "other_plan",
    "OtherKeys": "other_keys",
    "NoSubset": "no_subset",
    "NoContract": "no_contract",
    "Bare": "bare",
    "Arrays": "arrays",
}
POINTS = "\n".join(["[recipe.steps]", *(f"{k} = stepping:{v}" for k, v in NAMES.items())])


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages of which one adds steps."""
    with installed(tmp_path / "site", "stepping", CODE, POINTS, monkeypatch) as folder:
        yield folder


def recipe(tiny: Path, *, before: str = "", behind: str = "") -> Path:
    """The tiny recipe with lines for steps before and behind its own."""
    path = write_recipe(tiny)
    text = path.read_text().replace("steps:\n", f"steps:\n{before}")
    path.write_text(text.replace("evaluate:\n", f"{behind}evaluate:\n"))
    return path


CENTERED = "  - {use: Centering, with: {share: 0.5}}\n"


def test_a_step_of_a_package_runs(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recipe(tiny, before="  - use: Idle\n", behind=CENTERED + "  - use: Counting\n")
    assert main(["apply", str(path), "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    outcomes = report["quantization"]["policies"]
    assert outcomes["centering"].startswith("0.5 of ")
    assert outcomes["read again"] == "24"


def test_it_is_in_the_plan_which_comes_back_from_json(tiny: Path) -> None:
    (first,) = read(recipe(tiny, behind=CENTERED))
    plan = make_plan(first)
    assert plan.quantization.step_names[-1] == "Centering"
    again = plan_from_json(plan_to_json(plan))
    assert again == plan
    assert quant.entry.inferring(again.quantization) == ()
    (other,) = read(recipe(tiny, behind=CENTERED.replace("0.5", "0.25")))
    assert digest(make_plan(other)) != digest(plan)


def test_it_says_that_it_infers_again(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(recipe(tiny, behind="  - use: Counting\n"))]) == 0
    assert "Counting infers again, on all samples" in capsys.readouterr().out


def test_unknown_parameters_are_located(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recipe(tiny, behind="  - {use: Centering, with: {shar: 0.5}}\n")
    assert main(["validate", str(path)]) == 2
    err = capsys.readouterr().err
    assert f"{path}:12:29: unknown key 'shar'" in err
    assert "did you mean 'share'?" in err


def test_parameters_that_the_schema_lets_through_are_located(
    tiny: Path, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = site / "stepping.py"
    code.write_text(CODE.replace('"min": 0, "max": 1}}\n', "}}\n"), encoding="utf-8")
    path = recipe(tiny, behind="  - {use: Centering, with: {share: 2}}\n")
    assert main(["plan", str(path)]) == 2
    err = capsys.readouterr().err
    assert f"{path}:12:36: found 2.0, expected a share from 0 to 1" in err


@pytest.mark.parametrize(
    ("before", "behind", "words"),
    [
        ("  - use: Centering\n", "", ":10:10: Centering needs a quantized model"),
        ("  - use: Counting\n", "", ":10:10: Counting needs a quantized model"),
        ("", "  - use: Idle\n", ":12:10: Idle prepares for quantization"),
        ("  - use: SmoothQuant\n  - use: Idle\n", "", "Idle has to come before SmoothQuant"),
        ("", "  - use: Centring\n", ":12:10: unknown step 'Centring'"),
    ],
)
def test_its_place_among_the_steps_is_checked(
    tiny: Path, capsys: pytest.CaptureFixture[str], before: str, behind: str, words: str
) -> None:
    assert main(["validate", str(recipe(tiny, before=before, behind=behind))]) == 2
    assert words in capsys.readouterr().err


def test_defaults_are_its_own(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recipe(tiny, behind="  - use: Centering\n")
    assert main(["show", str(path), "--defaults"]) == 0
    assert "share: 1.0" in capsys.readouterr().out


def test_steps_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "steps", "--json"]) == 0
    rows = {row["name"]: row["keys"] for row in json.loads(capsys.readouterr().out)["steps"]}
    assert rows["Centering"][-1] == "share"
    assert "differ in" in rows["OtherKeys"][0]


@pytest.mark.parametrize(
    ("name", "verb", "words"),
    [
        ("Bare", "validate", "stepping:bare has no schema"),
        ("OtherKeys", "validate", "its schema and its parameters differ in 'seed', 'share'"),
        ("NoSubset", "validate", "its plan is no dataclass with `subset`"),
        ("NoContract", "validate", "its kind is no quant.steps.table.OnStatistics or Inferring"),
        ("OtherPlan", "plan", "its plan returns CountPlan, not CenteringPlan"),
        ("Arrays", "plan", "its plan can't go to JSON and back"),
        ("Fails", "apply", "its apply fails: ZeroDivisionError: division by zero"),
        ("Quiet", "apply", "its apply returns NoneType, not Statistics"),
    ],
)
def test_a_broken_step_names_its_package(
    tiny: Path, capsys: pytest.CaptureFixture[str], name: str, verb: str, words: str
) -> None:
    assert main([verb, str(recipe(tiny, before=f"  - use: {name}\n"))]) == 4
    err = capsys.readouterr().err
    assert f"{name!r} (recipe.steps) of the package stepping 1.0 is broken: " in err
    assert words in err


def test_another_kind_of_object_is_no_step(site: Path) -> None:
    code = site / "stepping.py"
    kind = "from runner.metrics.make import Kind\nbare = Kind(make=int, schema={})"
    code.write_text(CODE.replace("bare = replace(IDLE)", kind), encoding="utf-8")
    with pytest.raises(PluginError, match="it names Kind, not a runner"):
        STEPS["Bare"]


def test_in_the_library_a_step_brings_along_what_carries_it_out() -> None:
    model = conv_relu_conv()
    given = samples(model)
    steps = [
        quant.Step(use="DefaultQuantization"),
        quant.Step(use="Centering", kind=STEPS["Centering"].kind),
    ]
    plan = quant.resolve(quant.load_model(model), steps, CPU)
    result = quant.apply(plan, quant.collect(plan, given), given)
    means = [float(np.mean(found[0])) for found in evaluate_all(result.model, given)]
    assert abs(np.mean(means)) < 0.01


def test_the_name_of_a_step_that_ships_is_taken() -> None:
    step = quant.Step(use="SmoothQuant", kind=STEPS["Idle"].kind)
    steps = [step, quant.Step(use="DefaultQuantization")]
    with pytest.raises(quant.ParameterError, match="'SmoothQuant' is a step that ships"):
        quant.resolve(quant.load_model(tiny_model()), steps, CPU)


def test_accuracy_control_keeps_it(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recipe(tiny, behind=CENTERED)
    text = path.read_text().replace("use: DefaultQ", "use: AccuracyAwareQ")
    path.write_text(text.replace("preset: mixed", "maximal_drop: 0.5, metrics: [accuracy]"))
    assert main(["apply", str(path), "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    assert report["quantization"]["policies"]["centering"].startswith("0.5 of ")
