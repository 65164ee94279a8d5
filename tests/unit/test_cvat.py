"""CVAT shapes become masks pixel by pixel, and every broken shape is named."""

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from samcarry.cvat import AnnotatedImage, decode_runs, read_cvat
from samcarry.errors import InputError

SQUARE = "1,1;4,1;4,3;1,3"  # columns 1 to 3, rows 1 and 2


def polygon(points: str = SQUARE, label: str = "Ulna", inside: str = "") -> str:
    return f'<polygon label="{label}" points="{points}">{inside}</polygon>'


def bone(name: str) -> str:
    return f'<attribute name="Anatomie">{name}</attribute>'


def runs(rle: str, box: tuple[int, int, int, int] = (0, 0, 2, 2)) -> str:
    left, top, width, height = box
    place = f'left="{left}" top="{top}" width="{width}" height="{height}"'
    return f'<mask label="Ulna" rle="{rle}" {place}/>'


def image(*shapes: str, name: str = "a.png", size: str = 'width="6" height="5"') -> str:
    return f'<image id="0" name="{name}" {size}>{"".join(shapes)}</image>'


def save(tmp_path: Path, *images: str) -> Path:
    path = tmp_path / "annotations.xml"
    path.write_text(f"<annotations><version>1.1</version>{''.join(images)}</annotations>")
    return path


def read_one(tmp_path: Path, *shapes: str, **choice) -> AnnotatedImage:
    (annotated,) = read_cvat(save(tmp_path, image(*shapes)), **choice)
    return annotated


def refused(path: Path, **choice) -> list[str]:
    """The faults, a line each, all of which name the file."""
    with pytest.raises(InputError) as caught:
        read_cvat(path, **choice)  # refused before the first image is asked for
    lines = str(caught.value).splitlines()
    assert all(line.startswith(str(path)) for line in lines)
    return lines


def drawing(mask: np.ndarray) -> list[str]:
    return ["".join(".#"[pixel] for pixel in row) for row in mask.astype(int)]


def test_a_polygon_takes_the_pixels_whose_centres_it_holds(tmp_path):
    annotated = read_one(tmp_path, polygon())
    assert (annotated.name, annotated.height, annotated.width) == ("a.png", 5, 6)
    assert drawing(annotated.masks["Ulna"]) == ["......", ".###..", ".###..", "......", "......"]


def test_vertices_keep_their_fractions(tmp_path):
    mask = read_one(tmp_path, polygon("1.4,1.6;4.4,1.6;4.4,3.6;1.4,3.6")).masks["Ulna"]
    assert drawing(mask) == ["......", "......", ".###..", ".###..", "......"]
    # At row 3 (its centre 3.5) the right edge lies at 4.59: column 4's centre is inside.
    mask = read_one(tmp_path, polygon("1.6,1.4;4.4,1.4;4.6,3.6;1.6,3.6")).masks["Ulna"]
    assert drawing(mask) == ["......", "..##..", "..###.", "..###.", "......"]


def test_a_box_and_a_turned_box(tmp_path):
    box = '<box label="Ulna" xtl="1" ytl="1" xbr="4" ybr="3"/>'
    assert drawing(read_one(tmp_path, box).masks["Ulna"])[1:3] == [".###..", ".###.."]
    turned = '<box label="Ulna" xtl="0" ytl="2" xbr="5" ybr="3" rotation="90"/>'
    assert drawing(read_one(tmp_path, turned).masks["Ulna"]) == ["..#..."] * 5


def test_run_lengths_start_with_background_inside_their_own_box(tmp_path):
    mask = read_one(tmp_path, runs("1, 2, 2, 1", (2, 1, 3, 2))).masks["Ulna"]
    assert drawing(mask) == ["......", "...##.", "....#.", "......", "......"]


@pytest.mark.parametrize(
    ("box", "drawn"),
    [((-1, -1, 3, 2), "##...."), ((4, 0, 3, 2), "....##"), ((-1, 0, 8, 1), "######")],
)
def test_what_reaches_outside_is_cut_off(tmp_path, box, drawn):
    mask = read_one(tmp_path, runs(f"0, {box[2] * box[3]}", box)).masks["Ulna"]
    assert drawing(mask)[0] == drawn
    corners = "-9,-9;9,-9;9,1;-9,1"
    assert drawing(read_one(tmp_path, polygon(corners)).masks["Ulna"]) == ["######"] + ["......"] * 4


def test_shapes_of_one_class_are_united_and_classes_may_overlap(tmp_path):
    annotated = read_one(tmp_path, polygon(), polygon("3,2;6,2;6,4;3,4"), polygon(label="Radius"))
    assert list(annotated.masks) == ["Radius", "Ulna"]
    united = ["......", ".###..", ".#####", "...###", "......"]
    assert drawing(annotated.masks["Ulna"]) == united
    assert drawing(annotated.masks["Radius"])[1:3] == [".###..", ".###.."]


def test_the_class_comes_from_the_attribute_of_shapes_with_the_label(tmp_path, caplog):
    shapes = [
        polygon(label="Knochen", inside=bone("Os capitatum")),
        polygon(label="Knochen", inside=bone("Sonstiges")),
        polygon(label="Gips"),
    ]
    choice = {"label": "Knochen", "attribute": "Anatomie", "classes": ["Os capitatum", "Ulna"]}
    with caplog.at_level(logging.INFO, "samcarry.cvat"):
        annotated = read_one(tmp_path, *shapes, **choice)
    assert list(annotated.masks) == ["Os capitatum"]
    assert "dropped 2 shapes not asked for: Sonstiges 1, label Gips 1" in caplog.text


def test_images_without_shapes_and_tags_are_kept(tmp_path):
    path = save(tmp_path, image(polygon()), image('<tag label="blurred"/>', name="b.png"))
    assert [(a.name, list(a.masks)) for a in read_cvat(path)] == [
        ("a.png", ["Ulna"]),
        ("b.png", []),
    ]


@given(arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))))
def test_run_lengths_decode_what_they_encoded(bitmap):
    changes = np.flatnonzero(np.diff(np.concatenate([[False], bitmap.ravel()]).astype(int)))
    lengths = np.diff(np.concatenate([[0], changes, [bitmap.size]])).tolist()
    assert (decode_runs(lengths, *bitmap.shape) == bitmap).all()


@given(st.lists(st.integers(-2, 9), max_size=6))
def test_run_lengths_that_do_not_fill_their_box_are_refused(lengths):
    if sum(lengths) == 12 and min(lengths) >= 0:
        assert decode_runs(lengths, 3, 4).sum() == sum(lengths[1::2])
    else:
        with pytest.raises(InputError, match="4 x 3"):
            decode_runs(lengths, 3, 4)


FAULTY_SHAPES = {
    polygon("1,1;4,1"): "2 points",
    polygon("1,1;4,1;4"): "malformed number",
    polygon("1,1;4,one;4,3"): "malformed number",
    polygon(""): "malformed number",
    polygon("1,1;4,nan;4,3"): "no number near the image",
    polygon("1,1;inf,1;4,3"): "no number near the image",
    polygon("1,1;1e300,1;4,3"): "no number near the image",
    polygon("6,1;9,1;9,3"): "wholly outside",
    polygon("1,-4;4,-4;4,0"): "wholly outside",
    polygon(label="a/../../b"): "no name for a file",
    polygon(label=""): "no name for a file",
    runs("1,2"): "add up to 3 pixels and not 2 x 2",
    runs("5,-1"): "add up to 4",
    runs("1,x,2"): "malformed number",
    runs("0,4", (6, 0, 2, 2)): "wholly outside",
    runs("0,4", (0, 0, 0, 2)): "box of 0 x 2",
    runs("0,1", (0, 0, 10**9, 10**9)): "box of 1000000000",
    '<mask label="Ulna" rle="1,3"/>': "malformed number",
    '<box label="Ulna" xtl="1" ytl="1" xbr="4"/>': "malformed number",
    '<polyline label="Ulna" points="1,1;2,2;3,1"/>': "no area",
}


@pytest.mark.parametrize("shape", FAULTY_SHAPES)
def test_broken_shapes_are_named_by_image_and_number(tmp_path, shape):
    (line,) = refused(save(tmp_path, image(polygon(), shape)))
    assert "image 'a.png': shape 2" in line
    assert FAULTY_SHAPES[shape] in line


def test_broken_shapes_of_a_class_that_is_dropped_do_no_harm(tmp_path):
    annotated = read_one(tmp_path, polygon(), polygon("1,1", label="Skull"), classes=["Ulna"])
    assert list(annotated.masks) == ["Ulna"]


def test_a_shape_without_the_attribute(tmp_path):
    (line,) = refused(save(tmp_path, image(polygon())), attribute="Anatomie")
    assert "no attribute 'Anatomie'" in line


@pytest.mark.parametrize("choice", [{"label": "Bone"}, {"classes": ["ulna"]}])
def test_a_misspelt_label_or_class_is_told_and_not_an_empty_result(tmp_path, choice):
    (line,) = refused(save(tmp_path, image(polygon())), **choice)
    assert "none of its shapes" in line
    assert "Ulna" in line


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "b/a.png", "b\\a.png", "..", ""])
def test_image_names_with_a_path_are_refused(tmp_path, name):
    (line,) = refused(save(tmp_path, image(name=name)))
    assert "without a path" in line


@pytest.mark.parametrize("size", ["", 'width="6" height="0"', 'width="99999" height="99999"'])
def test_images_without_a_sane_size_are_refused(tmp_path, size):
    (line,) = refused(save(tmp_path, image(size=size)))
    assert "no size of an image" in line


def test_faults_of_all_images_are_told_at_once(tmp_path):
    images = (image(polygon("1,1")), image(name="b.png"), image(name="b.png"), image(name="../c"))
    lines = refused(save(tmp_path, *images))
    assert [next(n for n in ("a.png", "b.png", "../c") if n in line) for line in lines] == [
        "a.png",
        "b.png",
        "../c",
    ]


@pytest.mark.parametrize("text", ["", "<annotations><image></annotations>", "no XML", "\x00\x01"])
def test_malformed_xml(tmp_path, text):
    path = tmp_path / "a.xml"
    path.write_text(text)
    (line,) = refused(path)
    assert "not readable XML" in line


def test_entity_bombs_are_refused(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text('<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><annotations>&c;</annotations>')
    (line,) = refused(path)
    assert "entities" in line


def test_a_missing_file_and_annotations_of_a_video(tmp_path):
    assert "no such file" in refused(tmp_path / "none.xml")[0]
    assert "CVAT for images 1.1" in refused(save(tmp_path, '<track label="Ulna"/>'))[0]
