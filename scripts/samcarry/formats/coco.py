"""COCO JSON for instances: reading polygons and run lengths, and writing compressed run lengths.

Polygons have the coordinates of `shapes`. The polygons of one annotation are parts of one object and are
united.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from samcarry.errors import InputError, raise_faults
from samcarry.formats.json_values import check_size, get_value, parse_points, read_json
from samcarry.geometry.run_lengths import EncodedImage, decompress_counts
from samcarry.geometry.shapes import (
    Annotation,
    ClassMapper,
    Geometry,
    LabelledShape,
    Polygon,
    Runs,
    same_name,
)
from samcarry.storage.files import atomic

_MAX_NUMBER_LENGTH = 7  # characters of one run length in compressed form


def read_coco(path: str | Path, map_class: ClassMapper = same_name) -> list[Annotation]:
    """Read a COCO file.

    Args:
        path: the JSON file.
        map_class: maps a category's name to a class, None to skip its annotations.

    Returns:
        The images in the order of the file, including those without annotations.

    Raises:
        InputError: one line per fault: broken JSON, an id that is used twice or refers to nothing, a polygon
            with fewer than three points, coordinates that are not finite numbers, run lengths that do not
            add up to the image size, only a bounding box.
    """
    path = Path(path)
    document = read_json(path)
    faults: list[str] = []
    images: dict[int | str, tuple[str, tuple[int, int] | None]] = {}
    for number, image in _entries(path, document, "images", faults):
        _read_image(path, number, image, images, faults)
    categories: dict[int | str, str] = {}
    for number, category in _entries(path, document, "categories", faults):
        try:
            _add_unique(categories, _id(category, "id"), get_value(category, "name", str))
        except InputError as error:
            faults.append(f"{path}: category {number} {error}")
    shapes: dict[int | str, list[LabelledShape]] = {key: [] for key in images}
    annotation_ids: dict[int | str, None] = {}
    # Faults of images and categories would be repeated for each annotation.
    for number, entry in _entries(path, document, "annotations", faults) if not faults else ():
        place = f"annotation {number}"
        try:
            if "id" in entry:
                place = f"annotation {entry['id']!r:.30}"
                _add_unique(annotation_ids, _id(entry, "id"), None)
            _read_annotation(entry, place, images, categories, map_class, shapes)
        except InputError as error:
            faults.append(f"{path}: {place} {error}")
    if not images and not faults:
        faults.append(f"{path}: has no images; export it as 'COCO instances'")
    raise_faults(faults)
    return [Annotation(path, name, size, tuple(shapes[key])) for key, (name, size) in images.items()]


def _entries(
    path: Path, document: dict[str, Any], key: str, faults: list[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects in the list at `key`, numbered from 1."""
    try:
        entries = get_value(document, key, list)
    except InputError as error:
        faults.append(f"{path}: {error} as 'COCO instances'")
        return
    for number, entry in enumerate(entries, start=1):
        if isinstance(entry, dict):
            yield number, entry
        else:
            faults.append(f"{path}: entry {number} of {key!r} is not an object; export it again")


def _id(entry: dict[str, Any], key: str) -> int | str:
    """The id at `key`: a whole number or a text."""
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(f"has no number {key!r}; export it again")
    return value


def _add_unique(known: dict[int | str, Any], key: int | str, value: Any) -> None:
    """Add an entry whose id must be new."""
    if key in known:
        raise InputError(f"has the same id {key!r:.30} as another one; make the ids unique")
    known[key] = value


def _read_image(
    path: Path,
    number: int,
    image: dict[str, Any],
    images: dict[int | str, tuple[str, tuple[int, int] | None]],
    faults: list[str],
) -> None:
    """Add an entry of `images`."""
    try:
        name = get_value(image, "file_name", str)
        _add_unique(images, _id(image, "id"), (name, None))
    except InputError as error:
        faults.append(f"{path}: image {number} {error}")
        return
    try:
        images[image["id"]] = name, check_size(image.get("height"), image.get("width"))
    except InputError as error:
        faults.append(f"{path}: image {name!r}: {error}")


def _read_annotation(
    entry: dict[str, Any],
    place: str,
    images: dict[int | str, tuple[str, tuple[int, int] | None]],
    categories: dict[int | str, str],
    map_class: ClassMapper,
    shapes: dict[int | str, list[LabelledShape]],
) -> None:
    """Add an annotation to the shapes of its image."""
    image, category = _id(entry, "image_id"), _id(entry, "category_id")
    if image not in images:
        raise InputError(f"refers to image {image!r:.30}, which is not among 'images'; export it again")
    if category not in categories:
        raise InputError(
            f"refers to category {category!r:.30}, which is not among 'categories'; export it again"
        )
    class_name = map_class(categories[category])
    if class_name is not None:
        shapes[image].append(LabelledShape(place, class_name, _parts(entry.get("segmentation"))))


def _parts(segmentation: Any) -> tuple[Geometry, ...]:
    """The parts of an annotation's object."""
    if not segmentation:
        raise InputError("has only a box and no 'segmentation'; draw its outline, or export masks")
    if isinstance(segmentation, dict):
        return (_read_runs(segmentation),)
    if not isinstance(segmentation, list):
        raise InputError("has a segmentation that is neither polygons nor run lengths; export it again")
    return tuple(Polygon(_corners(polygon)) for polygon in segmentation)


def _corners(polygon: Any) -> Any:
    """A flat list x, y, x, y, ... as (corner, xy)."""
    if not isinstance(polygon, list) or len(polygon) % 2:
        raise InputError("has a polygon that is not a list of x, y, x, y, ...; draw it again")
    return parse_points([list(pair) for pair in zip(polygon[::2], polygon[1::2], strict=True)], fewest=3)


def _read_runs(segmentation: dict[str, Any]) -> Runs:
    """Run lengths, checked to add up to the image size."""
    sides = segmentation.get("size")
    size = check_size(*sides) if isinstance(sides, list) and len(sides) == 2 else None
    if size is None:
        raise InputError("has run lengths without their 'size'; export it again")
    counts = segmentation.get("counts")
    runs: Sequence[int]
    if isinstance(counts, str) and len(counts) > _MAX_NUMBER_LENGTH * (size[0] * size[1] + 1):
        runs = []  # more of them than pixels
    elif isinstance(counts, str):
        runs = decompress_counts(counts)
    elif isinstance(counts, list) and all(type(run) is int for run in counts):
        runs = counts
    else:
        raise InputError("has run lengths that are neither a text nor whole numbers; export it again")
    # pycocotools silently fills missing pixels with background.
    if min(runs, default=0) < 0 or sum(runs) != size[0] * size[1]:
        raise InputError(
            f"has broken run lengths: they do not add up to {size[1]} x {size[0]}; export it again"
        )
    if isinstance(counts, str):
        return Runs(counts.encode(), *size)
    return Runs(coco_mask.frPyObjects({"size": list(size), "counts": list(runs)}, *size)["counts"], *size)


def write_coco(path: str | Path, images: Iterable[EncodedImage], classes: Sequence[str]) -> None:
    """Write all images to one COCO file, atomically, with one annotation per image and class.

    Images are written one at a time. Masks are compressed run lengths, which keep holes, parts and overlaps.
    Category ids are 1, 2, … in the order of `classes`.
    """
    entries: list[dict[str, Any]] = []
    written = 0
    with atomic(path) as private, private.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('{"annotations": [')
        for number, image in enumerate(images, 1):
            size = {"height": image.height, "width": image.width}
            entries.append({"id": number, "file_name": image.file_name, **size})
            for mask in image.masks:
                stream.write(",\n" if written else "\n")
                written += 1
                annotation = {
                    "id": written,
                    "image_id": number,
                    "category_id": mask.class_index + 1,
                    "segmentation": {"size": [image.height, image.width], "counts": mask.counts},
                    "area": mask.area,
                    "bbox": list(mask.box),
                    "iscrowd": 0,
                }
                stream.write(json.dumps(annotation))
        categories = [{"id": number, "name": name} for number, name in enumerate(classes, 1)]
        rest = {"images": entries, "categories": categories}
        stream.write("],\n" + json.dumps(rest, ensure_ascii=False)[1:] + "\n")
