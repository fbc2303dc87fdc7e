"""What quantization costs small MobileNetV3-style nets on the digits: ours against NNCF.

    python -m venv build/peer
    build/peer/bin/pip install -r benchmarks/requirements.txt -e '.[all]'
    build/peer/bin/python benchmarks/mobilenet_v3_digits.py [--save FOLDER]

Trains each variant with three seeds (depthwise, squeeze-and-excitation, HSwish; batch norm folded
into biases), quantizes it with the default settings of both on the same 300 pictures, and prints
the points of accuracy lost on 700 others as a Markdown table. Some minutes per variant on one core.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

import quant
import runner
from quant.runtime import F32, core, ov

Array = NDArray[Any]
SEEDS, PRESETS = (0, 1, 2), ("performance", "mixed")
TEST_SIZE, CALIBRATION_SIZE, BATCH, WIDTH = 700, 300, 64, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How a net starts and is trained.

    Gammas of batch norms start log-normal: `expand_spread` is the standard deviation of their
    logarithm in front of depthwise convolutions, `spread` that of all of them.
    """

    name: str
    epochs: int
    expand_spread: float = 0.0
    spread: float = 0.0
    learning_rate: float = 5e-3


VARIANTS = (
    Variant(name="wide channels before depthwise", epochs=15, expand_spread=2.5),
    Variant(name="wide channels everywhere", epochs=25, spread=2.0),
    Variant(name="plain", epochs=15, learning_rate=1e-2),
)


class Unit(nn.Sequential):
    """Convolution, batch norm, activation."""

    def __init__(
        self, c_in: int, c_out: int, size: int, act: nn.Module, *, stride: int = 1, groups: int = 1
    ) -> None:
        convolution = nn.Conv2d(c_in, c_out, size, stride, size // 2, groups=groups, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(c_out), act)


class SqueezeExcitation(nn.Module):
    """x times a gate per channel, computed from its means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(4, channels // 4)
        self.down, self.up = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(2, 3), keepdim=True)
        return x * functional.hardsigmoid(self.up(functional.relu(self.down(mean))))


class Block(nn.Module):
    """MobileNetV3's inverted residual with squeeze-and-excitation."""

    def __init__(self, c_in: int, c_out: int, size: int, stride: int, act: type[nn.Module]) -> None:
        super().__init__()
        wide = 2 * c_in
        self.has_shortcut = c_in == c_out and stride == 1
        self.expand = Unit(c_in, wide, 1, act())
        self.rest = nn.Sequential(
            Unit(wide, wide, size, act(), stride=stride, groups=wide),
            SqueezeExcitation(wide),
            Unit(wide, c_out, 1, nn.Identity()),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.rest(self.expand(x))
        return x + y if self.has_shortcut else y


class Net(nn.Module):
    """Logits [N, 10] of pictures [N, 1, 8, 8] with values in [0, 16]."""

    def __init__(self) -> None:
        super().__init__()
        w, act = WIDTH, nn.Hardswish
        self.features = nn.Sequential(
            Unit(1, w, 3, act()),
            Block(w, w, 3, 1, nn.ReLU),
            Block(w, w, 3, 1, act),
            Block(w, 2 * w, 5, 2, act),
            Block(2 * w, 2 * w, 5, 1, act),
            Unit(2 * w, 4 * w, 1, act()),
        )
        self.head = nn.Sequential(nn.Linear(4 * w, 4 * w), act(), nn.Linear(4 * w, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x / 8.0 - 1.0).mean(dim=(2, 3)))


def read_digits() -> tuple[Array, Array, Array, Array]:
    """x_train, x_test (f32 [N, 1, 8, 8]) and y_train, y_test (int64 [N])."""
    digits = load_digits()
    x, y = digits.images.astype(np.float32)[:, None], digits.target.astype(np.int64)
    return tuple(train_test_split(x, y, test_size=TEST_SIZE, stratify=y, random_state=0))


def train(variant: Variant, seed: int, x: Array, y: Array) -> Net:
    torch.manual_seed(seed)
    net = Net()
    spread_gammas(net.modules(), variant.spread)
    for block in (module for module in net.modules() if isinstance(module, Block)):
        spread_gammas([block.expand[1]], variant.expand_spread)
    pictures, digits = torch.from_numpy(x), torch.from_numpy(y)
    steps = variant.epochs * (len(x) // BATCH)
    rate = variant.learning_rate
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps + 1)
    net.train()
    for _ in range(variant.epochs):
        for rows in torch.randperm(len(x))[: len(x) // BATCH * BATCH].split(BATCH):
            loss = functional.cross_entropy(net(pictures[rows]), digits[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def spread_gammas(modules: Iterable[nn.Module], spread: float) -> None:
    """Log-normal gammas for the batch norms among the modules; none are drawn without a spread."""
    with torch.no_grad():
        for module in modules:
            if spread and isinstance(module, nn.BatchNorm2d):
                module.weight.copy_(torch.exp(torch.randn_like(module.weight) * spread))


def export(net: Net) -> ov.Model:
    model = ov.convert_model(net, example_input=torch.zeros(2, 1, 8, 8), input=[-1, 1, 8, 8])
    model.input(0).set_names({"image"})
    model.output(0).set_names({"logits"})
    return model


def points(model: ov.Model, x: Array, y: Array) -> float:
    """Top-1 accuracy in percent, in f32."""
    guesses = core().compile_model(model, "CPU", F32)(x)[0].argmax(axis=1)
    return float(100 * np.mean(guesses == y))


def losses(model: ov.Model, calibration: list[Array], x: Array, y: Array) -> list[float]:
    """Points lost: NNCF and ours under each preset."""
    found = [points(model, x, y)]
    target = runner.load_target("cpu")
    for preset in PRESETS:
        with contextlib.redirect_stdout(io.StringIO()):  # NNCF draws its progress there
            theirs = nncf.quantize(
                model, nncf.Dataset(calibration), preset=nncf.QuantizationPreset(preset)
            )
        ours = quant.quantize(model, calibration, target=target, preset=preset).model
        found += [found[0] - points(each, x, y) for each in (theirs, ours)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--save", type=Path, help="folder for the models and their data")
    folder = parser.parse_args().save
    nncf.set_log_level(logging.ERROR)
    torch.set_num_threads(1)
    x_train, x_test, y_train, y_test = read_digits()
    calibration = [row[None] for row in x_train[:CALIBRATION_SIZE]]
    print("| variant, seed | FP32 | NNCF performance | ours | NNCF mixed | ours |")
    print("|---|---|---|---|---|---|", flush=True)
    for variant in VARIANTS:
        rows = []
        for seed in SEEDS:
            model = export(train(variant, seed, x_train, y_train))
            if folder is not None:
                save(model, folder / variant.name.replace(" ", "_") / f"{seed}.xml")
            rows.append(losses(model, calibration, x_test, y_test))
            print(line(f"{variant.name}, {seed}", rows[-1]), flush=True)
        print(line(f"**{variant.name}, mean**", np.mean(rows, axis=0).tolist()), flush=True)
    if folder is not None:
        np.savez(folder / "calibration.npz", x=x_train[:CALIBRATION_SIZE])
        np.savez(folder / "test.npz", x=x_test, y=y_test)


def save(model: ov.Model, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ov.save_model(model, path, compress_to_fp16=False)


def line(name: str, numbers: list[float]) -> str:
    return f"| {name} | " + " | ".join(f"{number:.2f}" for number in numbers) + " |"


if __name__ == "__main__":
    main()
