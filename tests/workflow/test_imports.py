"""The same drawing from several annotation programs gives the same data set, and faults stop the import."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from support.label_studio_files import polygon as label_studio_polygon
from support.label_studio_files import task
from support.mask_table_files import write_mask_table
from support.via_files import entry as via_entry
from support.via_files import region as via_region
from support.via_files import table as via_table

HEIGHT, WIDTH = 24, 32
# {case: {class: left, top, right and bottom edge of a rectangle}}
DRAWN = {
    "p1_left": {"radius": (2, 3, 12, 20), "ulna": (10, 3, 20, 20)},
    "p1_right": {"radius": (4, 3, 14, 20)},
    "p2_left": {"radius": (6, 1, 16, 18), "ulna": (15, 2, 30, 22)},
    "p3_left": {"radius": (0, 0, 9, 9), "ulna": (20, 10, 32, 24)},
}
FORMATS = ("cvat", "coco", "supervisely", "labelme", "labelstudio", "via", "mask_table")


def corners(box):
    left, top, right, bottom = box
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def write_cvat(folder):
    def polygon(name, box):
        points = ";".join(f"{x}.00,{y}.00" for x, y in corners(box))
        return (
            f'<polygon label="{name}" source="manual" occluded="0" points="{points}" z_order="0"></polygon>'
        )

    images = (
        f'<image id="{number}" name="{case}.png" width="{WIDTH}" height="{HEIGHT}">'
        f"{''.join(polygon(*shape) for shape in shapes.items())}</image>"
        for number, (case, shapes) in enumerate(DRAWN.items())
    )
    (folder / "annotations.xml").write_text(
        f"<annotations><version>1.1</version>{''.join(images)}</annotations>"
    )


def write_coco(folder):
    ids = {"radius": 1, "ulna": 2}
    images = [
        {"id": number, "file_name": f"{case}.png", "height": HEIGHT, "width": WIDTH}
        for number, case in enumerate(DRAWN)
    ]
    shapes = [
        {
            "image_id": number,
            "category_id": ids[name],
            "segmentation": [np.ravel(corners(box)).tolist()],
            "iscrowd": 0,
        }
        for number, case in enumerate(DRAWN)
        for name, box in DRAWN[case].items()
    ]
    content = {
        "images": images,
        "categories": [{"id": number, "name": name} for name, number in ids.items()],
        "annotations": [{"id": number, **shape} for number, shape in enumerate(shapes)],
    }
    (folder / "instances.json").write_text(json.dumps(content))


def write_supervisely(folder):
    for case, shapes in DRAWN.items():
        # In Supervisely, corners are pixels, and the last one belongs to the rectangle.
        objects = [
            {
                "classTitle": name,
                "geometryType": "rectangle",
                "points": {"exterior": [[x0, y0], [x1 - 1, y1 - 1]]},
            }
            for name, (x0, y0, x1, y1) in shapes.items()
        ]
        content = {"size": {"height": HEIGHT, "width": WIDTH}, "objects": objects}
        (folder / f"{case}.png.json").write_text(json.dumps(content))


def write_labelme(folder):
    for case, shapes in DRAWN.items():
        content = {
            "imagePath": f"../images/{case}.png",
            "imageHeight": HEIGHT,
            "imageWidth": WIDTH,
            "shapes": [
                {"label": name, "shape_type": "polygon", "points": corners(box)}
                for name, box in shapes.items()
            ],
        }
        (folder / f"{case}.json").write_text(json.dumps(content))


def write_label_studio(folder):
    tasks = [
        task(
            [label_studio_polygon(corners(box), HEIGHT, WIDTH, label=name) for name, box in shapes.items()],
            image=f"/data/upload/1/0a1b2c3d-{case}.png",
        )
        for case, shapes in DRAWN.items()
    ]
    (folder / "export.json").write_text(json.dumps(tasks))


def write_via(folder):
    entries = []
    for case, shapes in DRAWN.items():
        regions = [
            via_region(
                {"name": "rect", "x": left, "y": top, "width": right - left, "height": bottom - top},
                bone=name,
            )
            for name, (left, top, right, bottom) in shapes.items()
        ]
        entries.append(via_entry(*regions, name=f"{case}.png"))
    (folder / "via.csv").write_text(via_table(*entries))


def write_masks(folder):
    images = {}
    for case, shapes in DRAWN.items():
        images[f"{case}.png"] = masks = np.zeros((2, HEIGHT, WIDTH), bool)
        for mask, name in zip(masks, ("radius", "ulna"), strict=True):
            left, top, right, bottom = shapes.get(name, (0, 0, 0, 0))
            mask[top:bottom, left:right] = True
    write_mask_table(folder, images, ("radius", "ulna"), cut=True)


WRITERS = dict(
    zip(
        FORMATS,
        (
            write_cvat,
            write_coco,
            write_supervisely,
            write_labelme,
            write_label_studio,
            write_via,
            write_masks,
        ),
        strict=True,
    )
)


@pytest.fixture
def exports(project):
    """A project with images and their annotations in every format, split by patient."""
    (project.folder / "images").mkdir()
    for number, case in enumerate([*DRAWN, "p4_left", "p5_left"]):
        grey = np.full((HEIGHT, WIDTH), 40 * number, np.uint8)
        Image.fromarray(grey).save(project.folder / "images" / f"{case}.png")
    for format_name, write in WRITERS.items():
        (project.folder / format_name).mkdir()
        write(project.folder / format_name)
    return project


def import_as(project, format_name, **source):
    block = {"images": "images", "annotations": format_name, **source}
    splits = {"patient_pattern": "^(p[0-9])_", "val_fraction": 0.3, "test_fraction": 0, "seed": 1}
    source = {"format": format_name, format_name: block}
    # No method uses SAM, because checking it would take longer than the import.
    project.configure(
        dataset=format_name, source=source, splits=splits, n=2, ablation={"n": []}, methods=["unet", "ours_p"]
    )
    return project.run(f"results/{format_name}/manifest.csv")


def test_all_programs_give_one_data_set(exports):
    results = []
    for format_name in FORMATS:
        outcome = import_as(exports, format_name, classes={"ulna": "elle"})
        assert outcome.returncode == 0, outcome.stdout
        folder = exports.folder / "results" / format_name / "annotated"
        files = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
        results.append(
            (
                exports.read(f"results/{format_name}/manifest.csv"),
                exports.read(f"results/{format_name}/classes.txt"),
                files,
            )
        )
    assert all(one == results[0] for one in results)
    manifest, classes, files = results[0]
    assert classes.split() == ["elle", "radius"]
    splits = dict(zip(*(column(manifest, name) for name in ("case", "split")), strict=True))
    assert splits["p1_left"] == splits["p1_right"]
    assert {splits["p4_left"], splits["p5_left"]} == {"unlabelled"}
    for case, shapes in DRAWN.items():
        for name, (left, top, right, bottom) in shapes.items():
            file = exports.folder / f"results/cvat/annotated/labels/{case}/{name.replace('ulna', 'elle')}.png"
            expected = np.zeros((HEIGHT, WIDTH), np.uint8)
            expected[top:bottom, left:right] = 255
            assert (np.asarray(Image.open(file)) == expected).all()
    assert len([name for name in files if name.startswith("labels/")]) == 7


def column(sheet, name):
    header, *rows = (line.split(",") for line in sheet.splitlines())
    return [row[header.index(name)] for row in rows]


def test_every_fault_of_an_import_is_one_line_and_a_new_image_is_noticed(exports):
    broken = [exports.folder / "labelme" / f"{case}.json" for case in ("p1_left", "p2_left")]
    good = [file.read_text() for file in broken]
    broken[0].write_text("{")
    broken[1].write_text(good[1].replace("[6, 1]", "[NaN, 1]"))
    outcome = import_as(exports, "labelme")
    assert outcome.returncode != 0
    assert "Traceback" not in outcome.stdout
    for file, fault in zip(broken, ("not JSON", "far outside the image"), strict=True):
        name = str(file.relative_to(exports.folder))
        assert any(name in line and fault in line for line in outcome.stdout.splitlines()), outcome.stdout
    assert not (exports.folder / "results/labelme/annotated").exists()
    for file, text in zip(broken, good, strict=True):
        file.write_text(text)
    assert import_as(exports, "labelme").returncode == 0
    target = "results/labelme/manifest.csv"
    assert exports.planned(target) == set()
    Image.new("L", (WIDTH, HEIGHT)).save(exports.folder / "images/p6_left.png")
    assert {"import_annotations", "list_cases"} <= exports.planned(target)


def test_annotations_and_sheets_replaced_by_older_ones_are_imported_again(exports):
    sheet = exports.folder / "sheet.csv"
    splits = ["train", "train", "test", "val"]
    sheet.write_text(
        "case,patient,split\n"
        + "".join(f"{case},{case[:2]},{split}\n" for case, split in zip(DRAWN, splits, strict=True))
    )
    target = "results/coco/manifest.csv"
    assert import_as(exports, "coco", cases="sheet.csv").returncode == 0
    for file, old, new in (
        (sheet, "p2_left,p2,test", "p2_left,p2,val"),
        (exports.folder / "coco/instances.json", "[2, 3, 12", "[1, 3, 12"),
    ):
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        os.utime(file, (10**9, 10**9))
        assert exports.planned(target) == {"import_annotations", "list_cases"}, file
        file.write_text(text)
        os.utime(file, (10**9, 10**9))
    assert exports.planned(target) == set()
