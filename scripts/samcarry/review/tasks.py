"""A task for CVAT: the most doubtful cases with R as the starting annotation; never written twice."""

import logging
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.data.manifest import ManifestRow
from samcarry.errors import InputError
from samcarry.formats.cvat import write_cvat
from samcarry.formats.run_lengths import encode_image
from samcarry.images.grey import image_size, read_grey, write_grey
from samcarry.images.masks import mask_at_size
from samcarry.storage.files import atomic
from samcarry.storage.stacks import read_shards
from samcarry.storage.tables import read_table, write_table

log = logging.getLogger(__name__)


def task_cases(
    ranking: Iterable[str], manifest: Iterable[ManifestRow], taken: Iterable[str], count: int
) -> list[str]:
    """The `count` most doubtful cases that may join training and are in no earlier task.

    Unlabelled images of val and test patients, where the config keeps them, are not among them: a
    corrected one would put its patient into two splits.

    Args:
        ranking: all cases, most doubtful first.
        manifest: of the data set.
        taken: cases of earlier tasks.
        count: how many are wanted.

    Raises:
        InputError: none is left.
    """
    rows = list(manifest)
    held_out = {row.patient for row in rows if row.split in ("val", "test")}
    free = {row.case for row in rows if row.split == "unlabelled" and row.patient not in held_out}
    found = [case for case in ranking if case in free - set(taken)][:count]
    if not found:
        raise InputError("no unlabelled case is left for a task: all are in earlier tasks, or labelled")
    return found


def read_task(paths: Iterable[str | Path]) -> list[str]:
    """The cases of some tasks, by their cases.csv."""
    return [row["case"] for path in paths for row in read_table(path, ["case"])]


def write_task(
    *,
    cases: Sequence[str],
    images: Mapping[str, Path],
    window: tuple[float, float] | None,
    refined: Sequence[str],
    classes: Sequence[str],
    sheet: Path,
    archive: Path,
    annotations: Path,
) -> None:
    """Write a task's three files, those that are there already excepted: somebody may be at work with them.

    Where `sheet` is there, its cases hold in place of `cases`. Images go out as 8-bit PNGs at their own size,
    whatever they were saved as, since CVAT shows neither 16-bit files nor DICOM as one expects.

    Args:
        cases: in the order of the task.
        images: {case: image file}.
        window: as in `images.read_grey`.
        refined: stacks of R of all unlabelled shards.
        classes: of the stacks.
        sheet: a CSV file of the cases.
        archive: a ZIP file of the images.
        annotations: R as CVAT 1.1 XML.
    """
    if sheet.exists():
        cases = read_task([sheet])
        log.info(
            "%s is there already: its %d cases stay, and no file of the task is replaced", sheet, len(cases)
        )
    else:
        write_table(sheet, ["case"], ([case] for case in cases))
    if not archive.exists():
        _write_archive(archive, cases, images, window)
    if not annotations.exists():
        masks = read_shards(refined, cases)
        encoded = (encode_image(f"{case}.png", _at_size(masks[case], images[case])) for case in cases)
        write_cvat(annotations, encoded, classes)


def _at_size(masks: NDArray[np.bool_], image: Path) -> NDArray[np.bool_]:
    """Masks (class, height, width) at the size of an image."""
    size = image_size(image)
    return np.stack([mask_at_size(mask.astype(np.uint8) * 255, *size) for mask in masks])


def _write_archive(
    archive: Path, cases: Sequence[str], images: Mapping[str, Path], window: tuple[float, float] | None
) -> None:
    """The images as `<case>.png`; PNGs are compressed already."""
    with atomic(archive) as private, zipfile.ZipFile(private, "w", zipfile.ZIP_STORED) as target:
        for case in cases:
            picture = private.with_name(f".{case}.png")
            try:
                write_grey(picture, read_grey(images[case], window))
                target.write(picture, f"{case}.png")
            finally:
                picture.unlink(missing_ok=True)
