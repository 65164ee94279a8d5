"""Readers: every format becomes the same data set, and no format can name an image outside its folder."""

import numpy as np
import pytest
import yaml
from PIL import Image

from samcarry.data.cases import find_cases
from samcarry.formats.class_pngs import write_class_masks
from samcarry.formats.class_tables import write_class_table
from samcarry.formats.dicom_seg import write_dicom_seg
from samcarry.formats.label_maps import label_map, write_label_map
from samcarry.formats.nifti import write_nifti
from samcarry.formats.seg_nrrd import write_seg_nrrd
from samcarry.formats.yolo import write_yolo, write_yolo_classes
from samcarry.images.masks import read_mask
from samcarry.importing.annotations import NO_SPLIT, import_annotations
from samcarry.importing.readers import READERS, list_annotation_files, reader_options
from support.dicom_files import write as write_dicom
from support.imported_study import annotate, labels, make_study, refused
from support.mask_table_files import write_mask_table
from support.paths import ROOT
from support.voc_files import write_labelmap, write_voc

CLASSES = ("radius", "ulna", "hamate")
CASES = ("P1", "P2")
SIZE = (9, 7)
FORMATS = ("label_maps", "voc", "class_pngs", "mask_table", "nifti", "segnrrd", "yolo", "dicomseg")


def masks_of(case):
    """Three classes that overlap, have holes and single pixels; the last is absent in P2."""
    masks = np.random.default_rng(CASES.index(case)).random((3, *SIZE)) < 0.3
    masks[2] &= case == "P1"
    return masks


def write_image(folder, case):
    (folder / "images").mkdir(parents=True, exist_ok=True)
    return write_dicom(
        folder / "images" / f"{case}.dcm",
        np.arange(63, dtype=np.uint16).reshape(SIZE),
        SOPClassUID="1.2.840.10008.5.1.4.1.1.1",
        SOPInstanceUID=f"1.2.3.{ord(case[-1])}",
        StudyInstanceUID="1.2.5",
        SeriesInstanceUID="1.2.6",
        Modality="DX",
    )


@pytest.fixture(params=FORMATS)
def study(tmp_path, request) -> dict:
    """Two annotated images and one that is not, with masks in this format."""
    format_name, folder = request.param, tmp_path / "masks"
    folder.mkdir()
    for case in CASES:
        image = write_image(tmp_path, case)
        if format_name == "label_maps":
            write_label_map(folder / f"{case}.png", masks_of(case))
        elif format_name == "voc":
            write_voc(folder / f"{case}.png", label_map(masks_of(case)))
        elif format_name == "class_pngs":
            write_class_masks(folder / case, masks_of(case), CLASSES)
        elif format_name == "nifti":
            write_nifti(folder / f"{case}.nii.gz", masks_of(case), CLASSES, case)
        elif format_name == "segnrrd":
            write_seg_nrrd(folder / f"{case}.seg.nrrd", masks_of(case), CLASSES)
        elif format_name == "yolo":
            write_yolo(folder / f"{case}.txt", masks_of(case))
        elif format_name == "dicomseg":
            write_dicom_seg(folder / f"any name {case}.dcm", image, masks_of(case), CLASSES)
    if format_name == "mask_table":
        write_mask_table(folder, {case: masks_of(case) for case in CASES}, CLASSES)
    write_image(tmp_path, "P3")
    write_class_table(tmp_path / "classes.csv", CLASSES)
    write_yolo_classes(tmp_path / "data.yaml", CLASSES)
    write_labelmap(tmp_path / "labelmap.txt", CLASSES)
    table = {"label_maps": "classes.csv", "yolo": "data.yaml", "voc": "labelmap.txt"}.get(format_name)
    return {
        "format_name": format_name,
        "images": tmp_path / "images",
        "annotations": {NO_SPLIT: [folder / "{case}/{class}.png" if format_name == "class_pngs" else folder]},
        "destination": tmp_path / "out" / "mine",
        "classes": {},
        "options": reader_options(
            format_name, {"table": table and str(tmp_path / table), "columns": {}, "masks": None}
        ),
    }


def test_an_export_is_imported_as_a_data_set(study):
    summary = import_annotations(**study)
    assert summary[:2] == ["annotated: imported 2 of 2 images", "unlabelled: 1 images"]
    for case in CASES:
        expected = masks_of(case)
        if study["format_name"] in ("label_maps", "voc"):  # which keep the smaller of overlapping classes
            expected = np.stack([label_map(expected) == number for number in (1, 2, 3)])
        folder = study["destination"] / "labels" / case
        present = [name for name, mask in zip(CLASSES, expected, strict=True) if mask.any()]
        assert sorted(file.stem for file in folder.iterdir()) == sorted(present)
        for name, mask in zip(CLASSES, expected, strict=True):
            if name in present:
                assert read_mask(folder / f"{name}.png").tolist() == mask.tolist()


def test_classes_are_renamed_and_dropped(study):
    summary = import_annotations(**study | {"classes": {"radius": "bone", "ulna": None}})
    files = {file.name for file in (study["destination"] / "labels").rglob("*.png")}
    assert files == {"bone.png", "hamate.png"}
    number = int(summary[-1].split()[1])
    assert number == 2 or study["format_name"] == "yolo"  # which has a shape for each part of a mask
    assert summary[-1] == f"dropped {number} shapes of other classes: ulna {number}"


def test_masks_must_have_the_size_of_the_image(study):
    Image.new("L", (8, 9)).save(study["images"] / "P1.png")
    (study["images"] / "P1.dcm").unlink()
    if study["format_name"] == "dicomseg":  # which refers to its image by UID and not by name
        assert "image of any name P1" in import_annotations(**study)[0]
    elif study["format_name"] == "yolo":  # whose coordinates fit any size
        assert import_annotations(**study)[0] == "annotated: imported 2 of 2 images"
    else:
        (line,) = refused(study)
        assert "P1.png: is 8 x 9, but its annotation in" in line


def test_masks_without_an_image_are_named_in_the_summary(study):
    (study["images"] / "P2.dcm").unlink()
    summary = import_annotations(**study)
    assert summary[0].startswith("annotated: imported 1 of 2 images; 1 without an image file (")


def test_all_damaged_masks_are_reported_and_nothing_is_written(study):
    pattern = {"class_pngs": "*/radius.png", "mask_table": "[03].png"}.get(study["format_name"], "*")
    files = sorted((study["images"].parent / "masks").glob(pattern))
    for file in files:
        content = file.read_bytes()
        # A text that is cut off may end between two numbers.
        file.write_bytes(content + b"0 0.5" if file.suffix == ".txt" else content[: len(content) // 2])
    lines = refused(study)
    assert [str(file) in line for file, line in zip(files, lines, strict=True)] == [True, True]


def write_for(format_name, folder, patient):
    """An annotation of <patient>/IM0001 in this format below `folder`; returns what to import."""
    square = np.ones((1, 5, 6), bool)
    place = folder / patient
    if format_name in ("coco", "cvat", "labelstudio", "via"):
        annotate(folder, format_name, f"{patient}/IM0001.png")
    elif format_name in ("supervisely", "labelme"):
        folder.mkdir()
        annotate(place, format_name, "IM0001.png")
        for file in place.glob("IM0001*.json"):
            file.write_text(file.read_text().replace("..\\\\images\\\\", ""))
    elif format_name == "mask_table":
        folder.mkdir()
        return write_mask_table(folder, {f"{patient}/IM0001.png": square}, ["ulna"])
    elif format_name == "class_pngs":
        write_class_masks(place / "IM0001", square, ["ulna"])
        return folder / "*/{case}/{class}.png"
    else:
        place.mkdir(parents=True)
        if format_name in ("label_maps", "voc"):
            write_label_map(place / "IM0001.png", square)
        elif format_name == "segnrrd":
            write_seg_nrrd(place / "IM0001.seg.nrrd", square, ["ulna"])
        elif format_name == "yolo":
            write_yolo(place / "IM0001.txt", square)
        else:
            write_nifti(place / "IM0001.nii.gz", square, ["ulna"], "IM0001")
    return folder


@pytest.mark.parametrize("format_name", [name for name in READERS if name != "dicomseg"])
def test_no_format_gives_an_image_the_annotation_of_a_namesake(tmp_path, format_name, caplog):
    study = {
        "format_name": format_name,
        "images": tmp_path / "images",
        "annotations": {NO_SPLIT: [write_for(format_name, tmp_path / "ann", "patientA")]},
        "destination": tmp_path / "out" / "mine",
        "classes": {"1": "ulna", "0": "ulna"},
        "options": {},
    }
    image = tmp_path / "images/patientB/IM0001.png"
    image.parent.mkdir(parents=True)
    Image.fromarray(np.arange(30, dtype=np.uint8).reshape(5, 6)).save(image)
    (line,) = refused(study)
    assert "'patientA/IM0001'" in line
    assert str(image) in line
    image.parent.rename(tmp_path / "images/patientA")
    assert import_annotations(**study)[0] == "annotated: imported 1 of 1 images"
    assert "ulna" in labels(study, "IM0001")
    assert "only the ends of the paths" not in caplog.text
    rows = (study["destination"] / "cases.csv").read_text().splitlines()
    assert rows == ["case,imported_from", "IM0001,patientA/IM0001.png"]


@pytest.mark.parametrize(
    "names", [("IM1.png", "IM1.jpg.png"), ("IM1.png", "IM1.tif"), ("IM1.png", "IM1.PNG")]
)
def test_two_files_for_one_image_in_one_folder_are_refused(tmp_path, names):
    (tmp_path / "maps").mkdir()
    for name in names:
        (tmp_path / "maps" / name).touch()
    faults: list[str] = []
    found = list(list_annotation_files("label_maps", {NO_SPLIT: [tmp_path / "maps"]}, faults))
    assert len(found) == 1
    assert all(str(tmp_path / "maps" / name) in faults[0] for name in names)


def test_files_of_supervisely_beside_their_images(tmp_path):
    (tmp_path / "one/ann").mkdir(parents=True)
    (tmp_path / "one/ann/a.png.json").touch()
    ((_, _, folder),) = list_annotation_files("supervisely", {NO_SPLIT: [tmp_path]}, [])
    assert folder == "one/img"


def test_of_a_whole_voc_data_set_only_the_maps_of_classes_are_read(tmp_path):
    for name in ("SegmentationClass", "SegmentationObject", "JPEGImages"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").touch()
    ((_, path, folder),) = list_annotation_files("voc", {NO_SPLIT: [tmp_path]}, [])
    assert (path, folder) == (tmp_path / "SegmentationClass/a.png", ".")


@pytest.mark.parametrize(
    ("file", "folder"),
    [("labels/train/a.txt", "images/train"), ("train/labels/a.txt", "train/images"), ("val/a.txt", "val")],
)
def test_files_of_yolo_beside_their_images(tmp_path, file, folder):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    (tmp_path / "classes.txt").touch()  # a list of classes, as some programs write it
    ((_, _, found),) = list_annotation_files("yolo", {NO_SPLIT: [tmp_path]}, [])
    assert found == folder


@pytest.fixture
def shape_study(tmp_path) -> dict:
    return make_study(tmp_path)


SHAPE_FORMATS = ["coco", "cvat", "supervisely", "labelme", "labelstudio", "via"]


@pytest.mark.parametrize("format_name", SHAPE_FORMATS)
def test_every_format_is_read_from_a_folder_and_split_by_patient(shape_study, tmp_path, format_name):
    for name in ("a_left", "a_right", "b_left", "c_left"):
        Image.new("L", (6, 5)).save(shape_study["images"] / f"{name}.png")
    folder = annotate(
        tmp_path / "ann", format_name, *(f"{n}.png" for n in ("a_left", "a_right", "b_left", "c_left"))
    )
    import_annotations(**shape_study | {"format_name": format_name, "annotations": {NO_SPLIT: [folder]}})
    assert labels(shape_study, "a_left") == {"ulna": 6}
    for seed in range(9):
        settings = {"val_fraction": 0.4, "test_fraction": 0, "seed": seed}
        cases, _ = find_cases(shape_study["destination"], **settings, patient_pattern="^([a-d])(?:_|$)")
        split_of = {case.case: case.split for case in cases if case.labels}
        assert split_of["a_left"] == split_of["a_right"]
        if set(split_of.values()) == {"train", "val"}:
            return
    pytest.fail("no seed puts a patient into val")


@pytest.mark.parametrize("format_name", SHAPE_FORMATS)
@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png"])
def test_no_format_can_name_an_image_outside_the_folder(shape_study, tmp_path, format_name, name):
    folder = annotate(tmp_path / "ann", format_name, "b.png")
    (file,) = (file for file in folder.iterdir() if file.name != "meta.json")
    if format_name == "supervisely":  # the image is named by the file itself
        (tmp_path / "secret.json").write_text(file.read_text())
        file.unlink()
        file.symlink_to(tmp_path / "secret.json")
    else:
        old = "..\\\\images\\\\b.png" if format_name == "labelme" else "b.png"
        file.write_text(file.read_text().replace(old, name))
    (line,) = refused(shape_study, format_name=format_name, annotations={NO_SPLIT: [folder]})
    assert line.startswith(f"{file}: ")
    assert "; " in line


def test_options_are_the_config_keys_that_a_reader_needs(tmp_path):
    source = {"label": "Knochen", "attribute": "Anatomie", "images": "images", "table": {"1": "ulna"}}
    assert reader_options("cvat", source) == {"label": "Knochen", "attribute": "Anatomie"}
    assert reader_options("coco", source) == {}
    options = reader_options("nifti", source)
    assert options["table"].numbers == {1: "ulna"}
    assert options["table"].source == "source.nifti.table"


def test_annotation_files_are_listed_by_split_and_suffix(tmp_path):
    for name in ("train/a.xml", "train/a.json", "val/b.json", "val/meta.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    by_split = {"train": [tmp_path / "train"], "val": [tmp_path / "val"]}
    faults: list[str] = []
    assert list(list_annotation_files("coco", by_split, faults)) == [
        ("train", tmp_path / "train/a.json", "."),
        ("val", tmp_path / "val/b.json", "."),
    ]
    assert faults == []
    assert list(list_annotation_files("cvat", by_split, faults)) == [("train", tmp_path / "train/a.xml", ".")]
    assert f"{tmp_path / 'val'}: holds no .xml file" in faults[0]
    pattern = {NO_SPLIT: [tmp_path / "{case}/{class}.png"]}
    found = list(list_annotation_files("class_pngs", pattern, faults))
    assert found == [(NO_SPLIT, pattern[NO_SPLIT][0], ".")]


def test_every_reader_is_offered_by_the_schema():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    offered = set(schema["properties"]["source"]["properties"])
    assert set(READERS) <= offered
