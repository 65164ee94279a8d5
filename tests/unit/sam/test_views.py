"""Where a crop, its prompts and its answer are, to a fraction of a pixel, at any resolution of the image."""

import numpy as np
import pytest
import torch

from samcarry.sam import zoom as module
from samcarry.sam.crops import whole
from samcarry.sam.refinement import SAM_LOGIT_LIMIT
from samcarry.sam.zoom import embed_views, mask_prompts, pasted, view_of
from support.sam_predictor import LARGE, SIZE

VIEWS = {
    "square": (20.0, 40.0, 28.0, 60.0),
    "all of the width": (5.0, 30.0, 48.0, 40.0),
    "corner": (0.0, 0.0, 9.0, 20.0),
}
"""Boxes of crops; the second crop is higher than it is wide."""


def view_and_axes(sam, name):
    """A view of LARGE, and the function from pixels of SAM's input to pixels of the prepared image."""
    view = view_of(VIEWS[name], 1.5, LARGE, SIZE, sam.image_encoder.img_size)
    (height, width), window = view.window.size, view.window
    rows, columns = view.rows, view.columns

    def to_network(x, y):
        in_image = window.left + x * width / columns, window.top + y * height / rows
        return in_image[0] * SIZE[1] / LARGE[1], in_image[1] * SIZE[0] / LARGE[0]

    return view, to_network


@pytest.mark.parametrize("name", VIEWS)
def test_points_are_at_their_share_of_the_crop(small, name):
    view, to_network = view_and_axes(small, name)
    assert view.window != whole(LARGE)
    for point in ([0.0, 0.0], [view.columns, view.rows], [10.25, 33.5]):
        np.testing.assert_allclose(view.into_input(np.array(to_network(*point))), point, atol=1e-9)


@pytest.mark.parametrize("name", VIEWS)
def test_what_sam_sees_is_where_the_prompts_are(small, name, monkeypatch):
    """A bright spot at the resolution of the original image, and its centre in pixels of the prepared one."""
    view, _ = view_and_axes(small, name)
    middle = np.array(VIEWS[name]).reshape(2, 2).mean(axis=0)
    at_x, at_y = middle * np.array(LARGE[::-1]) / np.array(SIZE[::-1])
    rows, columns = np.mgrid[: LARGE[0], : LARGE[1]] + 0.5
    spot = (255 * np.exp(-((columns - at_x) ** 2 + (rows - at_y) ** 2) / 50)).astype(np.uint8)
    seen = []
    monkeypatch.setattr(module, "encode_images", lambda _, inputs: seen.append(inputs) or inputs)
    embed_views(small, spot, [view], "float32")
    grey = (seen[0][0, 0, : view.rows, : view.columns] - seen[0][0, 0].min()).double().numpy()
    weight = grey / grey.sum()
    y, x = np.mgrid[: view.rows, : view.columns] + 0.5
    np.testing.assert_allclose([(x * weight).sum(), (y * weight).sum()], view.into_input(middle), atol=0.2)


def ramp(x, y):
    """Logits within the limit that rise along x and fall along y of the prepared image."""
    return 0.2 * x - 0.15 * y + 1


@pytest.mark.parametrize("name", VIEWS)
def test_mask_prompts_of_a_ramp_have_its_values_at_the_middles_of_cells(any_sam, name):
    view, to_network = view_and_axes(any_sam, name)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    found = mask_prompts(any_sam, torch.from_numpy(ramp(x, y)).float()[None], [view])[0]
    cell = any_sam.image_encoder.img_size / len(found)
    rows, columns = (int(np.ceil(edge / cell - 0.5)) for edge in (view.rows, view.columns))
    y, x = (np.mgrid[:rows, :columns] + 0.5) * cell
    x, y = to_network(x, y)
    known = (x >= 0.5) & (x <= SIZE[1] - 0.5) & (y >= 0.5) & (y <= SIZE[0] - 0.5)
    np.testing.assert_allclose(found[:rows, :columns][known], ramp(x, y)[known], atol=1e-4)
    assert (found[rows:] == -SAM_LOGIT_LIMIT).all()
    assert (found[:, columns:] == -SAM_LOGIT_LIMIT).all()


def inner(sam, view, to_network):
    """The pixels of the prepared image at least a cell from the edge of a crop; x and y of all pixels."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    cell = sam.image_encoder.img_size / sam.prompt_encoder.mask_input_size[0]
    left, top = to_network(cell, cell)
    right, bottom = to_network(view.columns - cell, view.rows - cell)
    found = (x > left) & (x < right) & (y > top) & (y < bottom)
    assert found.sum() > 50
    return found, x, y


@pytest.mark.parametrize("name", VIEWS)
def test_a_ramp_of_answers_is_pasted_with_its_values(any_sam, name):
    view, to_network = view_and_axes(any_sam, name)
    rows, columns = any_sam.prompt_encoder.mask_input_size
    cell = any_sam.image_encoder.img_size / columns
    low_y, low_x = (np.mgrid[:rows, :columns] + 0.5) * cell
    low = torch.from_numpy(ramp(*to_network(low_x, low_y))).float()[None]
    found = pasted(any_sam, low, [view])[0].numpy()
    inside, x, y = inner(any_sam, view, to_network)
    np.testing.assert_allclose(found[inside], ramp(x, y)[inside], atol=1e-4)
    (left, top), (right, bottom) = to_network(0, 0), to_network(view.columns, view.rows)
    outside = (x < left) | (x > right) | (y < top) | (y > bottom)
    assert ((found == -SAM_LOGIT_LIMIT) == outside).all()


@pytest.mark.parametrize("name", VIEWS)
def test_a_smooth_map_survives_the_way_into_a_crop_and_back(any_sam, name):
    view, to_network = view_and_axes(any_sam, name)
    inside, x, y = inner(any_sam, view, to_network)
    middle = np.array(VIEWS[name]).reshape(2, 2).mean(axis=0)
    smooth = 12 * np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / 150) - 6
    given = torch.from_numpy(smooth).float()[None]
    error = pasted(any_sam, mask_prompts(any_sam, given, [view]), [view])[0].numpy() - smooth
    assert np.abs(error[inside]).max() < 0.25  # of a range of 12, and up to 0.9 per pixel
    assert np.abs(error[inside]).mean() < 0.03
