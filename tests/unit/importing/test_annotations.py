"""Import of annotations: the result is a data set, or every fault at once."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from samcarry.data.cases import find_cases
from samcarry.data.left_out import read_left_out
from samcarry.errors import InputError
from samcarry.importing.annotations import NO_SPLIT, import_annotations
from support.cvat_files import bone
from support.cvat_files import image as cvat_image
from support.cvat_files import polygon as cvat_polygon
from support.imported_study import coco, labels, make_study, refused
from support.label_studio_files import polygon as label_studio_polygon
from support.label_studio_files import task

LEFT_HALF, MIDDLE = [[0, 0, 4, 0, 4, 5, 0, 5]], [[2, 0, 6, 0, 6, 5, 2, 5]]


@pytest.fixture
def study(tmp_path) -> dict:
    return make_study(tmp_path)


def test_the_result_is_a_data_set_and_the_summary_names_missing_images(study):
    summary = import_annotations(**study)
    assert summary == [
        "annotated: imported 2 of 3 images; 1 without an image file (gone)",
        "unlabelled: 2 images",
        "cases per class: Radius 2, Ulna 2",
    ]
    cases, _ = find_cases(study["destination"], val_fraction=0, test_fraction=0)
    assert [(case.case, case.split) for case in cases] == [
        ("a", "train"),
        ("b", "unlabelled"),
        ("c", "train"),
        ("d", "unlabelled"),
    ]
    assert labels(study) == {"Radius": 6, "Ulna": 6}
    copied = study["destination"] / "images" / "c.png"
    assert copied.read_bytes() == (study["images"] / "deep" / "c.png").read_bytes()


def test_files_by_split_give_cases_their_split(study, tmp_path):
    files = {"train": [coco(tmp_path / "t.json", "a.png")], "val": [coco(tmp_path / "v.json", "b.png")]}
    import_annotations(**study | {"annotations": files})
    sheet = (study["destination"] / "cases.csv").read_text()
    rows = ["case,split,imported_from", "a,train,", "b,val,", "c,unlabelled,deep/c.png", "d,unlabelled,"]
    assert sheet.splitlines() == rows


def test_classes_are_renamed_merged_dropped_and_chosen(study):
    import_annotations(**study | {"classes": {"Ulna": "bone", "Radius": "bone"}})
    assert labels(study) == {"bone": 6}
    summary = import_annotations(**study | {"classes": {"Ulna": None}})
    assert labels(study) == {"Radius": 6}
    assert summary[-1] == "dropped 3 shapes of other classes: Ulna 3"
    import_annotations(**study | {"wanted": ["Ulna"]})
    assert labels(study) == {"Ulna": 6}


def test_shapes_that_cover_the_centre_of_no_pixel_are_counted_and_named(study, tmp_path):
    """Otherwise the class would be absent from the case without a word."""
    between = [[2.6, 2.6, 2.9, 2.6, 2.9, 2.9]]
    files = [coco(tmp_path / "a.json", "a.png"), coco(tmp_path / "b.json", "b.png", segmentation=between)]
    summary = import_annotations(**study | {"annotations": {NO_SPLIT: files}})
    assert summary[-1] == (
        "skipped 2 shapes that cover the centre of no pixel, as of a stray click: b (Radius), b (Ulna)"
    )


def test_an_unnamed_class_is_refused_once_with_only_named(study):
    (line,) = refused(study, classes={"Ulna": "ulna"}, only_named=True)
    assert "class 'Radius' is not named in classes" in line
    import_annotations(**study | {"only_named": True, "wanted": ["Ulna", "Radius"]})


@pytest.mark.parametrize(("combine", "pixels"), [("union", 30), ("intersection", 10)])
def test_annotations_of_an_image_in_several_files_are_combined(study, tmp_path, combine, pixels):
    files = [coco(tmp_path / f"{i}.json", "a.png", segmentation=s) for i, s in enumerate((LEFT_HALF, MIDDLE))]
    import_annotations(**study | {"annotations": {NO_SPLIT: files}, "combine": combine})
    assert labels(study) == {"Radius": pixels, "Ulna": pixels}
    readers = (study["destination"] / "readers.csv").read_text().splitlines()
    assert readers == ["case,class,readers,dice", "a,Radius,2,0.500000", "a,Ulna,2,0.500000"]
    (study["destination"] / "cases.csv").unlink()  # a later import replaces the whole folder
    import_annotations(**study)
    assert labels(study) == {"Radius": 6, "Ulna": 6}
    assert len((study["destination"] / "readers.csv").read_text().splitlines()) == 1


def test_files_that_share_out_the_classes_are_not_two_readers(study, tmp_path):
    files = [coco(tmp_path / f"{name}.json", "a.png") for name in ("one", "other")]
    for file, dropped in zip(files, ("Ulna", "Radius"), strict=True):
        content = json.loads(file.read_text())
        number = next(entry["id"] for entry in content["categories"] if entry["name"] == dropped)
        content["annotations"] = [a for a in content["annotations"] if a["category_id"] != number]
        file.write_text(json.dumps(content))
    import_annotations(**study | {"annotations": {NO_SPLIT: files}})
    assert set(labels(study)) == {"Radius", "Ulna"}
    assert len((study["destination"] / "readers.csv").read_text().splitlines()) == 1


@pytest.mark.parametrize(("combine", "pixels"), [("union", 30), ("intersection", 10)])
def test_several_annotators_in_one_file_are_combined(study, tmp_path, combine, pixels):
    one, two = ([[left, 0], [right, 0], [right, 5], [left, 5]] for left, right in ((0, 4), (2, 6)))
    drawn = task([label_studio_polygon(one)], [label_studio_polygon(two)])
    file = tmp_path / "label_studio.json"
    changes = {"format_name": "labelstudio", "annotations": {NO_SPLIT: [file]}}
    file.write_text(json.dumps([drawn]))
    import_annotations(**study | changes | {"combine": combine})
    assert labels(study) == {"ulna": pixels}
    (line,) = refused_again(study, changes, combine="refuse")
    assert "image 'a.png' is annotated by annotation 1 already; remove one" in line
    file.write_text(json.dumps([drawn, drawn]))
    assert "is listed twice" in refused_again(study, changes)[0]


def test_annotating_an_image_twice_can_be_refused(study, tmp_path):
    files = [coco(tmp_path / f"{name}.json", "a.png") for name in "xy"]
    (line,) = refused(study, annotations={NO_SPLIT: files}, combine="refuse")
    assert f"{files[1]}: image 'a.png' is annotated in {files[0]} already" in line
    (line,) = refused(study, annotations={"train": files[:1], "test": files[1:]})
    assert "is annotated in train already" in line
    (line,) = refused(study, annotations={NO_SPLIT: [coco(tmp_path / "z.json", "a.png", "a.png")]})
    assert "is listed twice" in line


def test_an_annotated_image_without_shapes_is_labelled_or_not_by_setting(study, tmp_path):
    empty = {"annotations": {NO_SPLIT: [coco(tmp_path / "e.json", "a.png", annotations=[])]}}
    import_annotations(**study | empty)
    assert labels(study) == {}
    summary = import_annotations(**study | empty, empty_is_labelled=False)
    assert not (study["destination"] / "labels" / "a").exists()
    assert "unlabelled: 4 images" in summary


def test_an_intersection_with_an_annotation_without_shapes_is_named_or_leaves_it_out(study, tmp_path):
    """A file in which nobody has looked at an image must not silently empty the masks of another."""
    files = [coco(tmp_path / "x.json", "a.png"), coco(tmp_path / "y.json", "a.png", annotations=[])]
    both = study | {"annotations": {NO_SPLIT: files}, "combine": "intersection"}
    summary = import_annotations(**both)
    assert labels(study) == {}
    assert any(
        line.startswith("1 images have shapes in one annotation and none in another, so") and ": a; " in line
        for line in summary
    )
    summary = import_annotations(**both, empty_is_labelled=False)
    assert labels(study) == {"Radius": 6, "Ulna": 6}
    assert not any("and none in another" in line for line in summary)
    assert (study["destination"] / "readers.csv").read_text().splitlines() == ["case,class,readers,dice"]


def test_all_faults_of_all_files_are_reported_together(study, tmp_path):
    (tmp_path / "broken.json").write_text('{"images"')
    Image.new("L", (7, 5)).save(study["images"] / "b.png")
    (study["images"] / "d.png").write_bytes(b"")
    outside = coco(tmp_path / "o.json", "a.png", segmentation=[[9, 9, 12, 9, 12, 12]])
    files = [tmp_path / "broken.json", coco(tmp_path / "s.json", "b.png", "d.png"), outside]
    lines = refused(study, annotations={NO_SPLIT: files})
    expected = ["not JSON", "entirely outside", "entirely outside", "is 7 x 5", "file is empty"]
    assert [text in line for text, line in zip(expected, lines, strict=True)] == [True] * 5


def test_two_files_that_leave_out_the_folder_of_an_image_are_not_combined(study, tmp_path):
    files = [coco(tmp_path / f"{name}.json", "c.png") for name in "xy"]
    import_annotations(**study | {"annotations": {NO_SPLIT: files[:1]}})
    assert labels(study, "c") == {"Radius": 6, "Ulna": 6}
    with pytest.raises(
        InputError, match=r"y\.json: image 'c\.png' is annotated in .*x\.json too, and the two"
    ):
        import_annotations(**study | {"annotations": {NO_SPLIT: files}})


def test_a_namesake_without_an_image_is_left_out_and_named_with_its_folder(study, tmp_path):
    files = [coco(tmp_path / "x.json", "deep/c.png", "other/c.png")]
    summary = import_annotations(**study | {"annotations": {NO_SPLIT: files}})
    assert summary[0] == "annotated: imported 1 of 2 images; 1 without an image file (other/c)"


def test_classes_that_differ_only_in_upper_and_lower_case_are_refused(study, tmp_path):
    (line,) = refused(study, classes={"Ulna": "bone", "Radius": "Bone"})
    assert (
        "class 'Bone' differs from class 'bone' in" in line
        or "class 'bone' differs from class 'Bone'" in line
    )


def test_decomposed_names_of_images_and_classes_are_the_same_names(study, tmp_path):
    name, bone = "ge\u0301nou", "fe\u0301mur"
    Image.new("L", (6, 5)).save(study["images"] / f"{name}.png")
    categories = [{"id": 3, "name": bone}, {"id": 4, "name": "f\u00e9mur"}]
    for written in (name, "g\u00e9nou"):
        file = coco(tmp_path / "u.json", f"{written}.png", categories=categories)
        changes = {"annotations": {NO_SPLIT: [file]}, "wanted": ["f\u00e9mur"], "only_named": True}
        import_annotations(**study | changes)
        assert labels(study, "g\u00e9nou") == {"f\u00e9mur": 6}
    (line,) = refused_again(
        study, {"annotations": {NO_SPLIT: [coco(tmp_path / "d.json", f"{name}.png", "g\u00e9nou.png")]}}
    )
    assert "is listed twice" in line


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"combine": "mean"}, "'mean' is unknown"),
        ({"annotations": {"training": []}}, "split 'training' is unknown"),
        ({"images": Path("no-such-folder")}, "no such folder"),
        ({"annotations": {NO_SPLIT: []}}, "none of the images is annotated"),
    ],
)
def test_impossible_settings_are_refused(study, changes, fault):
    (line,) = refused(study, **changes)
    assert fault in line


def test_input_folders_are_never_overwritten(study):
    with pytest.raises(InputError, match="would overwrite"):
        import_annotations(**study | {"destination": study["images"].parent})
    assert (study["images"] / "a.png").exists()


def test_a_cvat_export_with_the_class_in_an_attribute_and_shapes_that_are_skipped(study, tmp_path):
    shapes = (
        cvat_polygon(label="Knochen", inside=bone("Os capitatum")),
        cvat_polygon(label="Gips"),
        '<polyline label="Knochen" points="1,1;2,2"/>',
    )
    path = tmp_path / "a.xml"
    path.write_text(f"<annotations>{cvat_image(*shapes, name='part1/a.png')}</annotations>")
    summary = import_annotations(
        **study
        | {"format_name": "cvat", "annotations": {NO_SPLIT: [path]}, "classes": {"Os capitatum": "capitate"}},
        options={"label": "Knochen", "attribute": "Anatomie"},
    )
    assert labels(study) == {"capitate": 6}
    assert summary[-1] == "skipped 2 shapes: label Gips 1, polyline 1"


def test_a_sheet_gives_patient_split_and_order_and_names_missing_images(study, tmp_path):
    sheet = tmp_path / "cases.csv"
    sheet.write_text("case;patient;split;order\na;P1;train;7\nc;P2;unlabelled;\nlost;P3;test;\nb;P4;;\n")
    summary = import_annotations(**study, cases=sheet)
    cases, _ = find_cases(study["destination"])
    assert [(c.case, c.patient, c.split, c.order, c.labels is not None) for c in cases] == [
        ("a", "P1", "train", 7, True),
        ("b", "P4", "unlabelled", None, False),
        ("c", "P2", "unlabelled", None, True),  # hidden labels, for full supervision
        ("d", "d", "unlabelled", None, False),
    ]
    assert summary[-1] == f"{sheet}: 1 cases without an image file (lost)"


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        ("a,train", ["no split for the annotated case 'c'"]),
        ("a,train\nc,val\nd,test", ["case 'd' is in test but is not annotated"]),
        ("a,training\na,val", ["split 'training' of case 'a' is unknown", "two rows for case 'a'"]),
    ],
)
def test_faults_of_the_sheet(study, tmp_path, rows, faults):
    sheet = tmp_path / "cases.csv"
    sheet.write_text(f"case,split\n{rows}\n")
    lines = refused(study, cases=sheet)
    assert all(line.startswith(f"{sheet}: ") for line in lines)
    assert all(any(fault in line for line in lines) for fault in faults)


def test_counts_split_by_the_numbers_in_names_and_count_missing_images(study, tmp_path):
    names = [f"{number}.png" for number in (10, 9, 2, 1, 30)]
    for name in names[1:]:
        Image.new("L", (6, 5)).save(study["images"] / name)
    changes = {"annotations": {NO_SPLIT: [coco(tmp_path / "n.json", *names)]}}
    counts = {"train": 2, "unlabelled": 1, "val": 1, "test": 1}
    import_annotations(**study | changes, counts=counts)
    rows = [row.rpartition(",")[0] for row in (study["destination"] / "cases.csv").read_text().splitlines()]
    assert rows[:5] == ["case,split,order", "1,train,1", "2,train,2", "30,test,", "9,unlabelled,"]
    assert (study["destination"] / "labels" / "9" / "Ulna.png").exists()
    (line,) = refused_again(study, changes, counts={"train": 2})
    assert "add up to 2, but 5 images are annotated" in line


def refused_again(study: dict, changes: dict, **more) -> list[str]:
    """The faults of a second import; the first one must stay unchanged."""
    before = {file: file.read_bytes() for file in study["destination"].rglob("*") if file.is_file()}
    with pytest.raises(InputError) as caught:
        import_annotations(**study | changes, **more)
    assert before == {file: file.read_bytes() for file in study["destination"].rglob("*") if file.is_file()}
    return str(caught.value).splitlines()


def test_wanted_classes_without_any_shape_are_a_fault(study):
    (line,) = refused(study, wanted=["ulna"])
    assert "no shape has a wanted class (the classes are: Radius 3, Ulna 3)" in line


def test_the_size_of_pixels_in_an_annotation_is_written_to_cases_csv(study, tmp_path):
    (tmp_path / "nifti").mkdir()
    for name, sizes in (("a", [0.14, 0.28]), ("b", [1, 1])):
        mask = nib.Nifti1Image(np.ones((6, 5), np.uint8), np.diag([*sizes, 1, 1]))
        nib.save(mask, tmp_path / f"nifti/{name}.nii.gz")
    changes = {"annotations": {"train": [tmp_path / "nifti"]}, "options": {"table": None}}
    import_annotations(**study | changes | {"format_name": "nifti"})
    sheet = (study["destination"] / "cases.csv").read_text().splitlines()
    assert sheet[:3] == ["case,split,spacing,imported_from", "a,train,0.28 0.14,", "b,train,,"]


def test_unreadable_images_without_labels_are_skipped_counted_and_listed_on_request(study):
    for name in ("b.png", "d.png"):
        (study["images"] / name).write_bytes(b"no image")
    summary = import_annotations(**study, unreadable="skip")
    (line,) = [line for line in summary if "unreadable" in line]
    assert line.startswith("skipped 2 unreadable images without labels: ")
    assert read_left_out([study["destination"] / "left_out.csv"]) == {
        "annotated, without an image file": 1,  # the study's image `gone`
        "unreadable, without labels": 2,
    }
    assert all(name in line for name in ("b.png", "d.png"))
    assert "unlabelled: 0 images" in summary
    assert sorted(file.name for file in (study["destination"] / "images").iterdir()) == ["a.png", "c.png"]


def test_an_annotated_image_is_never_skipped(study):
    (study["images"] / "a.png").write_bytes(b"no image")
    assert any("a.png" in line for line in refused(study | {"unreadable": "skip"}))


def test_a_data_set_that_is_only_looked_at_links_to_its_images(study):
    import_annotations(**study, link=True)
    assert (study["destination"] / "images/a.png").is_symlink()
