"""Masks of one stage of the workflow at the size and in the orientation of the user's own images."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samcarry.data.manifest import ManifestRow
from samcarry.errors import shortlist
from samcarry.formats.writers import OVERLAP_RULE, MaskFiles
from samcarry.images.grey import read_grey
from samcarry.images.masks import mask_at_size
from samcarry.importing.folders import find_image_files
from samcarry.runtime.progress import progress
from samcarry.storage.files import atomic, write_text
from samcarry.storage.sheets import read_sheet
from samcarry.storage.stacks import read_header, read_stack

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Original:
    """An image as the user has it.

    Attributes:
        image: the file in the data set, which has its size.
        source: the user's own file, which may be the same.
        name: of the source, as from the folder of images.
        mirrored: whether `image` is `source` mirrored.
    """

    image: Path
    source: Path
    name: str
    mirrored: bool


def find_originals(
    data: Path, rows: Iterable[ManifestRow], source_images: Path | None
) -> dict[str, Original]:
    """{case: original} of a data set.

    Args:
        data: the data set's folder.
        rows: its manifest.
        source_images: the folder that an import read the images from; None if `data` is the user's own.
    """
    if source_images is None:
        return {
            row.case: Original(data / row.image, data / row.image, Path(row.image).name, False)
            for row in rows
        }
    # What an import refused would have stopped it: here nothing is left to find fault with.
    files = find_image_files(source_images, []) if source_images.is_dir() else {}
    mirrored = {row["case"] for row in read_sheet(data / "cases.csv") if row.get("mirrored") == "1"}
    found = {}
    for row in rows:
        source = files.get(row.case, data / row.image)
        name = source.relative_to(source_images).as_posix() if row.case in files else source.name
        found[row.case] = Original(data / row.image, source, name, row.case in mirrored)
    if missing := sorted(case for case in found if case not in files):
        log.warning("%s: has no image of %s any more", source_images, shortlist(missing))
    return found


def export_stage(
    folder: Path,
    stacks: Sequence[str | Path],
    originals: Mapping[str, Original],
    formats: Sequence[str],
    *,
    window: tuple[float, float] | None,
    about: Mapping[str, Any],
) -> None:
    """Write masks and export.json, which lists them, to `folder`, whole or not at all.

    Probabilities and masks alike are enlarged before they are cut at 0.5 (`mask_files.mask_at_size`).

    Args:
        folder: one that is there already is replaced.
        stacks: probabilities or masks, a file a shard.
        originals: of `find_originals`.
        formats: of `mask_files.FORMATS`.
        window: of the grey values below overlays, see `images.read_grey`.
        about: what export.json tells first.
    """
    classes = read_header(stacks[0]).classes
    cases = []
    with atomic(folder) as private:
        files = MaskFiles(private, classes, formats)
        for path in progress(stacks, "shards exported"):
            stack = read_stack(path)
            whole = stack.values if stack.kind == "probability" else stack.values * np.uint8(255)
            for case, small in zip(stack.cases, whole, strict=True):
                original = originals[case]
                grey = read_grey(original.image, window)
                masks = np.stack([mask_at_size(values, *grey.shape) for values in small])
                grey, masks = _turned_back(grey, original), _turned_back(masks, original)
                written = files.add(case, masks, grey, file_name=original.name, source=original.source)
                size = dict(zip(("height", "width"), grey.shape, strict=True))
                told = {"case": case, "image": original.name, **size, "mirrored_back": original.mirrored}
                cases.append({**told, "files": written})
        whole_set = files.finish()
        for fault in files.faults:
            log.warning("%s", fault)
        record = {**about, "formats": list(formats), "classes": classes, "overlap_rule": OVERLAP_RULE}
        record |= {"files": whole_set, "left_out": files.faults, "cases": cases}
        write_text(private / "export.json", json.dumps(record, ensure_ascii=False, indent=1))


def _turned_back(values: NDArray[Any], original: Original) -> NDArray[Any]:
    """An image or masks (..., height, width) as the user has them."""
    return np.ascontiguousarray(values[..., ::-1]) if original.mirrored else values
