"""DICOM SEG in: frames become the classes of the images that they refer to, and nothing else gets out."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    RLELossless,
)

from samcarry.errors import InputError
from samcarry.formats.dicom_seg import instance_names, read_dicom_seg
from support.dicom_files import write as write_image
from support.dicom_seg_files import SIZE, write
from support.drawn_annotations import drawn

# pycocotools 2.0.11 hands arrays to numpy 2 in an older way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RADIUS = np.arange(15).reshape(SIZE) % 2 == 0
ULNA = np.arange(15).reshape(SIZE) > 7
IMAGES = {"1.2.3": "a.dcm", "1.2.4": "b.dcm"}


def read(path, **more):
    """{image: {class: mask}}."""
    result = {}
    for annotation in read_dicom_seg(path, images=IMAGES, **more):
        result[annotation.name] = {name: mask.tolist() for name, mask in drawn(annotation).items()}
    return result


def refused(path):
    with pytest.raises(InputError) as caught:
        read(path)
    (line,) = str(caught.value).splitlines()
    assert str(path) in line
    assert "Secret" not in line
    return line


def test_frames_become_the_classes_of_their_images(tmp_path):
    path = write(tmp_path / "seg.dcm", (RADIUS, 1, "1.2.3"), (ULNA, 2, "1.2.3"), (ULNA, 1, "1.2.4"))
    assert read(path) == {
        "a.dcm": {"radius": RADIUS.tolist(), "ulna": ULNA.tolist()},
        "b.dcm": {"radius": ULNA.tolist()},
    }


def test_frames_of_one_segment_are_united_and_the_series_names_an_only_image(tmp_path):
    path = write(tmp_path / "seg.dcm", (RADIUS, 1, None), (ULNA, 1, None))
    assert read(path) == {"a.dcm": {"radius": (RADIUS | ULNA).tolist()}}


def test_an_image_without_frames_is_annotated_and_shows_nothing(tmp_path):
    path = write(tmp_path / "seg.dcm", (RADIUS, 1, "1.2.3"), references=["1.2.3", "1.2.4"])
    assert read(path)["b.dcm"] == {}


def test_an_image_that_is_not_there_gets_a_name_that_no_image_has(tmp_path):
    assert list(read(write(tmp_path / "a.dcm", (ULNA, 1, "9.9"), references=[]))) == ["image of a"]


def test_segments_are_renamed_and_dropped_by_their_labels(tmp_path):
    path = write(tmp_path / "seg.dcm", (RADIUS, 1, None), (ULNA, 2, None))
    assert read(path, choose={"ulna": "bone"}.get) == {"a.dcm": {"bone": ULNA.tolist()}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "no segmentation"),
        ({"SegmentationType": "FRACTIONAL"}, "not BINARY"),
        ({"NumberOfFrames": 1_000_000_000}, "more than is read"),
        ({"Rows": 0}, "more than is read"),
        ({"NumberOfFrames": 3}, "damaged or truncated"),
        ({"labels": ("left/radius",)}, "segment 1 is of class 'left/radius'"),
        ({"labels": ()}, "frame 1 is of segment 1, which it does not describe"),
        ({"references": ("1.2.3", "1.2.4")}, "frame 1 tells 2 images instead of one"),
        ({"PerFrameFunctionalGroupsSequence": [Dataset()]}, "does not tell its segment"),
        ({"PerFrameFunctionalGroupsSequence": [Dataset()] * 2}, "describes 2 frames and holds 1"),
    ],
)
def test_what_is_no_binary_segmentation_is_refused(tmp_path, changes, told):
    assert told in refused(write(tmp_path / "seg.dcm", (RADIUS, 1, None), **changes))


@pytest.mark.parametrize(
    ("syntax", "told"), [(DeflatedExplicitVRLittleEndian, "deflated"), (RLELossless, "compressed")]
)
def test_compressed_segmentations_are_refused_before_they_are_unpacked(tmp_path, syntax, told):
    path = write(tmp_path / "seg.dcm", (RADIUS, 1, None))
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == RLELossless:
        dataset.PixelData = encapsulate([b"no run lengths at all"])
    dataset.save_as(path)
    assert told in refused(path)


@pytest.mark.parametrize("keep", [0, 100, 140, 300, -1, -40])
def test_truncated_files_are_refused(tmp_path, keep):
    path = write(tmp_path / "seg.dcm", (RADIUS, 1, None))
    path.write_bytes(path.read_bytes()[:keep])
    refused(path)


def test_images_are_known_by_their_instance(tmp_path):
    faults: list[str] = []
    files = {"a": write_image(tmp_path / "a.dcm", SOPInstanceUID="1.2.3")}
    (tmp_path / "b.png").write_bytes(b"no DICOM")
    assert instance_names({**files, "b": tmp_path / "b.png"}, faults) == {"1.2.3": "a.dcm"}
    assert not faults
    files["c"] = write_image(tmp_path / "c.dcm", SOPInstanceUID="1.2.3")
    (tmp_path / "d.dcm").write_bytes(b"")
    instance_names({**files, "d": tmp_path / "d.dcm"}, faults)
    assert ["same DICOM object as a.dcm" in faults[0], "d.dcm: the file is empty" in faults[1]] == [
        True,
        True,
    ]


def test_our_own_export_comes_back_the_same(tmp_path):
    from samcarry.formats.dicom_seg import write_dicom_seg

    image = write_image(
        tmp_path / "a.dcm",
        np.zeros(SIZE, np.uint16),
        SOPClassUID="1.2.840.10008.5.1.4.1.1.1",
        SOPInstanceUID="1.2.3",
        StudyInstanceUID="1.2.5",
        SeriesInstanceUID="1.2.6",
        Modality="DX",
    )
    masks = np.stack([RADIUS, ULNA, np.zeros(SIZE, bool), ~RADIUS & ULNA])
    write_dicom_seg(tmp_path / "seg.dcm", image, masks, ["radius", "ulna", "none", "ä b"])
    expected = {"radius": masks[0].tolist(), "ulna": masks[1].tolist(), "ä b": masks[3].tolist()}
    assert read(tmp_path / "seg.dcm") == {"a.dcm": expected}
