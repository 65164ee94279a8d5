"""Reader of COCO's JSON for instances: polygons and run lengths, compressed or not.

A polygon's coordinates are those of `shapes`. The polygons of one annotation are pieces of one
object, and are united.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from samcarry.errors import InputError, raise_faults
from samcarry.formats.json_values import declared_size, member, points_of, read_json
from samcarry.formats.run_lengths import EncodedImage, expand_counts
from samcarry.formats.shapes import Annotation, Choose, Geometry, Polygon, Runs, Shape, as_it_is
from samcarry.storage.files import atomic

_LONGEST_NUMBER = 7  # characters


def read_coco(path: str | Path, choose: Choose = as_it_is) -> list[Annotation]:
    """Read a COCO file.

    Args:
        path: the JSON file.
        choose: names the class of a category, None to pass over its annotations.

    Returns:
        The images in their order in the file, those without any annotation included.

    Raises:
        InputError: a line for each fault: JSON that is broken, an id that is used twice or refers to
            nothing, a polygon of fewer than three points, coordinates that
            are no finite numbers, run lengths that do not add up to the image, a box only.
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
            _put(categories, _id(category, "id"), member(category, "name", str))
        except InputError as error:
            faults.append(f"{path}: category {number} {error}")
    shapes: dict[int | str, list[Shape]] = {key: [] for key in images}
    seen: dict[int | str, None] = {}
    # What is wrong with the images or categories would be told again at each annotation.
    for number, entry in _entries(path, document, "annotations", faults) if not faults else ():
        place = f"annotation {number}"
        try:
            if "id" in entry:
                place = f"annotation {entry['id']!r:.30}"
                _put(seen, _id(entry, "id"), None)
            _read_annotation(entry, place, images, categories, choose, shapes)
        except InputError as error:
            faults.append(f"{path}: {place} {error}")
    if not images and not faults:
        faults.append(f"{path}: has no image; export it as 'COCO instances'")
    raise_faults(faults)
    return [Annotation(path, name, size, tuple(shapes[key])) for key, (name, size) in images.items()]


def _entries(
    path: Path, document: dict[str, Any], key: str, faults: list[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects in a list of the file, numbered from 1."""
    try:
        entries = member(document, key, list)
    except InputError as error:
        faults.append(f"{path}: {error} as 'COCO instances'")
        return
    for number, entry in enumerate(entries, start=1):
        if isinstance(entry, dict):
            yield number, entry
        else:
            faults.append(f"{path}: entry {number} of {key!r} is no object; export it again")


def _id(entry: dict[str, Any], key: str) -> int | str:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(f"has no number {key!r}; export it again")
    return value


def _put(known: dict[int | str, Any], key: int | str, value: Any) -> None:
    if key in known:
        raise InputError(f"has the id {key!r:.30} of another one; give each an id of its own")
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
        name = member(image, "file_name", str)
        _put(images, _id(image, "id"), (name, None))
    except InputError as error:
        faults.append(f"{path}: image {number} {error}")
        return
    try:
        images[image["id"]] = name, declared_size(image.get("height"), image.get("width"))
    except InputError as error:
        faults.append(f"{path}: image {name!r}: {error}")


def _read_annotation(
    entry: dict[str, Any],
    place: str,
    images: dict[int | str, tuple[str, tuple[int, int] | None]],
    categories: dict[int | str, str],
    choose: Choose,
    shapes: dict[int | str, list[Shape]],
) -> None:
    """Add an annotation to the shapes of its image."""
    image, category = _id(entry, "image_id"), _id(entry, "category_id")
    if image not in images:
        raise InputError(f"is of image {image!r:.30}, which is not among 'images'; export it again")
    if category not in categories:
        raise InputError(f"is of category {category!r:.30}, which is not among 'categories'; export it again")
    class_name = choose(categories[category])
    if class_name is not None:
        shapes[image].append(Shape(place, class_name, _parts(entry.get("segmentation"))))


def _parts(segmentation: Any) -> tuple[Geometry, ...]:
    """The parts of an annotation."""
    if not segmentation:
        raise InputError("has no 'segmentation' (a box alone is no outline); draw it, or export masks")
    if isinstance(segmentation, dict):
        return (_read_runs(segmentation),)
    if not isinstance(segmentation, list):
        raise InputError("has a segmentation that is neither polygons nor run lengths; export it again")
    return tuple(Polygon(_corners(polygon)) for polygon in segmentation)


def _corners(polygon: Any) -> Any:
    """A flat list x, y, x, y, ... as (corner, xy)."""
    if not isinstance(polygon, list) or len(polygon) % 2:
        raise InputError("has a polygon that is no list of x, y, x, y, ...; draw it again")
    return points_of([list(pair) for pair in zip(polygon[::2], polygon[1::2], strict=True)], fewest=3)


def _read_runs(segmentation: dict[str, Any]) -> Runs:
    """Run lengths, of which every one is known to lie in the image."""
    sides = segmentation.get("size")
    size = declared_size(*sides) if isinstance(sides, list) and len(sides) == 2 else None
    if size is None:
        raise InputError("has run lengths without their 'size'; export it again")
    counts = segmentation.get("counts")
    runs: Sequence[int]
    if isinstance(counts, str) and len(counts) > _LONGEST_NUMBER * (size[0] * size[1] + 1):
        runs = []  # more of them than pixels
    elif isinstance(counts, str):
        runs = expand_counts(counts)
    elif isinstance(counts, list) and all(type(run) is int for run in counts):
        runs = counts
    else:
        raise InputError("has run lengths that are neither a text nor whole numbers; export it again")
    # pycocotools leaves what is missing as background, and says nothing.
    if min(runs, default=0) < 0 or sum(runs) != size[0] * size[1]:
        raise InputError(
            f"has broken run lengths: they do not add up to {size[1]} x {size[0]}; export it again"
        )
    if isinstance(counts, str):
        return Runs(counts.encode(), *size)
    return Runs(coco_mask.frPyObjects({"size": list(size), "counts": list(runs)}, *size)["counts"], *size)


def write_coco(path: str | Path, images: Iterable[EncodedImage], classes: Sequence[str]) -> None:
    """Write all images as one COCO file, one at a time, atomically: an annotation for each class of each.

    Masks are compressed run lengths, so that holes, parts and overlaps survive; category ids are 1, 2, …
    in the order of `classes`.
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
