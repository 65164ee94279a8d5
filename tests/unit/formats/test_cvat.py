"""CVAT shapes become masks pixel by pixel, and what is passed over is told."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from samcarry.errors import InputError
from samcarry.formats.cvat import read_cvat
from samcarry.formats.rasterise import draw
from samcarry.formats.run_lengths import check_runs
from support.cvat_files import bone, image, polygon, runs, save
from support.drawn_annotations import drawn


def masks_of(tmp_path: Path, *shapes: str, **choice) -> dict[str, np.ndarray]:
    """The masks of an image of 6 x 5 pixels with these shapes."""
    (annotation,) = read_cvat(save(tmp_path, image(*shapes)), **choice)
    assert (annotation.name, annotation.size) == ("a.png", (5, 6))
    return drawn(annotation)


def drawing(mask: np.ndarray) -> list[str]:
    return ["".join(".#"[pixel] for pixel in row) for row in mask.astype(int)]


def test_a_polygon_takes_the_pixels_whose_centres_it_holds(tmp_path):
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
    # At row 3 (its centre 3.5) the right edge lies at 4.59: column 4's centre is inside.
    mask = masks_of(tmp_path, polygon("1.6,1.4;4.4,1.4;4.6,3.6;1.6,3.6"))["Ulna"]
    assert drawing(mask) == ["......", "..##..", "..###.", "..###.", "......"]


def test_a_box_and_a_turned_box(tmp_path):
    box = '<box label="Ulna" xtl="1" ytl="1" xbr="4" ybr="3"/>'
    assert drawing(masks_of(tmp_path, box)["Ulna"])[1:3] == [".###..", ".###.."]
    turned = '<box label="Ulna" xtl="0" ytl="2" xbr="5" ybr="3" rotation="90"/>'
    assert drawing(masks_of(tmp_path, turned)["Ulna"]) == ["..#..."] * 5


def test_run_lengths_start_with_background_inside_their_own_box(tmp_path):
    mask = masks_of(tmp_path, runs("1, 2, 2, 1", (2, 1, 3, 2)))["Ulna"]
    assert drawing(mask) == ["......", "...##.", "....#.", "......", "......"]


@pytest.mark.parametrize(
    ("box", "drawn"),
    [((-1, -1, 3, 2), "##...."), ((4, 0, 3, 2), "....##"), ((-1, 0, 8, 1), "######")],
)
def test_what_reaches_outside_is_cut_off(tmp_path, box, drawn):
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


def test_an_ellipse_may_be_turned(tmp_path):
    ellipse = '<ellipse label="Ulna" cx="3.0" cy="2.5" rx="2.2" ry="0.6"{}/>'
    lying = ["......", "......", ".####.", "......", "......"]
    assert drawing(masks_of(tmp_path, ellipse.format(""))["Ulna"]) == lying
    assert drawing(masks_of(tmp_path, ellipse.format(' rotation="180"'))["Ulna"]) == lying
    falling = drawing(masks_of(tmp_path, ellipse.format(' rotation="45"'))["Ulna"])
    # Clockwise: what pointed to the right points to the lower right.
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
    assert annotation.passed_over == ("label Gips",)


def test_images_without_shapes_and_tags_are_kept(tmp_path):
    path = save(tmp_path, image(polygon()), image('<tag label="blurred"/>', name="part1/b.png"))
    assert [(a.name, len(a.shapes), a.passed_over) for a in read_cvat(path)] == [
        ("a.png", 1, ()),
        ("part1/b.png", 0, ()),
    ]


def test_what_has_no_area_is_passed_over_and_counted_whatever_is_wrong_with_it(tmp_path):
    kinds = ("polyline", "points", "cuboid", "skeleton")
    path = save(tmp_path, image(polygon(), *(f'<{kind} label="a/b" points="1"/>' for kind in kinds)))
    (annotation,) = read_cvat(path)
    assert (len(annotation.shapes), annotation.passed_over) == (1, kinds)


# Written after the description of the format in CVAT's documentation, with its kinds of elements.
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
    assert annotation.passed_over == ("polyline", "points")
    masks = draw(annotation, 1200, 1600, [])
    # The box holds the centres from column 797 (797.5) to 965 and from row 871 (871.5) to 928.
    plate = masks["plate"]
    assert plate.sum() == (966 - 797) * (929 - 871)
    assert plate[871:929, 797:966].all()
    corners = np.array(
        [[561.3, 916.23], [554.72, 761.63], [695.07, 279.17], [1047.04, 283.55], [1203.84, 908.56]]
    )
    after = np.roll(corners, -1, axis=0)
    area = abs((corners[:, 0] * after[:, 1] - corners[:, 1] * after[:, 0]).sum()) / 2
    assert abs(masks["car"].sum() - area) < 500  # some 2,000 pixels lie on the outline
    assert masks["car"][600, 900]
    assert not masks["car"][600, 1200]


@given(arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))))
def test_run_lengths_decode_what_they_encoded(tmp_path_factory, bitmap):
    changes = np.flatnonzero(np.diff(np.concatenate([[False], bitmap.ravel()]).astype(int)))
    lengths = np.diff(np.concatenate([[0], changes, [bitmap.size]])).tolist()
    shape = runs(", ".join(map(str, lengths)), (0, 0, *bitmap.shape[::-1]))
    (annotation,) = read_cvat(save(tmp_path_factory.mktemp("cvat"), image(shape)))
    assert (draw(annotation, *bitmap.shape, [])["Ulna"] == bitmap).all()


@given(st.lists(st.integers(-2, 9), max_size=6))
def test_run_lengths_that_do_not_fill_their_box_are_refused(lengths):
    if sum(lengths) == 12 and min(lengths) >= 0:
        check_runs(lengths, 3, 4)
    else:
        with pytest.raises(InputError, match="4 x 3"):
            check_runs(lengths, 3, 4)
