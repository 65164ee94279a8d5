"""The import of other programs' studies: a data set in the contract, or every fault at once."""

from pathlib import Path

import pytest
from PIL import Image

from samcarry.data.cases import find_cases
from samcarry.errors import InputError
from samcarry.importing.annotations import NO_SPLIT, import_annotations
from support.imported_study import annotate, coco, labels, make_study, refused

LEFT_HALF, MIDDLE = [[0, 0, 4, 0, 4, 5, 0, 5]], [[2, 0, 6, 0, 6, 5, 2, 5]]


@pytest.fixture
def study(tmp_path) -> dict:
    return make_study(tmp_path)


def test_the_result_is_a_data_set_in_the_plain_contract_and_the_summary_names_what_is_missing(study):
    summary = import_annotations(**study)
    assert summary == [
        "annotated: took 2 of 3 images; 1 without an image file (gone)",
        "unlabelled: 2 images",
        "cases of a class: Radius 2, Ulna 2",
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
    assert sheet == "case,split\na,train\nb,val\nc,unlabelled\nd,unlabelled\n"


def test_classes_are_renamed_merged_dropped_and_chosen(study):
    import_annotations(**study | {"classes": {"Ulna": "bone", "Radius": "bone"}})
    assert labels(study) == {"bone": 6}
    summary = import_annotations(**study | {"classes": {"Ulna": None}})
    assert labels(study) == {"Radius": 6}
    assert summary[-1] == "dropped 3 shapes not asked for: Ulna 3"
    import_annotations(**study | {"wanted": ["Ulna"]})
    assert labels(study) == {"Ulna": 6}


def test_a_class_that_is_not_named_is_refused_once_where_only_named_ones_are_wanted(study):
    (line,) = refused(study, classes={"Ulna": "ulna"}, only_named=True)
    assert "class 'Radius' is not named in classes" in line
    import_annotations(**study | {"only_named": True, "wanted": ["Ulna", "Radius"]})


@pytest.mark.parametrize(("combine", "pixels"), [("union", 30), ("intersection", 10)])
def test_what_several_files_say_of_an_image_is_combined(study, tmp_path, combine, pixels):
    files = [coco(tmp_path / f"{i}.json", "a.png", segmentation=s) for i, s in enumerate((LEFT_HALF, MIDDLE))]
    import_annotations(**study | {"annotations": {NO_SPLIT: files}, "combine": combine})
    assert labels(study) == {"Radius": pixels, "Ulna": pixels}
    (study["destination"] / "cases.csv").unlink()  # a later import replaces the whole folder
    import_annotations(**study)
    assert labels(study) == {"Radius": 6, "Ulna": 6}


def test_an_image_that_is_annotated_twice_where_that_is_not_wanted(study, tmp_path):
    files = [coco(tmp_path / f"{name}.json", "a.png") for name in "xy"]
    (line,) = refused(study, annotations={NO_SPLIT: files}, combine="refuse")
    assert f"{files[1]}: image 'a.png' is annotated in {files[0]} already" in line
    (line,) = refused(study, annotations={"train": files[:1], "test": files[1:]})
    assert "is annotated in train already" in line
    (line,) = refused(study, annotations={NO_SPLIT: [coco(tmp_path / "z.json", "a.png", "a.png")]})
    assert "is there twice" in line


def test_an_image_without_shapes_is_labelled_or_not_as_the_user_says(study, tmp_path):
    empty = {"annotations": {NO_SPLIT: [coco(tmp_path / "e.json", "a.png", annotations=[])]}}
    import_annotations(**study | empty)
    assert labels(study) == {}
    summary = import_annotations(**study | empty, empty_is_labelled=False)
    assert not (study["destination"] / "labels" / "a").exists()
    assert "unlabelled: 4 images" in summary


FORMS = ["coco", "cvat", "supervisely", "labelme"]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_from_a_folder_and_split_by_patient(study, tmp_path, form):
    for name in ("a_left", "a_right", "b_left", "c_left"):
        Image.new("L", (6, 5)).save(study["images"] / f"{name}.png")
    folder = annotate(
        tmp_path / "ann", form, *(f"{n}.png" for n in ("a_left", "a_right", "b_left", "c_left"))
    )
    import_annotations(**study | {"form": form, "annotations": {NO_SPLIT: [folder]}})
    assert labels(study, "a_left") == {"ulna": 6}
    for seed in range(9):
        settings = {"val_fraction": 0.4, "test_fraction": 0, "seed": seed}
        cases, _ = find_cases(study["destination"], **settings, patient_pattern="^([a-d])(?:_|$)")
        split_of = {case.case: case.split for case in cases if case.labels}
        assert split_of["a_left"] == split_of["a_right"]
        if set(split_of.values()) == {"train", "val"}:
            return
    pytest.fail("no seed puts a patient into val")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png"])
def test_no_form_may_name_an_image_outside(study, tmp_path, form, name):
    folder = annotate(tmp_path / "ann", form, "b.png")
    (file,) = (file for file in folder.iterdir() if file.name != "meta.json")
    if form == "supervisely":  # the image is named by the file itself
        (tmp_path / "secret.json").write_text(file.read_text())
        file.unlink()
        file.symlink_to(tmp_path / "secret.json")
    else:
        old = "..\\\\images\\\\b.png" if form == "labelme" else "b.png"
        file.write_text(file.read_text().replace(old, name))
    (line,) = refused(study, form=form, annotations={NO_SPLIT: [folder]})
    assert line.startswith(f"{file}: ")
    assert "; " in line


@pytest.mark.parametrize(
    "name", ["../a.png", "x/../../a.png", "/etc/a.png", "C:\\a.png", "", "..", "a\n.png"]
)
def test_a_name_that_leaves_the_folder_is_refused(study, tmp_path, name):
    (line,) = refused(study, annotations={NO_SPLIT: [coco(tmp_path / "x.json", name)]})
    assert line.startswith(f"{tmp_path / 'x.json'}: image ")


def test_links_out_of_the_folder_and_second_images_of_a_name_are_refused(study, tmp_path):
    Image.new("L", (6, 5)).save(tmp_path / "secret.png")
    (study["images"] / "link.png").symlink_to(tmp_path / "secret.png")
    Image.new("L", (6, 5)).save(study["images"] / "deep" / "a.jpg")
    lines = refused(study)
    assert ["a second image of case 'a'" in lines[0], "leads out of" in lines[1]] == [True, True]


def test_all_faults_of_all_files_are_told_in_one_run(study, tmp_path):
    (tmp_path / "broken.json").write_text('{"images"')
    Image.new("L", (7, 5)).save(study["images"] / "b.png")
    (study["images"] / "d.png").write_bytes(b"")
    outside = coco(tmp_path / "o.json", "a.png", segmentation=[[9, 9, 12, 9, 12, 12]])
    files = [tmp_path / "broken.json", coco(tmp_path / "s.json", "b.png", "d.png"), outside]
    lines = refused(study, annotations={NO_SPLIT: files})
    expected = ["no JSON", "wholly outside", "wholly outside", "is 7 x 5", "file is empty"]
    assert [text in line for text, line in zip(expected, lines, strict=True)] == [True] * 5


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"combine": "mean"}, "'mean' is unknown"),
        ({"annotations": {"training": []}}, "split 'training' is unknown"),
        ({"images": Path("no-such-folder")}, "no such folder"),
        ({"annotations": {NO_SPLIT: []}}, "no image that is annotated"),
    ],
)
def test_settings_that_cannot_be(study, changes, fault):
    (line,) = refused(study, **changes)
    assert fault in line


def test_the_folders_that_are_read_are_never_replaced(study):
    with pytest.raises(InputError, match="would replace"):
        import_annotations(**study | {"destination": study["images"].parent})
    assert (study["images"] / "a.png").exists()
