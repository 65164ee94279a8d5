"""The cases of a page: their images, starting masks and embeddings."""

import base64
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.annotate.frame import MOST_BYTES
from samcarry.annotate.page import PageCase, render_annotator
from samcarry.annotate.parts import decoder_weights, embed_parts, windows_of
from samcarry.data.contract import CLASS_NAME_RULE, is_class_name
from samcarry.errors import InputError
from samcarry.images.grey import image_size
from samcarry.images.masks import mask_at_size
from samcarry.images.text import read_shown, text_note
from samcarry.runtime.device import Precision
from samcarry.runtime.progress import progress
from samcarry.sam.official import Sam
from samcarry.storage.files import sha256, write_text

log = logging.getLogger(__name__)

_SHARE_OF_PARTS = 0.6  # of the largest page: twenty images of any size with the tiny SAM


def write_annotator(
    path: str | Path,
    cases: Sequence[str],
    images: Mapping[str, Path],
    masks: Mapping[str, NDArray[np.bool_]],
    *,
    dataset: str,
    task: str,
    classes: Sequence[str] | None,
    sam: Sam,
    window: tuple[float, float] | None,
    text_masked: bool,
    precision: Precision,
) -> None:
    """Write a page on which the cases are annotated; an existing one stays, since somebody may be using it.

    Args:
        path: the HTML file.
        cases: names of the cases, in the order of the page.
        images: {case: image file}.
        masks: {case: starting masks (class, height, width) at any size}; cases without any start empty.
        dataset: name of the data set.
        task: name of the task.
        classes: names of the classes, in the order of the masks.
        sam: the SAM that answers on the page.
        window: as in `grey.read_grey`.
        text_masked: whether lines of text are filled, see `text.read_shown`.
        precision: number format in which the image encoder computes.

    Raises:
        InputError: there are no classes, one has an impossible name, or an image cannot be read.
    """
    if Path(path).exists():
        log.info(
            "%s exists and is not replaced, because somebody may be using it; delete it to get it again", path
        )
        return
    if not classes:
        raise InputError(
            "config: `classes` is null, and nothing is labelled yet: list the classes that are to be drawn, "
            "for example `classes: [Radius, Ulna]`"
        )
    if wrong := [name for name in classes if not is_class_name(name)]:
        raise InputError(f"config: `classes` has {wrong[0]!r}, but {CLASS_NAME_RULE}; choose another name")
    enlarged = _enlarged_parts_fit(sam, [images[case] for case in cases])

    def page_cases() -> Iterator[PageCase]:
        for case in progress(cases, "cases embedded for the page"):
            image, filled = read_shown(images[case], window, text_masked)
            parts = list(embed_parts(sam, image, precision, enlarged=enlarged))
            start = None if case not in masks else _at_size(masks[case], image.shape)
            yield PageCase(case, image, sha256(images[case]), start, parts, text_note(filled))

    page, shown = render_annotator(
        page_cases(),
        dataset=dataset,
        task=task,
        classes=classes,
        sam=decoder_weights(sam),
        expected=len(cases),
        text_masked=text_masked,
    )
    write_text(path, page)
    log.info("%d of %d cases are on the page of %.1f MB", len(shown), len(cases), len(page) / 1e6)
    if len(shown) < len(cases):
        log.warning(
            "%s: has %d of %d cases, because more would not fit into %d MB; ask for smaller tasks",
            path,
            len(shown),
            len(cases),
            MOST_BYTES // 1_000_000,
        )


def _enlarged_parts_fit(sam: Sam, images: Sequence[Path]) -> bool:
    """Whether embeddings of enlarged parts of all images, as text, leave enough of the largest page free."""
    side, encoder = sam.image_encoder.img_size, sam.prompt_encoder
    numbers = encoder.embed_dim * encoder.image_embedding_size[0] * encoder.image_embedding_size[1]
    each = len(base64.b64encode(bytes(2 * numbers)))
    count = sum(len(windows_of(image_size(image), side, enlarged=True)) for image in images)
    return each * count <= _SHARE_OF_PARTS * MOST_BYTES


def _at_size(masks: NDArray[np.bool_], size: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.stack([mask_at_size(mask.astype(np.uint8) * 255, *size) for mask in masks])
