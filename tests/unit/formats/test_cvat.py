"""CVAT files: shapes become masks pixel by pixel, faults are named, and written files are read back."""

import random
import re
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from samcarry.errors import InputError
from samcarry.formats.cvat import read_cvat, write_cvat
from samcarry.geometry.rasterise import draw_masks
from samcarry.geometry.run_lengths import encode_image
from support.cvat_files import bone, image, polygon, runs, save
from support.drawn_annotations import drawn


def masks_of(tmp_path: Path, *shapes: str, **choice) -> dict[str, np.ndarray]:
    """The masks of an image of 6 x 5 pixels with these shapes."""
    (annotation,) = read_cvat(save(tmp_path, image(*shapes)), **choice)
    assert (annotation.name, annotation.size) == ("a.png", (5, 6))
    return drawn(annotation)


def drawing(mask: np.ndarray) -> list[str]:
    return ["".join(".#"[pixel] for pixel in row) for row in mask.astype(int)]


def test_a_polygon_includes_the_pixels_whose_centres_it_contains(tmp_path):
    assert drawing(masks_of(tmp_path, polygon())["Ulna"]) == [
        "......",
        ".###..",
        ".###..",
        "......",
        "......",
    ]


def test_vertices_keep_their_fractions(tmp_path):
    mask = masks_of(tmp_path, polygon("1.4,1.6;4.4,1.6;4.4,3.6;1.4,3.6"))["Ulna"]
    assert drawing(mask) == ["......", "......", ".###..", ".###..", "......"]
    # At row 3 (its centre 3.5) the right edge is at 4.59, so column 4's centre is inside.
    mask = masks_of(tmp_path, polygon("1.6,1.4;4.4,1.4;4.6,3.6;1.6,3.6"))["Ulna"]
    assert drawing(mask) == ["......", "..##..", "..###.", "..###.", "......"]


def test_a_box_and_a_rotated_box(tmp_path):
    box = '<box label="Ulna" xtl="1" ytl="1" xbr="4" ybr="3"/>'
    assert drawing(masks_of(tmp_path, box)["Ulna"])[1:3] == [".###..", ".###.."]
    turned = '<box label="Ulna" xtl="0" ytl="2" xbr="5" ybr="3" rotation="90"/>'
    assert drawing(masks_of(tmp_path, turned)["Ulna"]) == ["..#..."] * 5


def test_run_lengths_start_with_background_inside_their_box(tmp_path):
    mask = masks_of(tmp_path, runs("1, 2, 2, 1", (2, 1, 3, 2)))["Ulna"]
    assert drawing(mask) == ["......", "...##.", "....#.", "......", "......"]


@pytest.mark.parametrize(
    ("box", "drawn"),
    [((-1, -1, 3, 2), "##...."), ((4, 0, 3, 2), "....##"), ((-1, 0, 8, 1), "######")],
)
def test_parts_outside_the_image_are_cut_off(tmp_path, box, drawn):
    mask = masks_of(tmp_path, runs(f"0, {box[2] * box[3]}", box))["Ulna"]
    assert drawing(mask)[0] == drawn
    corners = "-9,-9;9,-9;9,1;-9,1"
    assert drawing(masks_of(tmp_path, polygon(corners))["Ulna"]) == ["######"] + ["......"] * 4


def test_shapes_of_one_class_are_united_and_classes_may_overlap(tmp_path):
    masks = masks_of(tmp_path, polygon(), polygon("3,2;6,2;6,4;3,4"), polygon(label="Radius"))
    assert list(masks) == ["Radius", "Ulna"]
    united = ["......", ".###..", ".#####", "...###", "......"]
    assert drawing(masks["Ulna"]) == united
    assert drawing(masks["Radius"])[1:3] == [".###..", ".###.."]


def test_an_ellipse_may_be_rotated(tmp_path):
    ellipse = '<ellipse label="Ulna" cx="3.0" cy="2.5" rx="2.2" ry="0.6"{}/>'
    lying = ["......", "......", ".####.", "......", "......"]
    assert drawing(masks_of(tmp_path, ellipse.format(""))["Ulna"]) == lying
    assert drawing(masks_of(tmp_path, ellipse.format(' rotation="180"'))["Ulna"]) == lying
    falling = drawing(masks_of(tmp_path, ellipse.format(' rotation="45"'))["Ulna"])
    # Clockwise: the right end moves to the lower right.
    assert falling == ["......", ".##...", "..##..", "...##.", "......"]


def test_the_class_comes_from_the_attribute_of_shapes_with_the_label(tmp_path):
    shapes = [
        polygon(label="Knochen", inside=bone("Os capitatum")),
        polygon(label="Knochen", inside=bone("Sonstiges")),
        polygon(label="Gips"),
    ]
    path = save(tmp_path, image(*shapes))
    names = {"Os capitatum": "capitate", "Sonstiges": None}
    (annotation,) = read_cvat(path, names.__getitem__, label="Knochen", attribute="Anatomie")
    assert [shape.class_name for shape in annotation.shapes] == ["capitate"]
    assert annotation.skipped == ("label Gips",)


def test_images_without_shapes_and_tags_are_kept(tmp_path):
    path = save(tmp_path, image(polygon()), image('<tag label="blurred"/>', name="part1/b.png"))
    assert [(a.name, len(a.shapes), a.skipped) for a in read_cvat(path)] == [
        ("a.png", 1, ()),
        ("part1/b.png", 0, ()),
    ]


def test_shapes_without_area_are_skipped_and_counted_even_if_broken(tmp_path):
    kinds = ("polyline", "points", "cuboid", "skeleton")
    path = save(tmp_path, image(polygon(), *(f'<{kind} label="a/b" points="1"/>' for kind in kinds)))
    (annotation,) = read_cvat(path)
    assert (len(annotation.shapes), annotation.skipped) == (1, kinds)


# Follows the description of the format in CVAT's documentation, with the same kinds of elements.
DOCUMENTED = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>4</id> <name>segmentation</name> <size>1</size> <mode>annotation</mode> <overlap>0</overlap>
      <bugtracker></bugtracker> <flipped>False</flipped>
      <labels>
        <label> <name>car</name> <attributes> </attributes> </label>
        <label> <name>plate</name> <attributes> </attributes> </label>
      </labels>
      <owner> <username>admin</username> <email></email> </owner>
    </task>
    <dumped>2018-09-25 11:38:28.799808+03:00</dumped>
  </meta>
  <image id="0" name="filename000.jpg" width="1600" height="1200">
    <box label="plate" xtl="797.33" ytl="870.92" xbr="965.52" ybr="928.94" occluded="0" z_order="4">
    </box>
    <polygon label="car" points="561.30,916.23;554.72,761.63;695.07,279.17;1047.04,283.55;1203.84,908.56"
      occluded="0" z_order="1">
      <attribute name="colour">red</attribute>
    </polygon>
    <polyline label="traffic_line" points="462.10,0.00;126.80,1200.00" occluded="0" z_order="3">
    </polyline>
    <points label="wheel" points="574.90,939.48;1170.16,907.90" occluded="0" z_order="5">
    </points>
    <tag label="good_frame" source="manual">
    </tag>
  </image>
</annotations>
"""


def test_a_file_as_cvat_documents_it_is_read(tmp_path):
    path = tmp_path / "annotations.xml"
    path.write_text(DOCUMENTED)
    (annotation,) = read_cvat(path)
    assert (annotation.name, annotation.size) == ("filename000.jpg", (1200, 1600))
    assert annotation.skipped == ("polyline", "points")
    masks = draw_masks(annotation, 1200, 1600, [])
    # The box holds the centres from column 797 (797.5) to 965 and from row 871 (871.5) to 928.
    plate = masks["plate"]
    assert plate.sum() == (966 - 797) * (929 - 871)
    assert plate[871:929, 797:966].all()
    corners = np.array(
        [[561.3, 916.23], [554.72, 761.63], [695.07, 279.17], [1047.04, 283.55], [1203.84, 908.56]]
    )
    after = np.roll(corners, -1, axis=0)
    area = abs((corners[:, 0] * after[:, 1] - corners[:, 1] * after[:, 0]).sum()) / 2
    assert abs(masks["car"].sum() - area) < 500  # about 2,000 pixels are on the outline
    assert masks["car"][600, 900]
    assert not masks["car"][600, 1200]


@given(arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))))
def test_encoded_run_lengths_are_drawn_unchanged(tmp_path_factory, bitmap):
    changes = np.flatnonzero(np.diff(np.concatenate([[False], bitmap.ravel()]).astype(int)))
    lengths = np.diff(np.concatenate([[0], changes, [bitmap.size]])).tolist()
    shape = runs(", ".join(map(str, lengths)), (0, 0, *bitmap.shape[::-1]))
    (annotation,) = read_cvat(save(tmp_path_factory.mktemp("cvat"), image(shape)))
    assert (draw_masks(annotation, *bitmap.shape, [])["Ulna"] == bitmap).all()


def refused(path: Path, **choice) -> list[str]:
    """The faults of reading and drawing, one line each; every line names the file."""
    faults: list[str] = []
    try:
        for annotation in read_cvat(path, **choice):
            draw_masks(annotation, 5, 6, faults)
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
    polygon("1,1;4,nan;4,3"): "far outside the image",
    polygon("1,1;inf,1;4,3"): "far outside the image",
    polygon("1,1;1e300,1;4,3"): "far outside the image",
    polygon("6,1;9,1;9,3"): "entirely outside",
    polygon("1,-4;4,-4;4,0"): "entirely outside",
    polygon(label="a/../../b"): "cannot be a file name",
    polygon(label=""): "cannot be a file name",
    runs("1,2"): "add up to 3 pixels and not 2 x 2",
    runs("5,-1"): "add up to 4",
    runs("1,x,2"): "malformed number",
    runs("0,4", (6, 0, 2, 2)): "entirely outside",
    runs("0,4", (0, 0, 0, 2)): "box of 0 x 2",
    runs("0,1", (0, 0, 10**9, 10**9)): "box of 1000000000",
    '<mask label="Ulna" rle="1,3"/>': "malformed number",
    '<box label="Ulna" xtl="1" ytl="1" xbr="4"/>': "malformed number",
    '<box label="Ulna" xtl="1" ytl="1" xbr="4" ybr="3" rotation="nan"/>': "far outside the image",
    '<ellipse label="Ulna" cx="1" cy="1" rx="0" ry="3"/>': "has no area",
    '<ellipse label="Ulna" cx="1" cy="1" rx="inf" ry="3"/>': "far outside the image",
    '<ellipse label="Ulna" cx="9" cy="1" rx="2" ry="3"/>': "entirely outside",
    '<ellipse label="Ulna" cx="1" cy="1" rx="2"/>': "malformed number",
}


@pytest.mark.parametrize("shape", FAULTY_SHAPES)
def test_broken_shapes_are_named_by_image_and_number(tmp_path, shape):
    (line,) = refused(save(tmp_path, image(polygon(), shape)))
    assert "image 'a.png': shape 2" in line
    assert FAULTY_SHAPES[shape] in line


def test_broken_shapes_of_a_skipped_class_are_ignored(tmp_path):
    path = save(tmp_path, image(polygon(), polygon("1,1", label="Skull")))
    (annotation,) = read_cvat(path, {"Ulna": "Ulna", "Skull": None}.get)
    assert [shape.class_name for shape in annotation.shapes] == ["Ulna"]


def test_a_shape_without_the_attribute(tmp_path):
    (line,) = refused(save(tmp_path, image(polygon())), attribute="Anatomie")
    assert "no attribute 'Anatomie'" in line


def test_a_misspelt_label_is_a_fault_and_not_an_empty_result(tmp_path):
    (line,) = refused(save(tmp_path, image(polygon())), label="Bone")
    assert "none of its shapes has the label 'Bone' (it has label Ulna 1)" in line


@pytest.mark.parametrize("size", ["", 'width="6" height="0"', 'width="99999" height="99999"'])
def test_impossible_image_sizes_are_refused(tmp_path, size):
    (line,) = refused(save(tmp_path, image(size=size)))
    assert "not a possible image size" in line


def test_faults_of_all_images_are_reported_together(tmp_path):
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
    """The document with one odd value, or with some bytes changed or cut off."""
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
                draw_masks(annotation, 5, 6, faults)
        except InputError as error:
            faults += str(error).splitlines()
        assert all(re.match(rf"{path}: .+; .+", fault) for fault in faults), faults
        refused += bool(faults)
    assert 500 < refused < 1500


CLASSES = ["Os capitatum", "Zahn Ⅴ \"a\" b & 'c'", "Knöchel"]
MASKS = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: arrays(bool, (3, *shape), elements=st.booleans(), fill=st.just(False))
)
RING = np.ones((3, 3), bool)
RING[1, 1] = False


@settings(max_examples=40)
@given(st.lists(MASKS.filter(np.any), min_size=1, max_size=3))
def test_masks_are_read_back_by_label_and_attribute(cases):
    # By labels only: test_round_trips.py.
    choice = {"label": "Knochen", "attribute": "Anatomie"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotations.xml"
        images = (encode_image(f"Ä & {n}.png", masks) for n, masks in enumerate(cases))
        write_cvat(path, images, CLASSES, **choice)
        back = read_cvat(path, **choice)
    assert [annotation.name for annotation in back] == [f"Ä & {n}.png" for n in range(len(cases))]
    for annotation, masks in zip(back, cases, strict=True):
        found = draw_masks(annotation, *masks.shape[1:], [])
        assert set(found) == {name for name, mask in zip(CLASSES, masks, strict=True) if mask.any()}
        for name, mask in found.items():
            np.testing.assert_array_equal(mask, masks[CLASSES.index(name)])


def test_the_file_is_as_cvat_writes_it(tmp_path):
    masks = np.zeros((3, 5, 7), bool)
    masks[0, 1:4, 2:5] = RING
    write_cvat(tmp_path / "a.xml", [encode_image("a.png", masks)], CLASSES)
    root = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert (root.tag, root.findtext("version")) == ("annotations", "1.1")
    labels = root.findall("meta/task/labels/label")
    assert [label.findtext("name") for label in labels] == CLASSES
    assert len({label.findtext("color") for label in labels}) == 3
    image = root.find("image")
    assert image.attrib == {"id": "0", "name": "a.png", "width": "7", "height": "5"}
    (mask,) = image
    message = {key: mask.get(key) for key in ("label", "left", "top", "width", "height", "rle", "z_order")}
    assert message == {
        **{"label": "Os capitatum", "left": "2", "top": "1", "width": "3", "height": "3"},
        **{"rle": "0, 4, 1, 4", "z_order": "0"},
    }


def test_the_class_may_be_an_attribute_as_in_the_wrist_study(tmp_path):
    images = [encode_image("a.png", np.ones((3, 2, 2), bool))]
    write_cvat(tmp_path / "a.xml", images, CLASSES, label="Knochen", attribute="Anatomie")
    root = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert root.findtext("meta/task/labels/label/attributes/attribute/values").split("\n") == CLASSES
    assert {mask.get("label") for mask in root.iter("mask")} == {"Knochen"}
    assert [mask.findtext("attribute") for mask in root.iter("mask")] == CLASSES
    with pytest.raises(ValueError, match="given together"):
        write_cvat(tmp_path / "b.xml", images, CLASSES, label="Knochen")


def test_an_interrupted_write_leaves_no_file(tmp_path):
    def images():
        yield encode_image("a.png", np.ones((3, 2, 2), bool))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cvat(tmp_path / "a.xml", images(), CLASSES)
    assert list(tmp_path.iterdir()) == []
