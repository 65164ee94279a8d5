"""What the small SAM is trained on: crops of drawn and genuine images, and rough prompts for them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from samcarry.prompting.prompts import Box, bounding_box
from samcarry.sam.crops import Window, cut_masks, input_size, resized, whole, window_around
from samcarry.sam.official import Sam
from samcarry.sam.small.model import CELL
from samcarry.sam.small.objects import Picture, draw_picture, to_grey, vary_grey
from samcarry.sam.small.rough_prompts import (
    LEAST_OVERLAP,
    iou,
    jittered_box,
    nothing_mask,
    point_of,
    rough_mask,
    soft_logits,
)
from samcarry.sam.small.xray_scenes import draw_xray_scene
from samcarry.sam.tiny.scenes import draw_scene
from samcarry.sam.zoom import View, cut_logits

Rng = np.random.Generator
Exposure = Callable[[Rng, NDArray[np.uint8]], NDArray[np.uint8]]

SOURCE_KINDS = ("xray", "scene", "genuine")
NEGATIVES = 4
"""Negative points that each prompt brings; a step uses some of them, or none."""

PREDICTED_SHARE = 0.5
"""Share of the prompts that are a network's own masks, where these are known."""

LEAST_CELLS = 12
"""Low-resolution cells of an object in a crop, below which it is not asked for."""


@dataclass(frozen=True)
class Mixture:
    """What a batch is made of."""

    side: int  # of the square input in pixels
    crops: int = 8  # per step
    others: int = 3  # prompts per crop beside the object that it shows
    shares: tuple[float, float, float] = (0.5, 0.17, 0.33)  # of SOURCE_KINDS
    whole_share: float = 0.1  # of the crops are whole images
    nothing_share: float = 0.4  # of the crops have a prompt that points at nothing, where that is known
    seed: int = 0
    cell: float = CELL  # pixels of the input per cell of a low-resolution mask
    squeezed: bool = False  # both sides of each crop fill the input


@dataclass(frozen=True)
class Batch:
    """B crops and K prompts, all in pixels of the square input.

    Attributes:
        images: uint8 (B, S, S), zero beyond the crop.
        sizes: rows and columns that each crop takes, int64 (B, 2).
        owner: the crop that each prompt asks about, int64 (K,).
        targets: covered share of each low-resolution cell, float32 (K, h, w).
        present: whether there is an object, bool (K,).
        priors: logits of a rough mask, float32 (K, h, w).
        boxes: float32 (K, 4) as x0, y0, x1, y1.
        points: one positive and `NEGATIVES` negative ones, float32 (K, 1 + NEGATIVES, 2) as x, y.
    """

    images: Tensor
    sizes: Tensor
    owner: Tensor
    targets: Tensor
    present: Tensor
    priors: Tensor
    boxes: Tensor
    points: Tensor

    def to(self, device: str | torch.device) -> "Batch":
        """The same on a device."""
        moved = {f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)}
        return Batch(**moved)


def normalised(sam: Sam, images: Tensor, sizes: Tensor) -> Tensor:
    """uint8 (B, S, S) -> (B, 3, S, S) as `Sam.preprocess` gives it: zero beyond rows and columns (B, 2)."""
    side = images.shape[-1]
    place = torch.arange(side, device=images.device)
    inside = (place[None, :, None] < sizes[:, 0, None, None]) & (place < sizes[:, 1, None, None])
    return (images[:, None].float() - sam.pixel_mean) / sam.pixel_std * inside[:, None]


# ---- pictures -------------------------------------------------------------------------------


def draw_xray_picture(rng: Rng) -> Picture:
    """A drawn scene with X-ray physics, a random object first."""
    height, width = (int(side) for side in rng.integers(160, 400, 2))
    scene = draw_xray_scene(rng, height, width)
    masks = scene.masks[rng.permutation(len(scene.masks))]
    return Picture(scene.image, masks, scene.missing, True, np.logical_or.reduce(masks))


def draw_scene_picture(rng: Rng) -> Picture:
    """A drawn scene of the tiny SAM's kinds, a random object first."""
    height, width = (int(side) for side in rng.integers(160, 384, 2))
    scene = draw_scene(rng, height, width, max_objects=16)
    return Picture(scene.image, scene.masks, scene.masks[:0], False, np.logical_or.reduce(scene.masks))


def flipped(rng: Rng, picture: Picture) -> Picture:
    """A picture perhaps mirrored, and perhaps upside down."""
    steps = [slice(None, None, int(rng.choice([1, -1]))) for _ in range(2)]
    view, of_masks = tuple(steps), (slice(None), *steps)
    return replace(
        picture,
        image=picture.image[view],
        masks=picture.masks[of_masks],
        missing=picture.missing[of_masks],
        occupied=picture.occupied[view],
        predicted=None if picture.predicted is None else picture.predicted[of_masks],
    )


# ---- crops ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Crop:
    """One crop and its P prompts; the fields are those of `Batch` without B."""

    image: NDArray[np.uint8]
    size: tuple[int, int]
    targets: Tensor
    present: list[bool]
    priors: list[NDArray[np.float32]]
    boxes: list[NDArray[np.float32]]
    points: list[NDArray[np.float32]]


def expose_genuine(rng: Rng, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A genuine image (height, width[, 3]) in grey, with another exposure."""
    return vary_grey(rng, to_grey(rng, image))


def draw_window(rng: Rng, box: Box, size: tuple[int, int], whole_share: float) -> Window:
    """A window of 1.5 to 6 boxes around a box that is not quite right, or the whole image."""
    if rng.random() < whole_share:
        return whole(size)
    x0, y0, x1, y1 = box
    zoom = rng.uniform(2.5, 3.5) if rng.random() < 0.4 else np.exp(rng.uniform(np.log(1.5), np.log(6)))
    by = rng.normal(0, 0.08, 2) * max(x1 - x0, y1 - y0)
    moved = (x0 + by[0], y0 + by[1], x1 + by[0], y1 + by[1])
    return window_around(moved, float(zoom * np.exp(rng.normal(0, 0.1))), size)


def draw_size(rng: Rng, window: Window, side: int) -> tuple[int, int]:
    """(rows, columns) of a window in the input: its own shape, or now and then stretched."""
    rows, columns = input_size(window, side)
    if rng.random() < 0.3:
        factor = np.exp(rng.uniform(-0.6, 0.6))
        stretched = rows * factor, columns / factor
        scale = side / max(stretched)
        rows, columns = (max(8, min(side, round(value * scale))) for value in stretched)
    return rows, columns


def draw_crop(
    rng: Rng, picture: Picture, subject: int, mixture: Mixture, expose: Exposure | None = None
) -> Crop | None:
    """A crop that shows one object of a picture, with prompts; None if that would be too small.

    Args:
        rng: random numbers.
        picture: the image and its objects.
        subject: the object to show.
        mixture: what is asked.
        expose: varies the grey values of the crop; None = unchanged.
    """
    height, width = picture.occupied.shape
    window = draw_window(rng, bounding_box(picture.masks[subject]), (height, width), mixture.whole_share)
    size = (mixture.side, mixture.side) if mixture.squeezed else draw_size(rng, window, mixture.side)
    image = picture.image[window.view]
    if expose is not None:
        image = expose(rng, image)
    seen = [index for index in rng.permutation(len(picture.masks)) if index != subject]
    seen = [index for index in seen if picture.masks[index][window.view].any()][:12]
    shown = np.stack([picture.masks[index] for index in (subject, *seen)])
    covered = cut_masks(shown, window, size, mixture.side, mixture.cell)
    asked = _fair(shown, covered, window)
    if 0 not in asked:
        return None
    crop = Crop(resized(image, size), size, covered[:0], [], [], [], [])
    solid = (covered > 0.5).numpy()
    chosen = asked[: 1 + mixture.others]
    for index in chosen:
        others = np.delete(solid, index, axis=0)
        found = _predicted(rng, picture, (subject, *seen)[index], solid[index], window, size, mixture)
        rough = rough_mask(rng, solid[index], others) if found is None else found > 0
        _ask(rng, crop, rough, solid[index], others, mixture.cell, found)
    targets, present = covered[chosen], [True] * len(chosen)
    nothing = _nothing(rng, picture, window, size, solid, mixture)
    if nothing is not None:
        rough = rough_mask(rng, nothing, solid[:0])
        _ask(rng, crop, rough, nothing, solid, mixture.cell)
        targets = torch.cat([targets, torch.zeros_like(covered[:1])])
        present.append(False)
    return replace(crop, targets=targets, present=present)


def _predicted(
    rng: Rng,
    picture: Picture,
    subject: int,
    mask: NDArray[np.bool_],
    window: Window,
    size: tuple[int, int],
    mixture: Mixture,
) -> NDArray[np.float32] | None:
    """A network's log-odds (h, w) of an object in a crop, now and then; None if these hardly overlap it."""
    if picture.predicted is None or rng.random() > PREDICTED_SHARE:
        return None
    logits = torch.from_numpy(picture.predicted[subject][None].astype(np.float32))
    height, width = picture.occupied.shape
    view = View(window, (height, width), picture.predicted.shape[1:], *size)
    count = round(mixture.side / mixture.cell)
    found = cut_logits(logits, [view], (count, count), mixture.cell)[0].numpy()
    return found if iou(found > 0, mask) >= LEAST_OVERLAP else None


def _fair(masks: NDArray[np.bool_], covered: Tensor, window: Window) -> list[int]:
    """Indices of the objects that are seen well enough to be asked for."""
    cells = (covered > 0.5).sum((1, 2)).tolist()
    inside = [mask[window.view].sum() / mask.sum() for mask in masks]
    return [
        k
        for k, (count, share) in enumerate(zip(cells, inside, strict=True))
        if count >= LEAST_CELLS and share >= 0.5
    ]


def _nothing(
    rng: Rng,
    picture: Picture,
    window: Window,
    size: tuple[int, int],
    solid: NDArray[np.bool_],
    mixture: Mixture,
) -> NDArray[np.bool_] | None:
    """A mask (h, w) where there is no object: that of a missing one, or a copy that was moved away."""
    if not picture.complete or rng.random() > mixture.nothing_share:
        return None
    missing = [mask for mask in picture.missing if mask[window.view].sum() > 0.5 * mask.sum()]
    if missing and rng.random() < 0.7:
        chosen = missing[rng.integers(len(missing))][None]
        found = (cut_masks(chosen, window, size, mixture.side, mixture.cell)[0] > 0.5).numpy()
        # Where neighbours cover most of a missing object's place, something is there.
        fair = found.sum() >= LEAST_CELLS and (found & solid.any(axis=0)).sum() < 0.5 * found.sum()
        return found if fair else None
    taken = (cut_masks(picture.occupied[None], window, size, mixture.side, mixture.cell)[0] > 0.2).numpy()
    rows, columns = (int(-(-edge // mixture.cell)) for edge in size)
    taken[rows:], taken[:, columns:] = True, True  # beyond the crop nothing is asked for
    copy = nothing_mask(rng, solid[0], taken)
    return copy if copy is not None and copy.sum() >= LEAST_CELLS else None


def _ask(
    rng: Rng,
    crop: Crop,
    rough: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    others: NDArray[np.bool_],
    cell: float,
    logits: NDArray[np.float32] | None = None,
) -> None:
    """Add a prompt to a crop: a rough mask's box, point and logits, or the true box moved a little.

    `logits` (h, w) are those of the rough mask if it is a network's; None = they are made up.
    """
    if rng.random() < 0.55:
        box = jittered_box(rng, rough, float(rng.choice([0.0, 0.03])))
    else:
        box = jittered_box(rng, mask, float(rng.choice([0.02, 0.05, 0.1, 0.15, 0.2])))
    box[2:] = np.maximum(box[2:], box[:2] + 1)
    rows, columns = (int(-(-edge // cell)) for edge in crop.size)
    crop.boxes.append(box * cell)
    crop.points.append(_points(rng, rough, mask, others, (rows, columns)) * cell)
    crop.priors.append(soft_logits(rng, rough) if logits is None else logits)


def _points(
    rng: Rng,
    rough: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    others: NDArray[np.bool_],
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """A positive point and `NEGATIVES` negative ones in cells: in other objects, or anywhere outside.

    `size` is (rows, columns) of the crop in cells.
    """
    free = [other & ~mask for other in others]
    negative = [point_of(rng, other) for other in free if other.any()][:NEGATIVES]
    outside = ~mask
    outside[size[0] :], outside[:, size[1] :] = False, False
    if not outside.any():
        outside = np.ones_like(mask)
    cells = np.argwhere(outside)
    while len(negative) < NEGATIVES:
        row, column = cells[rng.integers(len(cells))]
        negative.append(np.array([column + 0.5, row + 0.5], np.float32))
    return np.stack([point_of(rng, rough), *negative])


# ---- batches --------------------------------------------------------------------------------


def draw_crops(rng: Rng, mixture: Mixture, files: dict[str, list[Path]]) -> Iterator[Crop]:
    """Crops without end; of a drawn scene, which costs time, two are made."""
    shares = np.array(mixture.shares) * ([1, 1, 1] if files else [1, 1, 0])
    while True:
        kind = SOURCE_KINDS[rng.choice(3, p=shares / shares.sum())]
        if kind == "genuine":
            picture = draw_picture(rng, files)
        else:
            picture = draw_xray_picture(rng) if kind == "xray" else draw_scene_picture(rng)
        picture = flipped(rng, picture)
        for subject in range(1 if kind == "genuine" else min(2, len(picture.masks))):
            expose = expose_genuine if kind == "genuine" else None
            crop = draw_crop(rng, picture, subject, mixture, expose)
            if crop is not None:
                yield crop


def collate(crops: list[Crop], side: int) -> Batch:
    """Crops and their prompts, as one batch."""
    images = np.zeros((len(crops), side, side), np.uint8)
    for image, crop in zip(images, crops, strict=True):
        image[: crop.size[0], : crop.size[1]] = crop.image
    counts = torch.tensor([len(crop.present) for crop in crops])
    return Batch(
        images=torch.from_numpy(images),
        sizes=torch.tensor([crop.size for crop in crops]),
        owner=torch.arange(len(crops)).repeat_interleave(counts),
        targets=torch.cat([crop.targets for crop in crops]),
        present=torch.tensor([value for crop in crops for value in crop.present]),
        priors=_stacked([value for crop in crops for value in crop.priors]),
        boxes=_stacked([value for crop in crops for value in crop.boxes]),
        points=_stacked([value for crop in crops for value in crop.points]),
    )


def _stacked(values: list[NDArray[np.float32]]) -> Tensor:
    return torch.from_numpy(np.stack(values).astype(np.float32))


class CropBatches(Dataset[Batch]):
    """The batch of each step, drawn from (seed, step), so that a resumed run sees the same.

    Args:
        mixture: what a batch is made of.
        files: images of each genuine source; empty = drawn scenes only.
        first_step: the step that comes first.
        last_step: the step that comes after the last.
    """

    def __init__(
        self, mixture: Mixture, files: dict[str, list[Path]], first_step: int, last_step: int
    ) -> None:
        self.mixture, self.files = mixture, files
        self.first_step, self.last_step = first_step, last_step

    def __len__(self) -> int:
        return max(0, self.last_step - self.first_step)

    def __getitem__(self, index: int) -> Batch:
        rng = np.random.default_rng([self.mixture.seed, self.first_step + index])
        crops = draw_crops(rng, self.mixture, self.files)
        return collate([next(crops) for _ in range(self.mixture.crops)], self.mixture.side)
