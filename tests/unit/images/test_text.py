"""Text in the pixels: lines near the borders are found and filled, markers and anatomy are not."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from samcarry.images.text import FEWEST, fill_text, find_text, mask_text
from support.burned_text import FONTS, burn, radiograph

PLAIN = radiograph()


def visible(before, after, masked):
    """The share of the text's pixels that masking leaves, such as the tail of a comma."""
    text = np.abs(after.astype(int) - before) > 60
    return (masked == after)[text].mean()


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize(("ink", "bar"), [(255, None), (0, 230), (255, 0)])
def test_a_name_and_a_date_are_found_and_filled(font, ink, bar):
    burned = burn(PLAIN, "DOE, Maria\n12.03.1978", (8, 8), font=font, ink=ink, bar=bar)
    boxes = find_text(burned)
    assert boxes
    assert all(top >= 0 and bottom < 60 and left >= 0 and right < 160 for top, bottom, left, right in boxes)
    masked = mask_text(burned, True)[0]
    without = (
        PLAIN if bar is None else burn(PLAIN, "DOE, Maria\n12.03.1978", (8, 8), font=font, ink=bar, bar=bar)
    )
    assert visible(without, burned, masked) < 0.02
    assert np.array_equal(masked[60:], burned[60:])


@pytest.mark.parametrize("at", [(8, 8), (200, 8), (8, 225), (200, 225), (110, 8)])
def test_all_borders_are_searched(at):
    assert find_text(burn(PLAIN, "ID 4711230", at))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_text_on_its_side_or_upside_down_is_found(turns):
    assert find_text(np.rot90(burn(PLAIN, "2019-11-28 10:42", (8, 8)), turns))


def test_large_images_are_searched_too():
    large = radiograph(1800, 2100)
    burned = burn(large, "DOE, Maria 12.03.1978", (60, 60), size=44)
    ((top, bottom, left, right),) = find_text(burned)
    assert top < 70 < 90 < bottom < 140
    assert left < 70 < 500 < right < 640
    assert find_text(large) == []


@pytest.mark.parametrize("marker", ["L", "R", "L\nAP", "PA"])
def test_a_marker_is_not_a_line_of_text(marker):
    assert find_text(burn(PLAIN, marker, (8, 8), size=16)) == []


def test_a_short_line_counts_beside_a_long_one_only():
    assert find_text(burn(PLAIN, "No.", (8, 8))) == []
    burned = burn(PLAIN, "HOSPITAL\nNo.", (8, 8))
    assert len(find_text(burned)) == 2
    assert visible(PLAIN, burned, mask_text(burned, True)[0]) == 0


def test_so_many_characters_are_a_line():
    assert find_text(burn(PLAIN, "8" * FEWEST, (8, 8)))
    assert find_text(burn(PLAIN, "8" * (FEWEST - 1), (8, 8))) == []


def test_anatomy_and_metal_are_not_text():
    assert find_text(PLAIN) == []
    rng = np.random.default_rng(0)
    assert find_text(rng.integers(0, 256, (128, 96)).astype(np.uint8)) == []
    image = Image.fromarray(PLAIN)
    pen = ImageDraw.Draw(image)
    for index in range(12):  # brackets on a curved row of teeth, in the middle of the image
        x, y = 90 + 12 * index, 120 + (index - 6) ** 2 // 3
        pen.rectangle((x, y, x + 6, y + 8), fill=255)
    assert find_text(np.array(image)) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 3), (16, 2000)])
def test_images_of_any_size_are_searched(shape):
    for value in (0, 255):
        assert find_text(np.full(shape, value, np.uint8)) == []


def test_masked_text_is_not_found_again():
    burned = burn(PLAIN, "DOE, Maria\n12.03.1978\nST. MARY HOSPITAL", (8, 8))
    assert find_text(mask_text(burned, True)[0]) == []


def test_an_image_without_text_is_unchanged():
    assert np.array_equal(mask_text(PLAIN, True)[0], PLAIN)


def test_a_box_is_filled_by_what_surrounds_it_not_by_its_neighbour():
    values = np.full((20, 20), 1000, np.uint16)
    values[2:10, 2:18] = 60000
    filled = fill_text(values, [(2, 6, 2, 18), (6, 10, 2, 18)])
    assert filled.dtype == np.uint16
    assert (filled == 1000).all()
    assert (values[2:10, 2:18] == 60000).all()
    assert (fill_text(values[2:6, 2:6], [(0, 4, 0, 4)]) == 60000).all()
