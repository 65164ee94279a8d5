"""One PNG per class: the pattern gives case and class, and ambiguous files are refused."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from samcarry.errors import InputError
from samcarry.formats.class_pngs import read_class_pngs, write_class_masks
from samcarry.images.masks import read_mask
from support.drawn_annotations import drawn

SQUARE = np.zeros((4, 5), dtype=bool)
SQUARE[1:3, 1:4] = True
CASES = ("P1", "P2_left")


def write(path: Path, mask=SQUARE, **how) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path, **how)
    return path


def found(pattern, **more) -> dict:
    """{case: {class: pixels}}."""
    result = {}
    for annotation in read_class_pngs(pattern, **more):
        result[annotation.name] = {name: int(mask.sum()) for name, mask in drawn(annotation).items()}
    return result


def refused(pattern, **more) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_class_pngs(pattern, **more)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("{case}/{class}.png", ["P1/radius.png", "P1/ulna.png", "P2_left/radius.png"]),
        ("{class}/{case}.png", ["radius/P1.png", "ulna/P1.png", "radius/P2_left.png"]),
        ("{case}_{class}.png", ["P1_radius.png", "P1_ulna.png", "P2_left_radius.png"]),
        (
            "{class}/{case}_{class}.png",
            ["radius/P1_radius.png", "ulna/P1_ulna.png", "radius/P2_left_radius.png"],
        ),
        ("{class}/{case}_*.PNG", ["radius/P1_1.png", "ulna/P1_2.PNG", "radius/P2_left_1.Png"]),
    ],
)
def test_the_pattern_gives_case_and_class(tmp_path, pattern, files):
    for file in files:
        write(tmp_path / "masks" / file)
    expected = {"P1": {"radius": 6, "ulna": 6}, "P2_left": {"radius": 6}}
    assert found(tmp_path / "masks" / pattern, cases=CASES) == expected


def test_folders_that_the_pattern_leaves_open_are_those_of_the_image(tmp_path):
    for file in ("x/P1/m1_radius.png", "x/P1/m2_ulna.png", "y/P1/m_ulna.png"):
        write(tmp_path / file)
    expected = {"x/P1": {"radius": 6, "ulna": 6}, "y/P1": {"ulna": 6}}
    assert found(tmp_path / "*/{case}/m*_{class}.png") == expected


def test_two_files_of_one_name_are_refused_and_litter_is_ignored(tmp_path):
    for file in ("P1/radius.png", "P1/radius.PNG", "P1/._ulna.png", ".trash/P1/ulna.png"):
        write(tmp_path / file)
    (line,) = refused(tmp_path / "{case}/{class}.png")
    assert "radius.png" in line
    assert "radius.PNG" in line


def test_known_cases_resolve_an_ambiguous_pattern(tmp_path):
    write(tmp_path / "P1_distal_radius.png")
    assert found(tmp_path / "{case}_{class}.png", cases=["P1"]) == {"P1": {"distal_radius": 6}}
    (line,) = refused(tmp_path / "{case}_{class}.png", cases=["P1", "P1_distal"])
    assert "may be class 'radius' of case 'P1_distal' or class 'distal_radius' of case 'P1'" in line


def test_skipped_classes_leave_an_annotated_case_without_shapes(tmp_path):
    write(tmp_path / "P1" / "radius.png")
    assert found(tmp_path / "{case}/{class}.png", map_class={}.get) == {"P1": {}}


def test_files_mapped_to_one_class_are_united(tmp_path):
    write(tmp_path / "P1" / "a.png")
    write(tmp_path / "P1" / "b.png", ~SQUARE)
    assert found(tmp_path / "{case}/{class}.png", map_class=lambda name: "bone") == {"P1": {"bone": 20}}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{case}.png", "has no {class}"),
        ("{class}.png", "has no {case}"),
        ("{case}_{class}.jpg", "JPEG blurs"),
        ("none/{case}/{class}.png", "there is no folder"),
        ("{case}/{class}.png", "no file in"),
    ],
)
def test_impossible_patterns_are_refused(tmp_path, pattern, message):
    write(tmp_path / "P1_radius.png")
    (line,) = refused(tmp_path / pattern)
    assert line.startswith(str(tmp_path / pattern))
    assert message in line


def test_all_faults_are_reported_together_each_with_its_file(tmp_path):
    write(tmp_path / "m/P1/a.png")
    write(tmp_path / "m/P1/b.png", SQUARE[:2])
    write(tmp_path / "m/P1/c.png", format="JPEG")
    (tmp_path / "m/P1/d.png").write_bytes(b"")
    (tmp_path / "m/P1/e.png").symlink_to(write(tmp_path / "secret.png"))
    write(tmp_path / "m/P1/f;g.png")
    lines = refused(tmp_path / "m/{case}/{class}.png")
    expected = ["e.png: is a link", "b.png: is 5 x 2, ", "c.png: not a PNG", "d.png: the file is empty"]
    assert [
        text in line for text, line in zip([*expected, "f;g.png: has the class"], lines, strict=True)
    ] == [True] * 5


CLASSES = ["Radius", "Os capitatum", "Zahn Ⅴ"]
# Arbitrary pixels, so holes, overlaps, single pixels and empty classes occur.
MASKS = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: arrays(bool, (3, *shape), elements=st.booleans(), fill=st.just(False))
)


@settings(max_examples=40)
@given(MASKS)
def test_written_pngs_are_read_back(masks):
    with tempfile.TemporaryDirectory() as folder:
        write_class_masks(folder, masks, CLASSES)
        for mask, name in zip(masks, CLASSES, strict=True):
            path = Path(folder) / f"{name}.png"
            assert path.exists() == mask.any()
            if mask.any():
                np.testing.assert_array_equal(read_mask(path), mask)
