"""Predictions of a trained model on new images, given as arrays."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError
from samcarry.images.grey import as_grey, resize_grey
from samcarry.images.masks import draw_mask
from samcarry.images.preparation import SIDES
from samcarry.images.text import mask_text
from samcarry.images.training_look import Unlikeness, compare
from samcarry.predict.laterality import NONE, check_laterality, side_to_mirror
from samcarry.predict.models import Model
from samcarry.predict.views import predict_views
from samcarry.presence.judgement import judge
from samcarry.presence.tables import without_absent
from samcarry.prompting.cleaning import most_likely_components

log = logging.getLogger(__name__)
MAY_BE_WRONG = "its masks may be wrong"


@overload
def predict_masks(
    model: Model,
    images: NDArray[Any],
    *,
    one_component: bool = ...,
    laterality: str | Sequence[str] | None = ...,
) -> NDArray[np.bool_]: ...


@overload
def predict_masks(
    model: Model,
    images: Sequence[NDArray[Any]],
    *,
    one_component: bool = ...,
    laterality: str | Sequence[str] | None = ...,
) -> list[NDArray[np.bool_]]: ...


def predict_masks(
    model: Model,
    images: NDArray[Any] | Sequence[NDArray[Any]],
    *,
    one_component: bool = False,
    laterality: str | Sequence[str] | None = None,
) -> NDArray[np.bool_] | list[NDArray[np.bool_]]:
    """Masks of one or several grey images, each at the size of its image.

    The grey values are mapped to 0..255 as in `samcarry predict`: by the model's window, or from the full
    range of the data type. Images of the side that was mirrored in training are mirrored, and their masks
    back. The image is resized to the size of the network. The probabilities are resized back and thresholded
    at 0.5 (see `masks.mask_at_size`). An image unlike the training images is logged as a warning.

    Args:
        model: a model from `load_model`.
        images: one image or a sequence of images of any sizes. An image has shape (height, width) and
            type uint8 or uint16; 0 is black.
        one_component: keep only the component of each class with the highest mean probability (Eq. 1).
        laterality: the side that the images show, 'left' or 'right', or one of these for each image; needed
            if images of one side were mirrored in training (`Model.mirrored`).

    Returns:
        For one image, bool masks (class, height, width) in the order of `model.classes`; classes may
        overlap. For a sequence, a list of such masks.

    Raises:
        InputError: an image has another shape or type, or `laterality` is missing or does not fit.
    """
    if isinstance(images, np.ndarray):
        named = {"image": images}
    else:
        named = {f"image {number}": image for number, image in enumerate(images, 1)}
    masks = []
    for (name, image), mirror in zip(named.items(), _mirroring(model, laterality, len(named)), strict=True):
        shown, _ = mask_text(_checked_grey(image, model.window, name), model.text_masked)
        answer = predict_grey(model, shown, one_component, mirror)
        if answer.unlikeness and answer.unlikeness.reason:
            log.warning("%s: %s; %s", name, answer.unlikeness.reason, MAY_BE_WRONG)
        masks.append(answer.masks)
    return masks[0] if isinstance(images, np.ndarray) else masks


def _mirroring(model: Model, laterality: str | Sequence[str] | None, count: int) -> list[bool]:
    """Whether to mirror each of `count` images."""
    sides = [laterality] * count if laterality is None or isinstance(laterality, str) else list(laterality)
    if len(sides) != count:
        raise InputError(f"laterality: has {len(sides)} entries for {count} images; give one for each image")
    for side in sides or [None]:
        if side not in (None, NONE, *SIDES):
            raise InputError(f"laterality: {side!r} is not a side; write 'left' or 'right'")
        if count:
            check_laterality(model, side)
    return [side is not None and side == side_to_mirror(model, side) for side in sides]


def _checked_grey(image: NDArray[Any], window: tuple[float, float] | None, name: str) -> NDArray[np.uint8]:
    """The grey values 0..255 of an array from the user."""
    if image.ndim != 2 or image.size == 0:
        raise InputError(
            f"{name}: its shape is {image.shape}, not (height, width); pass grey images, several as a list"
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{name}: its type is {image.dtype}; convert it to uint8 or uint16")
    return as_grey(image, window, name)


@dataclass(frozen=True)
class Answer:
    """What the network says of an image.

    Attributes:
        masks: (class, height, width), at the size of the image.
        unlikeness: how the image compares with the training images, if known.
        probabilities: (class, height, width) at network size, 0..255, in the orientation of the image.
        prepared: the image as the network saw it, (height, width).
        absent: names of the classes whose masks were removed, because the presence step judges them absent.
    """

    masks: NDArray[np.bool_]
    unlikeness: Unlikeness | None
    probabilities: NDArray[np.uint8]
    prepared: NDArray[np.uint8]
    absent: tuple[str, ...] = ()


def predict_grey(
    model: Model, image: NDArray[np.uint8], one_component: bool, mirror: bool, tta: bool = False
) -> Answer:
    """Masks of grey values (height, width), 0..255; the network sees the mirrored image if `mirror`.

    Lines of text are filled already, if the model asks for it (`text.mask_text`).
    """
    seen = np.ascontiguousarray(image[:, ::-1]) if mirror else image
    prepared = resize_grey(seen, *model.size)
    unlikeness = compare(prepared, model.training_look) if model.training_look else None
    small = predict_views(model.predict, prepared) if tta else model.predict(prepared[None])[0]
    absent: tuple[str, ...] = ()
    if model.presence is not None:
        judged = judge(model.presence, small).absent
        small = without_absent(small, judged)
        absent = tuple(name for name, one in zip(model.classes, judged, strict=True) if one)
    height, width = image.shape
    masks = np.zeros((len(small), height, width), dtype=bool)
    for index, probability in enumerate(small):
        if one_component:
            enlarged = resize_grey(probability, height, width)
            masks[index] = most_likely_components(enlarged[None])[0]
        else:
            draw_mask(probability, masks[index])
    if mirror:
        masks, small = np.ascontiguousarray(masks[..., ::-1]), np.ascontiguousarray(small[..., ::-1])
    return Answer(masks, unlikeness, small, prepared, absent)
