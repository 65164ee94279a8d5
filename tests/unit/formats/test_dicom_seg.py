"""DICOM SEG: frames become the classes of their images; what is written refers to its image."""

import logging
import re

import highdicom as hd
import numpy as np
import pytest
from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map
from pydicom import dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    RLELossless,
)

from samcarry.errors import InputError
from samcarry.formats.dicom_seg import image_names_by_uid, read_dicom_seg, write_dicom_seg
from support.dicom_files import RADIOGRAPH
from support.dicom_files import write as write_image
from support.dicom_seg_files import SIZE, write
from support.drawn_annotations import drawn
from support.paths import ROOT

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


def test_frames_of_one_segment_are_united_and_the_series_may_name_the_only_image(tmp_path):
    path = write(tmp_path / "seg.dcm", (RADIUS, 1, None), (ULNA, 1, None))
    assert read(path) == {"a.dcm": {"radius": (RADIUS | ULNA).tolist()}}


def test_an_image_without_frames_is_annotated_and_shows_nothing(tmp_path):
    path = write(tmp_path / "seg.dcm", (RADIUS, 1, "1.2.3"), references=["1.2.3", "1.2.4"])
    assert read(path)["b.dcm"] == {}


def test_an_unknown_image_gets_a_name_that_no_image_has(tmp_path):
    assert list(read(write(tmp_path / "a.dcm", (ULNA, 1, "9.9"), references=[]))) == ["image of a"]


def test_segments_are_renamed_and_dropped_by_their_labels(tmp_path):
    path = write(tmp_path / "seg.dcm", (RADIUS, 1, None), (ULNA, 2, None))
    assert read(path, map_class={"ulna": "bone"}.get) == {"a.dcm": {"bone": ULNA.tolist()}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "not a segmentation"),
        ({"SegmentationType": "FRACTIONAL"}, "not BINARY"),
        ({"NumberOfFrames": 1_000_000_000}, "too large"),
        ({"Rows": 0}, "too large"),
        ({"NumberOfFrames": 3}, "damaged or truncated"),
        ({"labels": ("left/radius",)}, "segment 1 has the class 'left/radius'"),
        ({"labels": ()}, "frame 1 has segment 1, which the file does not describe"),
        ({"references": ("1.2.3", "1.2.4")}, "frame 1 names 2 images instead of one"),
        ({"PerFrameFunctionalGroupsSequence": [Dataset()]}, "does not name one segment"),
        ({"PerFrameFunctionalGroupsSequence": [Dataset()] * 2}, "describes 2 frames and holds 1"),
    ],
)
def test_other_files_than_binary_segmentations_are_refused(tmp_path, changes, message):
    assert message in refused(write(tmp_path / "seg.dcm", (RADIUS, 1, None), **changes))


@pytest.mark.parametrize(
    ("syntax", "message"), [(DeflatedExplicitVRLittleEndian, "deflated"), (RLELossless, "compressed")]
)
def test_compressed_segmentations_are_refused_before_decompression(tmp_path, syntax, message):
    path = write(tmp_path / "seg.dcm", (RADIUS, 1, None))
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == RLELossless:
        dataset.PixelData = encapsulate([b"no run lengths at all"])
    dataset.save_as(path)
    assert message in refused(path)


@pytest.mark.parametrize("keep", [0, 100, 140, 300, -1, -40])
def test_truncated_files_are_refused(tmp_path, keep):
    path = write(tmp_path / "seg.dcm", (RADIUS, 1, None))
    path.write_bytes(path.read_bytes()[:keep])
    refused(path)


def test_images_are_identified_by_their_instance_uid(tmp_path):
    faults: list[str] = []
    (tmp_path / "x").mkdir()
    files = [write_image(tmp_path / "x/a.dcm", SOPInstanceUID="1.2.3")]
    (tmp_path / "b.png").write_bytes(b"no DICOM")
    assert image_names_by_uid([*files, tmp_path / "b.png"], tmp_path, faults) == {"1.2.3": "x/a.dcm"}
    assert not faults
    files.append(write_image(tmp_path / "c.dcm", SOPInstanceUID="1.2.3"))
    (tmp_path / "d.dcm").write_bytes(b"")
    image_names_by_uid([*files, tmp_path / "d.dcm"], tmp_path, faults)
    assert ["same DICOM object as x/a.dcm" in faults[0], "d.dcm: the file is empty" in faults[1]] == [
        True,
        True,
    ]


def test_our_own_export_is_read_back_unchanged(tmp_path):
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


CLASSES = ["Os capitatum", "Zähne", "leer"]
MASKS = np.zeros((3, 4, 5), bool)
MASKS[0, 1:3, 1:4] = MASKS[1, 2:, 2:] = True


def radiograph(path, **elements):
    write_image(path, np.zeros((4, 5), np.uint8), bits=8, **{**RADIOGRAPH, **elements})
    return path


def exported(folder, **elements):
    write_dicom_seg(folder / "seg.dcm", radiograph(folder / "a.dcm", **elements), MASKS, CLASSES)
    return folder / "seg.dcm"


@pytest.mark.parametrize("spacing", [None, [0.2, 0.3]])
@pytest.mark.parametrize("frame", [None, "1.2.9"])
def test_highdicom_reads_the_masks_by_their_image(tmp_path, spacing, frame):
    elements = {"PixelSpacing": spacing, "FrameOfReferenceUID": frame}
    given = {name: value for name, value in elements.items() if value}
    segmentation = hd.seg.segread(exported(tmp_path, **given))
    measures = segmentation.SharedFunctionalGroupsSequence[0].get("PixelMeasuresSequence")
    assert (measures and list(measures[0].PixelSpacing)) == spacing
    pixels = segmentation.get_pixels_by_source_instance(["1.2.3.4"], ignore_spatial_locations=True)
    np.testing.assert_array_equal(pixels[0].transpose(2, 0, 1), MASKS[:2])
    described = [(d.segment_number, d.segment_label) for d in segmentation.SegmentSequence]
    assert described == [(1, "Os capitatum"), (2, "Zähne")]
    assert segmentation.SegmentsOverlap == "YES"


def test_patient_and_study_are_those_of_the_image_whatever_its_character_set(tmp_path):
    elements = {
        "SpecificCharacterSet": "ISO_IR 100",
        "PatientName": "Müller^Jörg",
        "PatientID": "7",
        "StudyDate": "20200131",
        "PatientSex": "M",
    }
    header = dcmread(exported(tmp_path, **elements))
    assert header.SpecificCharacterSet == "ISO_IR 192"
    assert str(header.PatientName) == "Müller^Jörg"
    assert (header.PatientID, header.StudyDate, header.PatientSex) == ("7", "20200131", "M")
    assert (header.StudyInstanceUID, header.Modality) == ("1.2.3", "SEG")
    assert header.SeriesInstanceUID != "1.2.5"
    (series,) = header.ReferencedSeriesSequence
    (instance,) = series.ReferencedInstanceSequence
    assert (series.SeriesInstanceUID, instance.ReferencedSOPInstanceUID) == ("1.2.5", "1.2.3.4")


# What the module says is copied; docs/privacy.md lists it.
COPIED = {
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "IssuerOfPatientID",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "SOPClassUID",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
}
VALUE_OF = {
    "DA": "19991231",
    "TM": "112233",
    "UI": "1.2.77",
    "AS": "077Y",
    "CS": "OTHER",
    "DS": "77",
    "US": 77,
}
VALID = {
    "PatientSex": "O",
    "PatientIdentityRemoved": "NO",
    "SmokingStatus": "YES",
    "QualityControlSubject": "YES",
    "ResponsiblePersonRole": "OWNER",
    "Modality": "CR",
}


def with_everything():
    """Values of all elements that an image may have of patient, study, series, equipment and itself."""
    radiographs = get_iod_module_map()["computed-radiography-image"]
    names = {
        item["keyword"]
        for module in radiographs
        for item in get_module_attribute_map()[module["key"]]
        if not item["path"]
    }
    elements = {}
    for name in sorted(names | COPIED | {"OtherPatientIDs", "EthnicGroup", "PatientAddress"}):
        vr = dictionary_VR(tag) if (tag := tag_for_keyword(name)) else ""
        if vr in ("PN", "LO", "SH", "ST", "LT", "UT", "UC", *VALUE_OF):
            elements[name] = VALID.get(name, VALUE_OF.get(vr, f"Secret{len(elements)}"))
    kept = (
        "Rows",
        "Columns",
        "SpecificCharacterSet",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "SamplesPerPixel",
    )
    kept += ("PixelRepresentation", "PlanarConfiguration", "PhotometricInterpretation", "PixelSpacing")
    return {name: value for name, value in elements.items() if name not in kept} | RADIOGRAPH


@pytest.mark.filterwarnings("ignore")  # when the test writes its header
def test_only_what_the_page_about_privacy_lists_is_copied(tmp_path):
    elements = with_everything()
    assert len(elements) > 150
    written = exported(tmp_path, **elements)
    secrets = {
        str(value) for name, value in elements.items() if name not in COPIED and "Secret" in str(value)
    }
    assert len(secrets) > 50
    texts = {str(element.value) for element in dcmread(written).iterall()}
    assert not secrets & texts
    header = dcmread(written)
    patient_and_study = {name for name in elements if str(header.get(name)) == str(elements[name])}
    assert COPIED - patient_and_study == {
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "SOPClassUID",
    }  # as references
    page = (ROOT / "docs/privacy.md").read_text()
    assert COPIED | {"DeidentificationMethodCodeSequence"} == set(
        re.findall(r"^\| `(\w+)` \| ", page, re.MULTILINE)
    )


def test_nothing_of_the_header_is_logged(tmp_path, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        exported(tmp_path, PatientName="Secret^Name")
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_elements_that_may_be_empty_may_be_missing(tmp_path):
    assert dcmread(exported(tmp_path)).AccessionNumber in (None, "")


@pytest.mark.parametrize("missing", sorted(RADIOGRAPH))
def test_a_missing_identifier_is_named(tmp_path, missing):
    with pytest.raises(InputError, match=f"has no {missing}") as caught:
        exported(tmp_path, **{missing: ""})
    assert "Secret" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # when the test writes the broken header
@pytest.mark.parametrize("broken", [{"PatientSex": "X"}, {"PatientBirthDate": "secret"}])
def test_a_header_that_cannot_be_copied_is_one_line_without_its_values(tmp_path, broken):
    with pytest.raises(InputError) as caught:
        exported(tmp_path, **broken)
    assert str(caught.value).count("\n") == 0
    assert "secret" not in str(caught.value).lower()


def test_masks_of_another_size_are_refused(tmp_path):
    source = radiograph(tmp_path / "a.dcm")
    with pytest.raises(InputError, match="masks' size"):
        write_dicom_seg(tmp_path / "b.dcm", source, MASKS[:, :3], CLASSES)


def test_a_name_too_long_for_dicom_is_refused(tmp_path):
    source = radiograph(tmp_path / "a.dcm")
    with pytest.raises(InputError, match="at most 64 characters"):
        write_dicom_seg(tmp_path / "b.dcm", source, MASKS[:1], ["x" * 65])


def no_shared_groups(header):
    del header.SharedFunctionalGroupsSequence


def no_segment_types(header):
    for segment in header.SegmentSequence:
        del segment.SegmentedPropertyTypeCodeSequence


def no_study(header):
    del header.StudyInstanceUID


def no_image_of_a_frame(header):
    for frame in header.PerFrameFunctionalGroupsSequence:
        del frame.DerivationImageSequence


def image_in_shared_groups(header):
    first, *_ = header.PerFrameFunctionalGroupsSequence
    header.SharedFunctionalGroupsSequence[0].DerivationImageSequence = first.DerivationImageSequence
    no_image_of_a_frame(header)


def no_dimension_index(header):
    del header.DimensionIndexSequence


def two_frames_of_one_segment(header):
    _, second = header.PerFrameFunctionalGroupsSequence
    second.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 1
    second.FrameContentSequence[0].DimensionIndexValues = [1]


@pytest.mark.parametrize(
    "change",
    [
        no_shared_groups,
        no_segment_types,
        no_study,
        no_image_of_a_frame,
        image_in_shared_groups,
        no_dimension_index,
        two_frames_of_one_segment,
    ],
)
def test_files_that_highdicom_refuses_are_read(tmp_path, change):
    """The reason why the functional groups are read here; once this fails, highdicom may do it."""
    path = exported(tmp_path)
    header = dcmread(path)
    change(header)
    header.save_as(path)
    (annotation,) = read_dicom_seg(path, images={"1.2.3.4": "a.dcm"})
    masks = drawn(annotation)
    assert annotation.name == "a.dcm"
    if change is two_frames_of_one_segment:
        np.testing.assert_array_equal(masks["Os capitatum"], MASKS[0] | MASKS[1])
    else:
        np.testing.assert_array_equal(np.stack([masks[name] for name in CLASSES[:2]]), MASKS[:2])
    with pytest.raises((AttributeError, KeyError, RuntimeError)):  # noqa: PT012
        segmentation = hd.seg.segread(path)
        segmentation.get_pixels_by_source_instance(["1.2.3.4"], ignore_spatial_locations=True)
