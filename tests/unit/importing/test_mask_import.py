"""Label maps, class PNGs, NIfTI and DICOM SEG as whole studies: each becomes the same data set."""

import numpy as np
import pytest
from PIL import Image

from samcarry.errors import InputError
from samcarry.formats.class_pngs import write_class_masks
from samcarry.formats.class_tables import write_class_table
from samcarry.formats.dicom_seg import write_dicom_seg
from samcarry.formats.label_maps import label_map, write_label_map
from samcarry.formats.nifti import write_nifti
from samcarry.images.masks import read_mask
from samcarry.importing.annotations import NO_SPLIT, import_annotations
from samcarry.importing.readers import reader_options
from support.dicom_files import write as write_dicom

# pycocotools 2.0.11 hands arrays to numpy 2 in an older way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CLASSES = ("radius", "ulna", "hamate")
CASES = ("P1", "P2")
SIZE = (9, 7)
FORMS = ("label_maps", "class_pngs", "nifti", "dicomseg")


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


@pytest.fixture(params=FORMS)
def study(tmp_path, request) -> dict:
    """Two annotated images and one that is not, and masks of the form."""
    form, folder = request.param, tmp_path / "masks"
    folder.mkdir()
    for case in CASES:
        image = write_image(tmp_path, case)
        if form == "label_maps":
            write_label_map(folder / f"{case}.png", masks_of(case))
        elif form == "class_pngs":
            write_class_masks(folder / case, masks_of(case), CLASSES)
        elif form == "nifti":
            write_nifti(folder / f"{case}.nii.gz", masks_of(case), CLASSES, case)
        else:
            write_dicom_seg(folder / f"any name {case}.dcm", image, masks_of(case), CLASSES)
    write_image(tmp_path, "P3")
    write_class_table(tmp_path / "classes.csv", CLASSES)
    table = str(tmp_path / "classes.csv") if form == "label_maps" else None
    return {
        "form": form,
        "images": tmp_path / "images",
        "annotations": {NO_SPLIT: [folder / "{case}/{class}.png" if form == "class_pngs" else folder]},
        "destination": tmp_path / "out" / "mine",
        "classes": {},
        "options": reader_options(form, {"table": table}),
    }


def refused(study, **changes) -> list[str]:
    with pytest.raises(InputError) as caught:
        import_annotations(**study | changes)
    out = study["destination"].parent
    assert not out.exists() or not list(out.iterdir())
    return str(caught.value).splitlines()


def test_what_was_exported_comes_back_as_a_data_set(study):
    summary = import_annotations(**study)
    assert summary[:2] == ["annotated: took 2 of 2 images", "unlabelled: 1 images"]
    for case in CASES:
        expected = masks_of(case)
        if study["form"] == "label_maps":  # of which the rule of overlaps is known
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
    assert summary[-1] == "dropped 2 shapes not asked for: ulna 2"


def test_masks_of_another_size_than_the_image_are_refused(study):
    Image.new("L", (8, 9)).save(study["images"] / "P1.png")
    (study["images"] / "P1.dcm").unlink()
    if study["form"] == "dicomseg":  # which knows its image by more than its name
        assert "image of any name P1" in import_annotations(**study)[0]
    else:
        (line,) = refused(study)
        assert "P1.png: is 8 x 9, its annotation in" in line


def test_masks_without_an_image_are_named_in_the_summary(study):
    (study["images"] / "P2.dcm").unlink()
    summary = import_annotations(**study)
    assert summary[0].startswith("annotated: took 1 of 2 images; 1 without an image file (")


def test_damaged_masks_are_all_told_and_nothing_is_written(study):
    pattern = "*/radius.png" if study["form"] == "class_pngs" else "*"
    files = sorted((study["images"].parent / "masks").glob(pattern))
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    lines = refused(study)
    assert [str(file) in line for file, line in zip(files, lines, strict=True)] == [True, True]
