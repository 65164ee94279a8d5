"""Grey images are read correctly from every file type, and invalid files are rejected in one line."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tifffile import imwrite

from samcarry.errors import InputError
from samcarry.images import grey
from samcarry.images.grey import as_grey, image_size, is_turned, read_grey, resize_grey, write_grey
from samcarry.images.masks import read_mask
from support.deep_images import write_png

GREY = np.array([[0, 1, 127], [128, 254, 255]], dtype=np.uint8)  # height 2, width 3


def rejection(path: Path, call=read_grey) -> str:
    """The error message for a file: one line that names the file."""
    with pytest.raises(InputError) as caught:
        call(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_8_bit_grey_is_kept(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(GREY).save(path)
    assert read_grey(path).tolist() == GREY.tolist()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_is_scaled_from_its_full_range(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(GREY.astype(np.uint16) * 257).save(path)
    assert read_grey(path).tolist() == GREY.tolist()


def test_32_bit_integers_within_16_bits_are_scaled_like_16_bits(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(GREY.astype(np.int32) * 257).save(path)
    assert read_grey(path).tolist() == GREY.tolist()


def test_window_stretches_12_bit_values_in_a_16_bit_file(tmp_path):
    path = tmp_path / "a.png"
    values = np.linspace(100, 4095, 1000).astype(np.uint16).reshape(20, 50)
    Image.fromarray(values).save(path)
    assert read_grey(path).max() == 16
    stretched = read_grey(path, window=(0.5, 99.5))
    assert (stretched.min(), stretched.max()) == (0, 255)
    assert stretched[10, 0] == pytest.approx(128, abs=1)


def test_a_constant_image_with_a_window_is_black_without_a_warning(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.full((4, 4), 9, np.uint8)).save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not read_grey(path, window=(0.5, 99.5)).any()


def test_1_bit_becomes_black_and_white(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(GREY > 127).save(path)
    assert read_grey(path).tolist() == [[0, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_grey_in_colour_channels_is_the_same_grey_and_alpha_is_ignored(tmp_path, mode):
    path = tmp_path / "a.png"
    image = Image.fromarray(GREY).convert(mode)
    if mode != "RGB":
        image.putalpha(0)
    image.save(path)
    assert read_grey(path).tolist() == GREY.tolist()


def test_colours_become_luminance(tmp_path):
    path = tmp_path / "a.png"
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    Image.fromarray(colours).save(path)
    assert read_grey(path).tolist() == [[76, 150, 29]]


def test_the_colours_of_a_palette_count_and_not_its_indices(tmp_path):
    path = tmp_path / "a.png"
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette([200, 200, 200, 0, 0, 0, 50, 50, 50])
    image.save(path)
    with Image.open(path) as stored:
        assert stored.mode == "P"
    assert read_grey(path).tolist() == [[200, 0, 50]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_in_which_white_is_zero_is_inverted_at_any_bit_depth(tmp_path, dtype):
    path = tmp_path / "a.tif"
    depth = np.iinfo(dtype).max // 255
    # Pillow inverts 8-bit TIFFs on writing, but does not invert those with more bits on writing or reading.
    stored = GREY if dtype == np.uint8 else 255 - GREY
    Image.fromarray(stored.astype(dtype) * depth).save(path, tiffinfo={262: 0})
    with Image.open(path) as stored:
        assert stored.tag_v2[262] == 0
    assert read_grey(path).tolist() == GREY.tolist()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_the_header_gives_the_same_size(tmp_path, suffix, orientation):
    path = tmp_path / f"a{suffix}"
    stored = np.zeros((16, 32), np.uint8)
    stored[:8, :8] = 255  # upper left corner of the stored array
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(stored).save(path, exif=exif)
    grey = read_grey(path)
    assert grey.shape == image_size(path) == ((16, 32) if orientation < 5 else (32, 16))
    assert is_turned(path) == (orientation > 1)
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0)}
    corner |= {5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    assert grey[corner[orientation]] > 200


def test_arrays_are_converted_like_files():
    assert as_grey(GREY, None, "array").tolist() == GREY.tolist()
    assert as_grey(GREY.astype(np.uint16) * 257, None, "array").tolist() == GREY.tolist()
    assert as_grey(GREY.astype(float), (0, 100), "array").tolist() == GREY.tolist()
    with pytest.raises(InputError, match=r"array: .*window"):
        as_grey(GREY.astype(float), None, "array")


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_png_with_colours_or_alpha_of_16_bits_is_refused(tmp_path, channels):
    pixels = np.full((4, 5, channels), 300, np.uint16)
    path = write_png(tmp_path / "a.png", pixels, 16)
    assert "16 bits each, of which only 8 could be read" in rejection(path)
    assert "16 bits each" in rejection(path, image_size)
    assert "16 bits each" in rejection(path, read_mask)
    assert read_grey(write_png(path, pixels % 256, 8)).shape == (4, 5)


@pytest.mark.parametrize("options", [{}, {"planarconfig": "separate"}, {"compression": "lzw"}], ids=str)
def test_a_tiff_in_colours_of_16_bits_is_refused(tmp_path, options):
    pixels = np.full((4, 5, 3), 300, np.uint16)
    if "planarconfig" in options:
        pixels = np.moveaxis(pixels, -1, 0)
    imwrite(tmp_path / "a.tif", pixels, photometric="rgb", **options)
    assert "16 bits each, of which only 8 could be read" in rejection(tmp_path / "a.tif")


def test_floating_point_needs_a_window(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(GREY.astype(np.float32)).save(path)
    assert "window" in rejection(path)
    assert read_grey(path, window=(0, 100)).tolist() == GREY.tolist()


def test_nan_is_rejected(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.array([[0, np.nan]], np.float32)).save(path)
    assert "NaN" in rejection(path, lambda path: read_grey(path, (0, 100)))


def test_missing_empty_and_other_files_are_rejected(tmp_path):
    assert "no such file" in rejection(tmp_path / "none.png")
    empty = tmp_path / "empty.png"
    empty.touch()
    assert "empty" in rejection(empty)
    text = tmp_path / "text.png"
    text.write_text("not an image")
    assert "not a PNG" in rejection(text)
    gif = tmp_path / "gif.png"
    Image.fromarray(GREY).save(gif, format="GIF")
    assert "not a PNG" in rejection(gif)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # by Pillow, before it raises an error
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_truncated_files_are_rejected(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    for length in (len(content) // 2, 20):
        path.write_bytes(content[:length])
        rejection(path)


def test_damaged_pixels_are_rejected(tmp_path):
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert "damaged" in rejection(path)


def test_several_frames_are_rejected(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(GREY).save(path, save_all=True, append_images=[Image.fromarray(GREY)])
    assert "several frames" in rejection(path)


def test_too_many_pixels_are_rejected_from_the_header(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    monkeypatch.setattr(grey, "MOST_PIXELS", 5)
    assert "more than 5 pixels" in rejection(path)
    assert "more than 5 pixels" in rejection(path, image_size)


def test_a_decompression_bomb_detected_by_pillow_gets_the_same_message(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2)
    assert "more than" in rejection(path)


def test_a_window_that_does_not_increase_is_rejected(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    with pytest.raises(InputError, match="percentiles"):
        read_grey(path, window=(99, 1))


@pytest.mark.parametrize("high", [0.995, 1])
def test_fractions_are_not_percentiles(tmp_path, high):
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    with pytest.raises(InputError, match="seem to be fractions"):
        read_grey(path, window=(0.005, high))
    assert read_grey(path, window=(0.005, 1.5)).max() == 255


def test_resizing_averages_and_does_not_keep_the_aspect():
    stripes = np.tile(np.array([0, 255], np.uint8), (40, 20))  # 40 x 40, one pixel wide each
    resized = resize_grey(stripes, 10, 5)
    assert resized.shape == (10, 5)
    assert resized.dtype == np.uint8
    assert np.abs(resized.astype(int) - 128).max() <= 8


def test_written_grey_reads_back(tmp_path):
    path = tmp_path / "new" / "a.png"
    write_grey(path, GREY[:, ::-1])
    assert read_grey(path).tolist() == GREY[:, ::-1].tolist()
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]
