"""Train the demo digit classifier and write it, with its data, into recipes/demo."""

from pathlib import Path

import numpy as np
import openvino as ov
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

SEED = 0
EPOCHS = 60
BATCH = 32
CHANNELS = 48
TEST_SIZE = 700
CALIBRATION_SIZE = 300
DEMO = Path(__file__).resolve().parents[2] / "recipes" / "demo"


class SeparableBlock(nn.Module):
    """Depthwise 3x3 and pointwise convolution, added to the input where the shape allows."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.has_shortcut = channels_in == channels_out and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(channels_in, channels_in, 3, stride, 1, groups=channels_in, bias=False),
            nn.BatchNorm2d(channels_in),
            nn.SiLU(),
            nn.Conv2d(channels_in, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.has_shortcut else y


class DigitsNet(nn.Module):
    """Logits [N, 10] of pictures [N, 1, 8, 8] with values in [0, 16]."""

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.Hardswish(),
        )
        self.blocks = nn.Sequential(
            SeparableBlock(channels, channels),
            SeparableBlock(channels, channels),
            SeparableBlock(channels, 64, stride=2),
            SeparableBlock(64, 64),
        )
        self.head = nn.Linear(64, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.blocks(self.stem(image / 8.0 - 1.0))
        return self.head(functional.silu(x).mean(dim=(2, 3)))


def read_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return x_train, x_test (uint8 [N, 1, 8, 8]) and y_train, y_test (int64 [N])."""
    digits = load_digits()
    x = digits.images.astype(np.uint8)[:, None]
    y = digits.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=TEST_SIZE, stratify=y, random_state=SEED
    )
    return x_train, x_test, y_train, y_test


def write_data(
    x_train: np.ndarray, x_test: np.ndarray, y_train: np.ndarray, y_test: np.ndarray
) -> None:
    """Write the test split, and a stratified sample of the train split for calibration."""
    x_calibration, _, y_calibration, _ = train_test_split(
        x_train, y_train, train_size=CALIBRATION_SIZE, stratify=y_train, random_state=SEED
    )
    np.savez_compressed(DEMO / "digits_calibration.npz", x=x_calibration, y=y_calibration)
    np.savez_compressed(DEMO / "digits_test.npz", x=x_test, y=y_test)


def shifted(x: Tensor) -> Tensor:
    """Return each picture moved by -1, 0 or 1 pixels along both axes, zeros moved in."""
    padded = functional.pad(x, (1, 1, 1, 1))
    offsets = torch.randint(0, 3, (len(x), 2)).tolist()
    pairs = zip(padded, offsets, strict=True)
    return torch.stack([p[:, i : i + 8, j : j + 8] for p, (i, j) in pairs])


def train(x_train: np.ndarray, y_train: np.ndarray) -> DigitsNet:
    """Return the net after EPOCHS passes with a one-cycle learning rate."""
    x, y = torch.from_numpy(x_train).float(), torch.from_numpy(y_train)
    net = DigitsNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    batches_per_epoch = -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=6e-3, total_steps=EPOCHS * batches_per_epoch
    )
    net.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            loss = functional.cross_entropy(net(shifted(x[rows])), y[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def export(net: DigitsNet, path: Path) -> None:
    """Write the net as OpenVINO IR in f32 with input `image` and output `logits`."""
    model = ov.convert_model(net, example_input=torch.zeros(2, 1, 8, 8), input=[-1, 1, 8, 8])
    model.input(0).set_names({"image"})
    model.input(0).get_node().set_friendly_name("image")
    model.output(0).set_names({"logits"})
    model.set_friendly_name(path.stem)
    ov.save_model(model, path, compress_to_fp16=False)


def openvino_accuracy(path: Path, x: np.ndarray, y: np.ndarray) -> float:
    """Return the top-1 accuracy of the saved model, run in f32 with batch 1."""
    compiled = ov.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    guesses = [compiled(row[None].astype(np.float32))["logits"].argmax() for row in x]
    return float(np.mean(np.array(guesses) == y))


def main() -> None:
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    x_train, x_test, y_train, y_test = read_digits()
    write_data(x_train, x_test, y_train, y_test)
    net = train(x_train, y_train)
    path = DEMO / "digits_cnn.xml"
    export(net, path)
    with torch.no_grad():
        guesses = net(torch.from_numpy(x_test).float()).argmax(1).numpy()
    print(f"torch test accuracy     {np.mean(guesses == y_test):.4f}")
    print(f"openvino test accuracy  {openvino_accuracy(path, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
