"""A robot that corrects masks on the annotation page: it clicks where the mask is most wrong."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import approximate_polygon, find_contours

from samcarry.evaluation.dice import dice
from samcarry.geometry.rasterise import fill_polygon
from samcarry.prompting.prompts import bounding_box
from support.browser import Annotator

Mask = NDArray[np.bool_]
FAR_OFF = 0.8
"""Below this Dice, a mask is drawn again from a box and not corrected by clicks."""


def shown_mask(annotator: Annotator, name: str) -> Mask:
    """The mask of a class on the page, from its run lengths: far less than a number a pixel is passed."""
    height, width, mask = annotator.page.evaluate(
        """name => {
            const { app } = samcarry;
            const { mask } = app.work.classes[app.page.classes.indexOf(name)];
            return [app.entry.height, app.entry.width, mask];
        }""",
        name,
    )
    shown = np.zeros((height, width), bool)
    if mask:
        filled = np.repeat(np.arange(len(mask["runs"])) % 2 == 1, mask["runs"])
        rows, columns = (
            slice(mask["top"], mask["top"] + mask["height"]),
            slice(mask["left"], mask["left"] + mask["width"]),
        )
        shown[rows, columns] = filled.reshape(mask["height"], mask["width"])
    return shown


def worst_place(shown: Mask, truth: Mask) -> tuple[float, float, bool] | None:
    """The deepest point (x, y) of the largest error, and whether it is missing; None if there is no error."""
    largest: tuple[int, Mask, bool] | None = None
    for missing, error in ((True, truth & ~shown), (False, shown & ~truth)):
        regions, count = ndimage.label(error)
        if not count:
            continue
        sizes = np.bincount(regions.ravel())[1:]
        if largest is None or sizes.max() > largest[0]:
            largest = (int(sizes.max()), regions == 1 + sizes.argmax(), missing)
    if largest is None:
        return None
    depth = ndimage.distance_transform_edt(np.pad(largest[1], 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return float(column) + 0.5, float(row) + 0.5, largest[2]


def correct(
    annotator: Annotator, name: str, truth: Mask, *, most: int = 10, enough: float = 1.0
) -> list[float]:
    """The Dice of a class at the start and after each action, until it is `enough` or after `most` actions.

    Where the mask is far off or missing, the first action is a box around the object. All others are clicks.
    """
    annotator.choose(name)
    shown = shown_mask(annotator, name)
    course = [dice(truth, shown) or 0.0]
    while len(course) <= most and course[-1] < enough:
        if len(course) == 1 and course[0] < FAR_OFF:
            x0, y0, x1, y1 = bounding_box(truth)
            annotator.waiting_for_sam(annotator.drag, (x0, y0), ((x0 + x1) / 2, (y0 + y1) / 2), (x1, y1))
        elif (place := worst_place(shown, truth)) is not None:
            x, y, missing = place
            annotator.waiting_for_sam(annotator.click, x, y, button="left" if missing else "right")
        shown = shown_mask(annotator, name)
        course.append(dice(truth, shown) or 0.0)
    return course


def polygon_corners(truth: Mask, enough: float) -> int:
    """The fewest corners of a polygon, out of those of one algorithm, that has this Dice."""
    contours = sorted(find_contours(np.pad(truth, 1).astype(float), 0.5), key=len)
    contour = contours[-1][:, ::-1] - 0.5  # find_contours counts from the centre of the first (padded) pixel
    for tolerance in np.geomspace(20, 0.2, 40):
        corners = approximate_polygon(contour, tolerance)[:-1]
        if len(corners) > 2 and (dice(truth, fill_polygon(corners, *truth.shape)) or 0) >= enough:
            return len(corners)
    return len(contour)
