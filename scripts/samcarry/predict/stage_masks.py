"""Export of the masks of one stage, at the size and in the orientation of the user's own images."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samcarry.data.contract import mirrored_cases
from samcarry.data.manifest import ManifestRow
from samcarry.errors import shortlist
from samcarry.formats.writers import OVERLAP_RULE, MaskWriter
from samcarry.images.masks import mask_at_size
from samcarry.images.text import read_shown
from samcarry.importing.folders import find_image_files
from samcarry.runtime.progress import progress
from samcarry.storage.files import atomic, write_text
from samcarry.storage.stacks import read_header, read_stack

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Original:
    """The user's own image of a case.

    Attributes:
        image: the file in the data set, of the same size as the source.
        source: the user's own file, which may be the same file.
        name: path of the source relative to its folder of images.
        mirrored: whether `image` is the mirrored `source`.
    """

    image: Path
    source: Path
    name: str
    mirrored: bool


def find_originals(
    data: Path, rows: Iterable[ManifestRow], source_images: Path | None
) -> dict[str, Original]:
    """{case: original} for all cases of a data set.

    Args:
        data: folder of the data set.
        rows: rows of its manifest.
        source_images: folder from which the images were imported; None if `data` is the user's own folder.
    """
    if source_images is None:
        return {
            row.case: Original(data / row.image, data / row.image, Path(row.image).name, False)
            for row in rows
        }
    # The import has already checked these files, so faults are ignored here.
    files = find_image_files(source_images, []) if source_images.is_dir() else {}
    mirrored = mirrored_cases(data)
    originals = {}
    for row in rows:
        source = files.get(row.case, data / row.image)
        name = source.relative_to(source_images).as_posix() if row.case in files else source.name
        originals[row.case] = Original(data / row.image, source, name, row.case in mirrored)
    if missing := sorted(case for case in originals if case not in files):
        log.warning("%s: the images of %s are no longer there", source_images, shortlist(missing))
    return originals


def export_stage(
    folder: Path,
    stacks: Sequence[str | Path],
    originals: Mapping[str, Original],
    formats: Sequence[str],
    *,
    window: tuple[float, float] | None,
    text_masked: bool,
    metadata: Mapping[str, Any],
) -> None:
    """Write masks, and export.json, which lists them, to a folder, atomically.

    Both probabilities and masks are resized before they are thresholded at 0.5 (see `masks.mask_at_size`).

    Args:
        folder: the output folder; an existing one is replaced.
        stacks: probabilities or masks, one file per shard.
        originals: the originals of all cases, from `find_originals`.
        formats: some of `formats.FORMATS`.
        window: percentiles of the grey values shown in overlays, as for `grey.read_grey`.
        text_masked: whether lines of text are filled in overlays and images, see `text.read_shown`.
        metadata: the first entries of export.json.
    """
    classes = read_header(stacks[0]).classes
    cases = []
    with atomic(folder) as private:
        files = MaskWriter(private, classes, formats)
        for path in progress(stacks, "shards exported"):
            stack = read_stack(path, classes=classes)
            values = stack.values if stack.kind == "probability" else stack.values * np.uint8(255)
            for case, small in zip(stack.cases, values, strict=True):
                original = originals[case]
                grey, filled = read_shown(original.image, window, text_masked)
                masks = np.stack([mask_at_size(class_values, *grey.shape) for class_values in small])
                grey, masks = _unmirrored(grey, original), _unmirrored(masks, original)
                written = files.add(case, masks, grey, file_name=original.name, source=original.source)
                size = dict(zip(("height", "width"), grey.shape, strict=True))
                entry = {"case": case, "image": original.name, **size, "mirrored_back": original.mirrored}
                cases.append({**entry, "text_filled": len(filled), "files": written})
        common_files = files.finish()
        for fault in files.faults:
            log.warning("%s", fault)
        record = {**metadata, "formats": list(formats), "classes": classes, "overlap_rule": OVERLAP_RULE}
        record |= {"files": common_files, "left_out": files.faults, "cases": cases}
        write_text(private / "export.json", json.dumps(record, ensure_ascii=False, indent=1))


def _unmirrored(values: NDArray[Any], original: Original) -> NDArray[Any]:
    """An image or masks (..., height, width) in the orientation of the user's own image."""
    return np.ascontiguousarray(values[..., ::-1]) if original.mirrored else values
