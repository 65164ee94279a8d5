"""Tables with one row a mask: masks of whole images and parts at a place, other column names, broken rows."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from samcarry.errors import InputError
from samcarry.formats.mask_tables import read_mask_table
from samcarry.geometry.rasterise import draw_masks
from samcarry.images.masks import write_mask
from support.drawn_annotations import drawn
from support.mask_table_files import write_mask_table

MASK = np.eye(5, 6, dtype=bool)


def save(folder: Path, *rows: str, header: str = "image,class,mask,left,top") -> Path:
    write_mask(folder / "a.png", MASK)
    write_mask(folder / "part.png", np.ones((2, 3), bool))
    (folder / "masks.csv").write_text("\n".join([header, *rows, ""]))
    return folder / "masks.csv"


@settings(max_examples=25)
@given(arrays(bool, (3, 5, 6)), st.booleans())
def test_masks_are_read_back(masks, cut):
    """Either as large as the image, or cut to their bounding box."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_mask_table(Path(folder), {"p1/a.png": masks}, ["ulna", "radius", "hamate"], cut=cut)
        (read,) = read_mask_table(path)
        assert (read.name, read.size) == ("p1/a.png", None if cut or not masks.any() else (5, 6))
        found = draw_masks(read, 5, 6, [])
        for name, mask in zip(["ulna", "radius", "hamate"], masks, strict=True):
            np.testing.assert_array_equal(found.get(name, np.zeros_like(mask)), mask)


def test_rows_of_an_image_are_one_annotation_and_a_bare_image_has_no_class(tmp_path):
    path = save(tmp_path, "a.png,ulna,a.png,,", "b.png,,,,", "a,radius,part.png,2,-1.0", r"a,other,x\y.png,,")
    first, second = read_mask_table(path, lambda name: None if name == "other" else name)
    assert (first.name, second.name, second.shapes) == ("a.png", "b.png", ())
    assert drawn(first)["radius"].sum() == 3  # its first row is above the image
    assert drawn(first)["radius"][0, 2:5].all()


def test_columns_may_have_other_names_and_masks_another_folder(tmp_path):
    path = save(tmp_path, "a;bone.png;Ulna", header="id;file;label")
    write_mask(tmp_path / "masks/bone.png", MASK)
    columns = {"image": "id", "class": "label", "mask": "file"}
    (read,) = read_mask_table(path, columns=columns, masks=tmp_path / "masks")
    np.testing.assert_array_equal(drawn(read)["Ulna"], MASK)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (",ulna,a.png,,", "names no image"),
        ("a,,a.png,,", "names no class"),
        ("a,ulna,,,", "names no mask"),
        ("a,ulna,none.png,,", "names the mask"),
        ("a,ulna,/etc/passwd,,", "not a path below"),
        ("a,ulna,C:\\a.png,,", "not a path below"),
        ("a,ulna,../a.png,,", "leads out of"),
        ("a,ulna,masks.csv,,", "not a PNG"),
        ("a,ulna,a.png,1,", "not two whole numbers"),
        ("a,ulna,a.png,1,1.5", "not two whole numbers"),
        ("a,ulna,part.png,,", "of 3 x 2, but that of entry 1 is 6 x 5"),
        ("a,ul/na,a.png,,", "cannot be a file name"),
    ],
)
def test_a_broken_row_is_named(tmp_path, row, fault):
    path = save(tmp_path, "a,ulna,a.png,,", row)
    with pytest.raises(InputError) as caught:
        read_mask_table(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: entry 2 ")
    assert fault in line
    assert "; " in line


@pytest.mark.parametrize(
    ("header", "fault"),
    [("image,class", "no column 'mask'"), ("image,class,mask", "no row below")],
)
def test_a_broken_table_is_named(tmp_path, header, fault):
    with pytest.raises(InputError, match=rf"masks\.csv: .*{fault}"):
        read_mask_table(save(tmp_path, header=header))
