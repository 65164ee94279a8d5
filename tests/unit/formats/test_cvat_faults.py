"""What is broken in a CVAT file ends in a line that names file, image and shape."""

import random
import re
from pathlib import Path

import pytest

from samcarry.errors import InputError
from samcarry.formats.cvat import read_cvat
from samcarry.formats.rasterise import draw
from support.cvat_files import bone, image, polygon, runs, save


def refused(path: Path, **choice) -> list[str]:
    """The faults of reading and drawing, a line each, all of which name the file."""
    faults: list[str] = []
    try:
        for annotation in read_cvat(path, **choice):
            draw(annotation, 5, 6, faults)
    except InputError as error:
        faults += str(error).splitlines()
    assert faults
    assert all(line.startswith(str(path)) for line in faults)
    return faults


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
    '<box label="Ulna" xtl="1" ytl="1" xbr="4" ybr="3" rotation="nan"/>': "no number near the image",
    '<ellipse label="Ulna" cx="1" cy="1" rx="0" ry="3"/>': "no area",
    '<ellipse label="Ulna" cx="1" cy="1" rx="inf" ry="3"/>': "no number near the image",
    '<ellipse label="Ulna" cx="9" cy="1" rx="2" ry="3"/>': "wholly outside",
    '<ellipse label="Ulna" cx="1" cy="1" rx="2"/>': "malformed number",
}


@pytest.mark.parametrize("shape", FAULTY_SHAPES)
def test_broken_shapes_are_named_by_image_and_number(tmp_path, shape):
    (line,) = refused(save(tmp_path, image(polygon(), shape)))
    assert "image 'a.png': shape 2" in line
    assert FAULTY_SHAPES[shape] in line


def test_broken_shapes_of_a_class_that_is_dropped_do_no_harm(tmp_path):
    path = save(tmp_path, image(polygon(), polygon("1,1", label="Skull")))
    (annotation,) = read_cvat(path, {"Ulna": "Ulna", "Skull": None}.get)
    assert [shape.class_name for shape in annotation.shapes] == ["Ulna"]


def test_a_shape_without_the_attribute(tmp_path):
    (line,) = refused(save(tmp_path, image(polygon())), attribute="Anatomie")
    assert "no attribute 'Anatomie'" in line


def test_a_misspelt_label_is_told_and_not_an_empty_result(tmp_path):
    (line,) = refused(save(tmp_path, image(polygon())), label="Bone")
    assert "none of its shapes is of label 'Bone' (it has label Ulna 1)" in line


@pytest.mark.parametrize("size", ["", 'width="6" height="0"', 'width="99999" height="99999"'])
def test_images_without_a_sane_size_are_refused(tmp_path, size):
    (line,) = refused(save(tmp_path, image(size=size)))
    assert "no size of an image" in line


def test_faults_of_all_images_are_told_at_once(tmp_path):
    images = (image(polygon("1,1")), image(name="b.png"), image(name="b.png"), image(name="c", size=""))
    lines = refused(save(tmp_path, *images))
    assert [next(n for n in ("a.png", "b.png", "'c'") if n in line) for line in lines] == [
        "a.png",
        "b.png",
        "'c'",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<annotations><image></annotations>",
        "no XML",
        "\x00\x01",
        '<?xml version="1.0" encoding="utf-16"?><annotations/>',
        '<?xml version="1.0" encoding="klingon"?><annotations/>',
        "<a>" * 100_000,
    ],
    ids=["empty", "open", "text", "bytes", "utf-16", "klingon", "deep"],
)
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


def test_external_entities_are_refused(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><annotations>&b;</annotations>')
    (line,) = refused(path)
    assert "entities" in line


def test_a_missing_file_and_annotations_of_a_video(tmp_path):
    assert "no such file" in refused(tmp_path / "none.xml")[0]
    assert "CVAT for images 1.1" in refused(save(tmp_path, '<track label="Ulna"/>'))[0]


ODD = ("", "-1", "0", "1e999", "nan", "9" * 5000, "١", "1;1", "../a", "\u202e", "a&amp;b")


def mutated(text: str, rng: random.Random) -> bytes:
    """The document with an odd value in some place, or with some bytes changed or cut off."""
    if rng.random() < 0.6:
        start, end = rng.choice([match.span(1) for match in re.finditer('"([^"]*)"', text)])
        return f"{text[:start]}{rng.choice(ODD)}{text[end:]}".encode()
    content = bytearray(text.encode())
    for _ in range(rng.randint(1, 3)):
        content[rng.randrange(len(content))] = rng.choice((rng.randrange(256), *b'<>/="0;,.'))
    return bytes(content[: rng.randrange(len(content))] if rng.random() < 0.2 else content)


def test_mutated_files_are_read_or_refused_in_lines_that_name_the_file(tmp_path):
    rng = random.Random(0)
    path = tmp_path / "a.xml"
    ellipse = '<ellipse label="Ulna" cx="3" cy="2" rx="2" ry="1" rotation="5"/>'
    box = '<box label="Ulna" xtl="1" ytl="1" xbr="4" ybr="3" rotation="5"/>'
    good = image(polygon(inside=bone("Ulna")), ellipse, box, runs("1,2,1"), '<points points="1,2"/>')
    save(tmp_path, good).rename(path)
    text = path.read_text()
    refused = 0
    for _ in range(1500):
        path.write_bytes(mutated(text, rng))
        faults: list[str] = []
        try:
            for annotation in read_cvat(path):
                draw(annotation, 5, 6, faults)
        except InputError as error:
            faults += str(error).splitlines()
        assert all(re.match(rf"{path}: .+; .+", fault) for fault in faults), faults
        refused += bool(faults)
    assert 500 < refused < 1500
