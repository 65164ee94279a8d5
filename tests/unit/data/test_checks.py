"""Every image and label is opened before training, and each faulty file is reported."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samcarry.data.cases import Case
from samcarry.data.checks import check_cases, digests_of
from samcarry.data.oddities import find_oddities
from samcarry.errors import InputError
from samcarry.images.grey import write_grey
from samcarry.images.masks import write_mask
from support.burned_text import burn, radiograph

GREY = np.full((6, 8), 50, np.uint8)
MASK = GREY > 0
EMPTY = ~MASK


def make(folder: Path, name: str, split: str, **masks: np.ndarray) -> Case:
    """A case with the given masks."""
    image, labels = folder / "images" / f"{name}.png", folder / "labels" / name
    write_grey(image, GREY)
    labels.mkdir(parents=True)
    for class_name, mask in masks.items():
        write_mask(labels / f"{class_name}.png", mask)
    return Case(name, name, split, None, image, labels)


def faults(cases: list[Case], classes: list[str] | None = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        check_cases(cases, classes)
    return str(caught.value).splitlines()


def test_classes_are_those_with_a_pixel_in_any_label(tmp_path):
    cases = [
        make(tmp_path, "a", "train", Ulna=MASK, Radius=EMPTY),
        make(tmp_path, "b", "train", Radius=MASK),
        make(tmp_path, "c", "val", Ulna=MASK),
        make(tmp_path, "d", "test"),
        make(tmp_path, "e", "unlabelled", Ulna=MASK),
    ]
    present = check_cases(cases, threads=2)
    assert present.classes == ["Radius", "Ulna"]
    assert present.of_case == {
        "a": {"Ulna"},
        "b": {"Radius"},
        "c": {"Ulna"},
        "d": set(),
        "e": {"Ulna"},
    }
    assert check_cases(cases, ["Ulna", "Skull", "Radius"]).classes == ["Ulna", "Skull", "Radius"]


def test_a_case_without_labels_has_no_entry(tmp_path):
    image = make(tmp_path, "b", "unlabelled").image
    cases = [
        make(tmp_path, "a", "train", Ulna=MASK),
        Case("b", "b", "unlabelled", None, image, None),
    ]
    assert check_cases(cases).of_case == {"a": {"Ulna"}}


@pytest.mark.parametrize("look_for_text", [True, False])
def test_text_is_reported_if_it_is_looked_for(tmp_path, look_for_text):
    case = make(tmp_path, "a", "train", Ulna=np.ones((256, 320), dtype=bool))
    write_grey(case.image, burn(radiograph(), "MILLER ANNA\n03.05.1961", (10, 10), size=18))
    looks = check_cases([case], look_for_text=look_for_text).looks
    warnings = find_oddities([case], looks, (256, 320), 16, None)
    assert any("lines of text near the borders" in line for line in warnings) == look_for_text


@pytest.mark.parametrize("split", ["train", "unlabelled"])
def test_a_label_of_another_size_than_its_image(tmp_path, split):
    cases = [make(tmp_path, "a", "train", Ulna=MASK), make(tmp_path, "b", split, Ulna=MASK.T)]
    (line,) = faults(cases)
    assert line.startswith(
        f"{tmp_path}/labels/b/Ulna.png: is 6 x 8 pixels, but its image {tmp_path}/images/b"
    )
    assert "is 8 x 6" in line


def test_all_unreadable_files_are_named_at_once(tmp_path):
    cases = [make(tmp_path, "a", "train", Ulna=MASK), make(tmp_path, "b", "train", Ulna=MASK)]
    cases[0].image.write_bytes(b"")
    label = tmp_path / "labels" / "b" / "Ulna.png"
    label.write_bytes(label.read_bytes()[:40])
    lines = faults(cases)
    assert [line.split(":")[0] for line in lines] == [str(cases[0].image), str(label)]


def test_a_file_among_the_labels_that_is_not_a_png(tmp_path):
    case = make(tmp_path, "a", "train", Ulna=MASK)
    Image.fromarray(GREY).save(tmp_path / "labels" / "a" / "Radius.jpg")
    (tmp_path / "labels" / "a" / ".DS_Store").touch()
    (line,) = faults([case])
    assert line.startswith(f"{tmp_path}/labels/a/Radius.jpg: is not a PNG")


def test_a_class_that_was_not_requested(tmp_path):
    (line,) = faults([make(tmp_path, "a", "train", Ulna=MASK, Skull=MASK)], ["Ulna"])
    assert line.startswith(f"{tmp_path}/labels/a/Skull.png: class 'Skull' is not listed in `classes`")


@pytest.mark.parametrize("split", ["val", "test", "unlabelled"])
def test_a_class_that_training_never_shows(tmp_path, split):
    cases = [
        make(tmp_path, "a", "train", Ulna=MASK, Radius=EMPTY),
        make(tmp_path, "b", split, Radius=MASK, Ulna=MASK),
    ]
    (line,) = faults(cases)
    assert line.startswith(f"{tmp_path}/labels/b/Radius.png: class 'Radius' occurs in {split} (b)")


@pytest.mark.parametrize("name", ["a;b", "a,b", "a\\b"])
def test_class_names_that_a_list_cannot_contain(tmp_path, name):
    (line, *_) = faults([make(tmp_path, "x", "train", **{name: MASK, "Ulna": MASK})])
    assert "the name of a class cannot contain" in line
    with pytest.raises(InputError, match=r"classes: .*not a valid name"):
        check_cases([], [name])


def test_a_class_that_is_listed_twice():
    with pytest.raises(InputError, match=r"classes: 'Ulna' is listed twice"):
        check_cases([], ["Ulna", "Ulna"])


def test_labels_without_a_single_pixel(tmp_path):
    (line,) = faults([make(tmp_path, "a", "train", Ulna=EMPTY)])
    assert "single pixel" in line


def test_replacing_a_file_changes_only_its_own_digest(tmp_path):
    case = make(tmp_path, "a", "train", Ulna=MASK)
    image, labels = digests_of([case])["a"]
    write_grey(case.image, GREY + 1)
    assert digests_of([case])["a"][0] != image
    assert digests_of([case])["a"][1] == labels
    write_mask(case.labels / "Radius.png", MASK)
    assert digests_of([case])["a"][1] != labels


@pytest.mark.parametrize(
    ("values", "faint"),
    [
        ((128, 255), 0.5),
        ((127, 255), 0.5),
        ((129, 255), 0.0),
        ((1, 2), 0.5),
        ((1, 1), 0.0),
        ((255, 255), 0.0),
    ],
)
def test_a_trimap_is_no_mask_of_two_values(tmp_path, values, faint):
    """Trimaps have 128 of 255, or 1 of 2, where the annotator was not sure."""
    case = make(tmp_path, "a", "train")
    grey = np.zeros((6, 8), np.uint8)
    grey[0], grey[1] = values
    write_grey(case.labels / "Ulna.png", grey)
    (look,) = check_cases([case]).looks.values()
    assert look.masks["Ulna"].faint == faint
    assert any("not a mask of two values" in line for line in odd(case, look)) == bool(faint)


def odd(case, look):
    return find_oddities([case], {case.case: look}, (6, 8), 2, None)
