from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runner.data.picture import from_array, read_pixels
from runner.errors import DataError
from tests.runner.data.builders import save_picture


@pytest.mark.parametrize(
    ("mode", "name"), [("RGB", "a.png"), ("RGBA", "a.png"), ("P", "a.png"), ("CMYK", "a.tiff")]
)
def test_colored_pictures_are_read_as_rgb(mode: str, name: str, tmp_path: Path) -> None:
    pixels = read_pixels(save_picture(tmp_path / name, mode=mode))
    assert (pixels.shape, pixels.dtype.name) == ((4, 6, 3), "uint8")
    np.testing.assert_allclose(pixels[0, 0], [200, 100, 0], atol=26)  # a web palette is coarse


def test_grey_pictures_have_three_equal_channels(tmp_path: Path) -> None:
    pixels = read_pixels(save_picture(tmp_path / "a.png", mode="L"))
    assert pixels.shape == (4, 6, 3)
    assert np.ptp(pixels, axis=2).max() == 0


def test_a_palette_with_transparency_is_read(tmp_path: Path) -> None:
    image = Image.new("P", (2, 2))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "a.png", transparency=b"\x00\x80")
    assert read_pixels(tmp_path / "a.png")[0, 0].tolist() == [10, 20, 30]


def test_exif_orientation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert read_pixels(tmp_path / "a.jpg").shape == (4, 6, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.6])
def test_a_truncated_picture_names_the_file(kind: str, share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    path = tmp_path / "a.bin"
    path.write_bytes(buffer.getvalue()[: int(share * buffer.tell())])
    with pytest.raises(DataError, match="the picture can't be read") as caught:
        read_pixels(path)
    assert caught.value.path == path


def test_deep_pictures_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), 1000, np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="more than 8 bits per channel"):
        read_pixels(tmp_path / "a.png")


def test_an_array_without_channels_is_a_grey_picture() -> None:
    picture = from_array(np.zeros((4, 6)))
    assert (picture.pixels.shape, picture.size, picture.colors) == ((4, 6, 1), (4, 6), "GRAY")


def test_an_array_that_is_no_picture_is_refused() -> None:
    with pytest.raises(DataError, match=r"shape \[5\]; expected a picture"):
        from_array(np.zeros(5))
