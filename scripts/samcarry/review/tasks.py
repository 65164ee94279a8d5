"""Annotation tasks for CVAT: the most doubtful cases with R as initial annotation; never overwritten."""

import logging
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.data.manifest import ManifestRow
from samcarry.errors import InputError, shortlist
from samcarry.formats.cvat import write_cvat
from samcarry.geometry.run_lengths import encode_image
from samcarry.images.grey import image_size, write_grey
from samcarry.images.masks import mask_at_size
from samcarry.images.text import read_shown
from samcarry.review.picture_names import picture_name
from samcarry.storage.files import atomic
from samcarry.storage.filled import ZIP_MARK
from samcarry.storage.stacks import read_shards
from samcarry.storage.tables import read_table, write_table

log = logging.getLogger(__name__)


def task_cases(
    ranking: Iterable[str], manifest: Iterable[ManifestRow], earlier: Iterable[str], count: int
) -> list[str]:
    """The `count` most doubtful cases that may join training and are not in an earlier task.

    Unlabelled images of val and test patients are excluded even if the config keeps them, because a
    corrected one would put its patient into two splits.

    Args:
        ranking: the cases to choose from, most doubtful first.
        manifest: the manifest of the data set.
        earlier: cases of earlier tasks.
        count: maximum number of cases.

    Raises:
        InputError: no case is left.
    """
    rows = list(manifest)
    held_out = {row.patient for row in rows if row.split in ("val", "test")}
    free = {row.case for row in rows if row.split == "unlabelled" and row.patient not in held_out}
    found = [case for case in ranking if case in free - set(earlier)][:count]
    if not found:
        raise InputError(
            "no unlabelled case is left for a task: all are labelled or in earlier tasks; add images without "
            "labels, or mark more cases on the review page"
        )
    return found


def read_task(paths: Iterable[str | Path]) -> list[str]:
    """The cases of one or more tasks, read from their cases.csv."""
    return [row["case"] for path in paths for row in read_table(path, ["case"])]


def write_task(
    *,
    cases: Sequence[str],
    images: Mapping[str, Path],
    window: tuple[float, float] | None,
    text_masked: bool,
    refined: Sequence[str],
    classes: Sequence[str],
    mirrored: Collection[str],
    sheet: Path,
    archive: Path,
    annotations: Path,
) -> None:
    """Write the three files of a task, but never replace an existing one: an annotator may be using it.

    If `sheet` exists, its cases are used instead of `cases`. Images are written as 8-bit PNGs of the original
    size, because CVAT does not display 16-bit files and DICOM correctly.

    Args:
        cases: the cases in the order of the task.
        images: {case: image file}.
        window: as in `grey.read_grey`.
        text_masked: whether lines of text are filled, see `text.read_shown`.
        refined: stacks of R of all unlabelled shards.
        classes: the classes of the stacks.
        mirrored: the cases whose images an import has mirrored; the names of their pictures say so.
        sheet: the CSV file of the cases.
        archive: the ZIP file of the images.
        annotations: the CVAT 1.1 XML file with R.
    """
    if sheet.exists():
        cases = read_task([sheet])
        log.info("%s exists: its %d cases are kept, and no file of the task is replaced", sheet, len(cases))
    else:
        write_table(sheet, ["case"], ([case] for case in cases))
    names = {case: picture_name(case, mirrored) for case in cases}
    if not archive.exists():
        _write_archive(archive, names, images, window, text_masked)
    if not annotations.exists():
        masks = read_shards(refined, cases, classes)
        encoded = (
            encode_image(name, _at_image_size(masks[case], images[case])) for case, name in names.items()
        )
        write_cvat(annotations, encoded, classes)


def _at_image_size(masks: NDArray[np.bool_], image: Path) -> NDArray[np.bool_]:
    """Masks (class, height, width) at the original size of an image."""
    size = image_size(image)
    return np.stack([mask_at_size(mask.astype(np.uint8) * 255, *size) for mask in masks])


def _write_archive(
    archive: Path,
    names: Mapping[str, str],
    images: Mapping[str, Path],
    window: tuple[float, float] | None,
    text_masked: bool,
) -> None:
    """Write a ZIP file with the images as {case: name}, uncompressed because PNGs are compressed already."""
    changed = []
    with atomic(archive) as private, zipfile.ZipFile(private, "w", zipfile.ZIP_STORED) as target:
        for case, name in names.items():
            picture = private.with_name(f".{name}")
            try:
                grey, filled = read_shown(images[case], window, text_masked)
                write_grey(picture, grey)
                target.write(picture, name)
            finally:
                picture.unlink(missing_ok=True)
            if filled:
                changed.append(case)
        if text_masked:
            target.comment = ZIP_MARK
    if changed:
        log.info(
            "%s: lines of text are filled with grey (images.mask_text) in the images of %s",
            archive,
            shortlist(changed),
        )
