"""What a folder or a file of annotations is taken for."""

import json
from pathlib import Path

import pytest
from PIL import Image

from samcarry.errors import InputError
from samcarry.setup.finding import find_source


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (6, 5), 90).save(path)


@pytest.mark.parametrize(
    ("files", "form", "annotations"),
    [
        ({"images/a.png": None, "x.json": {"images": [], "annotations": []}}, "coco", "x.json"),
        ({"img/a.png": None, "ann/a.png.json": {"objects": [], "size": {}}}, "supervisely", "ann"),
        ({"a.png": None, "a.json": {"shapes": [], "imagePath": "a.png"}}, "labelme", ""),
        ({"images/a.png": None, "nii/a.nii.gz": "x"}, "nifti", "nii"),
        ({"images/a.png": None, "seg/a.seg.nrrd": "x"}, "segnrrd", "seg"),
        ({"images/a.png": None, "x.json": [{"data": {}, "annotations": []}]}, "labelstudio", "x.json"),
        ({"images/a.png": None, "x.json": {"_via_img_metadata": {}}}, "via", "x.json"),
        ({"images/a.png": None, "x.json": {"a": {"filename": "a.png", "regions": []}}}, "via", "x.json"),
        ({"images/a.png": None, "labels/a.txt": ""}, "yolo", "labels"),
        ({"images/train/a.png": None, "labels/train/a.txt": ""}, "yolo", "labels"),
        ({"JPEGImages/a.png": None, "SegmentationClass/a.png": None}, "voc", ""),
        ({"images/a.png": None, "masks/a.png": None}, "label_maps", "masks"),
        ({"images/a.png": None, "masks/a/lung.png": None}, "class_pngs", "masks/{case}/{class}.png"),
        ({"images/a.png": None, "x.xml": "<annotations><image/></annotations>"}, "cvat", "x.xml"),
    ],
)
def test_exports_are_recognised_by_their_content(tmp_path, files, form, annotations):
    for name, content in files.items():
        if content is None:
            image(tmp_path / name)
        else:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    source = find_source(tmp_path, [])
    assert source["format"] == form
    assert source[form]["annotations"] == str(tmp_path / annotations).rstrip("/")
    assert find_source(tmp_path, [])[form]["images"].startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("masks", "form", "table"),
    [("labels/a.txt", "yolo", "data.yaml"), ("SegmentationClass/a.png", "voc", "labelmap.txt")],
)
def test_the_names_of_classes_beside_the_masks_are_found(tmp_path, masks, form, table):
    image(tmp_path / "images/a.png")
    for name in (masks, table):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_source(tmp_path, [])[form]["table"] == str(tmp_path / table)


def test_several_files_of_one_program_are_a_list(tmp_path):
    image(tmp_path / "images/a.png")
    for name in ("x.xml", "y.xml"):
        (tmp_path / name).write_text("<annotations/>")
    assert len(find_source(tmp_path, [])["cvat"]["annotations"]) == 2


def labelme(path, name):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"shapes": [], "imagePath": name}))


def test_no_file_of_a_large_export_is_left_out(tmp_path):
    image(tmp_path / "images/a.png")
    (tmp_path / "ann").mkdir()
    for place in range(250):
        (tmp_path / f"ann/{place:03d}.json").write_text('{"images": [], "annotations": []}')
    assert find_source(tmp_path, [])["coco"]["annotations"] == str(tmp_path / "ann")
    (tmp_path / "ann/notes.json").write_text("{}")
    assert len(find_source(tmp_path, [])["coco"]["annotations"]) == 250


def test_a_folder_with_few_files_after_one_with_many_is_part_of_the_export(tmp_path):
    for folder, count in (("ds1", 220), ("ds2", 3)):
        image(tmp_path / folder / "img/a.png")
        (tmp_path / folder / "ann").mkdir()
        for place in range(count):
            (tmp_path / folder / f"ann/{place:03d}.png.json").write_text('{"objects": [], "size": {}}')
    assert find_source(tmp_path, [])["supervisely"]["annotations"] == str(tmp_path)


def test_annotations_of_another_format_that_are_not_read_are_named(tmp_path):
    image(tmp_path / "images/a.png")
    (tmp_path / "coco.json").write_text('{"images": [], "annotations": []}')
    warnings = []
    find_source(tmp_path, warnings)
    assert not warnings
    labelme(tmp_path / "images/b.json", "b.png")
    (tmp_path / "c.nii.gz").touch()
    assert find_source(tmp_path, warnings)["format"] == "coco"
    (line,) = warnings
    assert "reads coco only, not labelme (" in line
    assert "b.json" in line
    assert "nifti (" in line


@pytest.mark.parametrize(("mask", "form"), [("labels/a.txt", "yolo"), ("SegmentationClass/a.png", "voc")])
def test_json_beside_masks_of_another_format_is_named(tmp_path, mask, form):
    image(tmp_path / "images/a.png")
    (tmp_path / mask).parent.mkdir()
    (tmp_path / mask).touch()
    (tmp_path / "coco.json").write_text('{"images": [], "annotations": []}')
    warnings = []
    assert find_source(tmp_path, warnings)["format"] == form
    (line,) = warnings
    assert f"reads {form} only, not coco (" in line


@pytest.mark.parametrize("part", ["images", "labels"])
def test_a_part_of_a_data_set_names_the_whole(tmp_path, monkeypatch, part):
    image(tmp_path / "mine/images/a.png")
    image(tmp_path / "mine/labels/a/lung.png")
    with pytest.raises(InputError, match=rf"name that folder, samcarry init {tmp_path}/mine$"):
        find_source(tmp_path / "mine" / part, [])
    monkeypatch.chdir(tmp_path / "mine" / part)
    with pytest.raises(InputError, match=rf"name that folder, samcarry init {tmp_path}/mine$"):
        find_source(Path(), [])
    labelme(tmp_path / "mine" / part / "a.json", "a.png")
    assert find_source(tmp_path / "mine" / part, [])["format"] == "labelme"


def test_the_layout_of_samcarry_itself(tmp_path):
    image(tmp_path / "images/a.png")
    image(tmp_path / "labels/a/lung.png")
    assert find_source(tmp_path, []) == {"format": "folder", "folder": str(tmp_path)}
    (tmp_path / "more/images").mkdir(parents=True)
    image(tmp_path / "more/images/a.png")
    assert find_source(tmp_path / "more", [])["format"] == "folder"  # without labels, which `start` refuses


@pytest.mark.parametrize("content", ["[]", "{", '{"a": 1}', "<svg/>", "<annotations"])
def test_other_files_are_no_annotations(tmp_path, content):
    for name in ("x.json", "x.xml", "x.txt"):
        (tmp_path / name).write_text(content)
        if name == "x.xml" and content == "<annotations":
            continue
        with pytest.raises(InputError, match="is not an annotation file"):
            find_source(tmp_path / name, [])


def test_images_without_a_layout_or_annotations_say_what_to_do(tmp_path):
    image(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"move the images into .*/images"):
        find_source(tmp_path, [])
    with pytest.raises(InputError, match="there is no such folder or file"):
        find_source(tmp_path / "gone", [])
