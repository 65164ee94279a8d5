"""A small study for tests of imports, with annotations in several formats."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samcarry.errors import InputError
from samcarry.images.masks import read_mask
from samcarry.importing.annotations import NO_SPLIT, import_annotations
from support.coco_files import annotation, document
from support.cvat_files import image as cvat_image
from support.cvat_files import polygon as cvat_polygon
from support.label_studio_files import polygon as label_studio_polygon
from support.label_studio_files import task
from support.labelme_files import shape
from support.supervisely_files import polygon
from support.via_files import document as via_document
from support.via_files import entry as via_entry
from support.via_files import region as via_region

SQUARE = [1, 1, 4, 1, 4, 3, 1, 3]


def make_study(tmp_path: Path) -> dict:
    """Write four images, and a COCO file that annotates two of them and one missing image."""
    (tmp_path / "images" / "deep").mkdir(parents=True)
    for name in ("a.png", "b.png", "deep/c.png", "d.png"):
        Image.fromarray(np.arange(30, dtype=np.uint16).reshape(5, 6) * 999).save(tmp_path / "images" / name)
    return {
        "format_name": "coco",
        "images": tmp_path / "images",
        "annotations": {NO_SPLIT: [coco(tmp_path / "coco.json", "a.png", "deep/c.png", "gone.png")]},
        "destination": tmp_path / "out" / "mine",
        "classes": {},
    }


def coco(path: Path, *names: str, segmentation=(SQUARE,), **changes) -> Path:
    """Write a COCO file in which every image has an Ulna and a Radius with the same outline."""
    size = {"height": 5, "width": 6}
    images = [{"id": number, "file_name": name, **size} for number, name in enumerate(names)]
    entries = [
        annotation(list(segmentation), 2 * number + offset, image_id=number, category_id=3 + offset)
        for number in range(len(names))
        for offset in (0, 1)
    ]
    path.write_text(json.dumps(document(*entries, images=images) | changes))
    return path


def refused(study: dict, **changes) -> list[str]:
    """The faults, one per line; also checks that the failed import leaves no files."""
    with pytest.raises(InputError) as caught:
        import_annotations(**study | changes)
    out = study["destination"].parent
    assert not out.exists() or not list(out.iterdir())
    return str(caught.value).splitlines()


def labels(study: dict, case: str = "a") -> dict[str, int]:
    """{class: number of pixels} of a case."""
    folder = study["destination"] / "labels" / case
    return {file.stem: int(read_mask(file).sum()) for file in sorted(folder.iterdir())}


def annotate(folder: Path, format_name: str, *names: str) -> Path:
    """Write a folder of annotations: columns 1 to 3 of rows 1 and 2 of each image are 'ulna'."""
    folder.mkdir()
    if format_name == "coco":
        coco(folder / "all.json", *names, categories=[{"id": 3, "name": "ulna"}, {"id": 4, "name": "ulna"}])
    elif format_name == "cvat":
        images = [cvat_image(cvat_polygon(label="ulna"), name=name) for name in names]
        (folder / "all.xml").write_text(f"<annotations>{''.join(images)}</annotations>")
    elif format_name == "via":
        entries = [via_entry(via_region(), name=name) for name in names]
        (folder / "all.json").write_text(json.dumps(via_document(*entries)))
    elif format_name == "labelstudio":
        tasks = [task([label_studio_polygon()], image=name) for name in names]
        (folder / "all.json").write_text(json.dumps(tasks))
    for name in names if format_name == "supervisely" else ():
        objects = [polygon([[1, 1], [3, 1], [3, 2], [1, 2]], classTitle="ulna")]
        content = {"size": {"height": 5, "width": 6}, "objects": objects}
        (folder / f"{Path(name).name}.json").write_text(json.dumps(content))
    for name in names if format_name == "labelme" else ():
        content = {"imagePath": f"..\\images\\{name}", "shapes": [shape([[1, 1], [4, 1], [4, 3], [1, 3]])]}
        (folder / f"{Path(name).stem}.json").write_text(json.dumps(content))
    if format_name == "supervisely":
        (folder / "meta.json").write_text("{}")
    return folder
