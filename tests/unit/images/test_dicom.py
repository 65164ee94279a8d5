"""DICOM radiographs become the grey values that a viewer shows; no personal data is revealed."""

import logging

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless, RLELossless

from samcarry.errors import InputError
from samcarry.images import grey
from samcarry.images.dicom import (
    dicom_codes,
    dicom_pixel_size,
    dicom_size,
    dicom_spacing,
    other_dicom_object,
)
from samcarry.images.grey import image_size, read_grey
from support.dicom_files import VALUES, write


def rejection(path):
    """The error message for a file: one line that names the file and no person."""
    with pytest.raises(InputError) as caught:
        read_grey(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert "Secret" not in message
    return message


def test_12_bits_are_scaled_from_their_full_range(tmp_path):
    expected = np.rint(VALUES / 4095 * 255).astype(int)
    assert read_grey(write(tmp_path / "a.dcm")).tolist() == expected.tolist()
    assert image_size(tmp_path / "a.dcm") == (2, 3)


def test_8_bits_are_kept(tmp_path):
    values = np.array([[0, 1], [128, 255]], np.uint8)
    assert read_grey(write(tmp_path / "a.dcm", values, 8)).tolist() == values.tolist()


def test_monochrome1_inverted_equals_monochrome2(tmp_path):
    dark = write(tmp_path / "a.dcm", 4095 - VALUES, PhotometricInterpretation="MONOCHROME1")
    assert read_grey(dark).tolist() == read_grey(write(tmp_path / "b.dcm")).tolist()


def test_the_window_in_the_file_is_applied_after_its_rescaling(tmp_path):
    rescaled = {"RescaleSlope": 2, "RescaleIntercept": -1000}
    window = {"WindowCenter": 3000.5, "WindowWidth": 4001}  # 1000 to 5000, which are stored as 1000 to 3000
    assert read_grey(write(tmp_path / "a.dcm", **rescaled, **window)).tolist() == [[0, 0, 128], [255] * 3]


def test_a_voi_table_is_applied(tmp_path):
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [4096, 0, 12], list(range(4095, -1, -1))
    for element in ("LUTDescriptor", "LUTData"):
        table[element].VR = "US"
    turned = write(tmp_path / "a.dcm", VOILUTSequence=[table])
    assert read_grey(turned).tolist() == read_grey(write(tmp_path / "b.dcm", 4095 - VALUES)).tolist()


def table(descriptor, entries, kind="US"):
    """An item of a sequence of tables."""
    item = Dataset()
    item.LUTDescriptor, item.LUTData = descriptor, [*entries] if kind == "US" else entries.tobytes()
    item["LUTDescriptor"].VR = "SS" if descriptor[1] < 0 else "US"
    item["LUTData"].VR = kind
    return item


@pytest.mark.parametrize("kind", ["US", "OW"])
def test_a_voi_table_of_8_bits_may_have_more_than_256_entries(tmp_path, kind):
    rising = np.arange(4096, dtype="<u2") // 16
    path = write(tmp_path / "a.dcm", VOILUTSequence=[table([4096, 0, 8], rising, kind)])
    assert read_grey(path).tolist() == (VALUES // 16).tolist()


def test_values_outside_a_voi_table_have_its_first_or_last_entry(tmp_path):
    path = write(tmp_path / "a.dcm", VOILUTSequence=[table([1001, 2000, 8], [50, *[100] * 999, 200])])
    assert read_grey(path).tolist() == [[50, 50, 50], [200, 200, 200]]


def test_a_voi_table_with_values_beyond_its_bits_is_refused(tmp_path):
    path = write(tmp_path / "a.dcm", VOILUTSequence=[table([4096, 0, 8], list(range(4096)))])
    assert "VOI table of 8 bits holds values above 255" in rejection(path)


def test_a_modality_table_is_applied_to_all_signed_values(tmp_path):
    values = np.array([[-32768, 0, 32767]], np.int16)
    rising = np.arange(65536, dtype="<u2")
    lut = table([0, -32768, 16], rising, "OW")
    path = write(tmp_path / "a.dcm", values, 16, PixelRepresentation=1, ModalityLUTSequence=[lut])
    assert read_grey(path).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_window_keeps_the_orientation_of_a_negative_slope(tmp_path, photometric):
    common = {"RescaleSlope": -1, "RescaleIntercept": 4095, "PhotometricInterpretation": photometric}
    full = {"WindowCenter": 2047.5, "WindowWidth": 4095, "VOILUTFunction": "LINEAR_EXACT"}
    plain = read_grey(write(tmp_path / "a.dcm", **common))
    assert read_grey(write(tmp_path / "b.dcm", **common, **full)).tolist() == plain.tolist()


@pytest.mark.parametrize("sign", [1, -1])
def test_unused_bits_below_the_values_are_left_out(tmp_path, sign):
    values = VALUES if sign == 1 else VALUES.astype(np.int16) - 2048
    signed = {"PixelRepresentation": 0 if sign == 1 else 1}
    plain = read_grey(write(tmp_path / "a.dcm", values, **signed))
    path = write(tmp_path / "b.dcm", values << 4 | 5, HighBit=15, **signed)
    assert read_grey(path).tolist() == plain.tolist()


@pytest.mark.parametrize("high", [7, 16])
def test_a_high_bit_that_contradicts_the_other_bits_is_refused(tmp_path, high):
    assert f"HighBit is {high}, but BitsStored is 12" in rejection(write(tmp_path / "a.dcm", HighBit=high))


def test_with_an_empty_high_bit_no_bits_are_below(tmp_path):
    path = write(tmp_path / "a.dcm")
    plain = read_grey(path)
    header = dcmread(path)
    header.HighBit = None
    header.save_as(path)
    assert read_grey(path).tolist() == plain.tolist()


def test_a_high_bit_of_compressed_values_must_be_that_of_the_stored_bits(tmp_path):
    path = write(tmp_path / "a.dcm", syntax=RLELossless, HighBit=15, PixelData=encapsulate([b"not RLE"]))
    assert "HighBit is 15, but BitsStored is 12" in rejection(path)


def test_a_percentile_window_replaces_the_window_in_the_file(tmp_path):
    path = write(tmp_path / "a.dcm", WindowCenter=10, WindowWidth=2)
    assert read_grey(path, window=(0, 100)).tolist() == np.rint(VALUES / 4095 * 255).tolist()


def test_dicom_is_recognised_without_a_suffix_and_without_a_preamble(tmp_path):
    plain = read_grey(write(tmp_path / "IM0001"))
    (tmp_path / "b.dcm").write_bytes((tmp_path / "IM0001").read_bytes()[132:])
    assert read_grey(tmp_path / "b.dcm").tolist() == plain.tolist()


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"values": np.zeros((2, 3, 4), np.uint16), "NumberOfFrames": 2}, "several frames"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "colour"),
        ({"PhotometricInterpretation": "YBR_FULL", "SamplesPerPixel": 1}, "colour"),
        ({"PixelData": None}, "no pixel data"),
        ({"WindowCenter": 5, "WindowWidth": 0}, "its window cannot be applied"),
        ({"WindowCenter": 5, "WindowWidth": -3}, "its window cannot be applied"),
        ({"WindowCenter": 5, "WindowWidth": 9, "VOILUTFunction": "SECRET"}, "its window cannot be applied"),
        ({"RescaleSlope": 0, "RescaleIntercept": 5}, "zero or not a finite number"),
    ],
)
def test_anything_but_a_single_grey_image_is_rejected(tmp_path, elements, words):
    assert words in rejection(write(tmp_path / "a.dcm", **elements))


def test_a_codec_without_a_decoder_is_named(tmp_path):
    pixels = encapsulate([b"not JPEG-LS"])
    path = write(tmp_path / "a.dcm", syntax=JPEGLSLossless, PixelData=pixels)
    assert "JPEG-LS Lossless" in rejection(path)


@pytest.mark.parametrize("keep", [0, 1, 100, 140, 200, 300, -1, -6])
def test_truncated_files_are_rejected(tmp_path, keep):
    path = write(tmp_path / "a.dcm")
    content = path.read_bytes()
    path.write_bytes(content[:keep])
    rejection(path)


def test_other_files_and_too_many_pixels_are_rejected(tmp_path, monkeypatch):
    (tmp_path / "b.dcm").write_bytes(b"not a DICOM file" * 30)
    rejection(tmp_path / "b.dcm")
    rejection(tmp_path / "none.dcm")
    monkeypatch.setattr(grey, "MOST_PIXELS", 5)
    assert "more than 5 pixels" in rejection(write(tmp_path / "a.dcm"))


def test_messages_of_pydicom_about_the_header_are_not_logged(tmp_path, caplog, recwarn):
    path = write(tmp_path / "a.dcm", WindowCenter=1, WindowWidth=2)
    path.write_bytes(path.read_bytes().replace(b"MONOCHROME2", b"SecretName "))
    with caplog.at_level(logging.DEBUG):
        rejection(path)
    assert not caplog.records
    assert not recwarn.list


def test_codes_of_the_header(tmp_path):
    path = write(tmp_path / "a.dcm", ImageLaterality="L", BurnedInAnnotation="YES")
    keywords = ["ImageLaterality", "BurnedInAnnotation", "Laterality"]
    assert dicom_codes(path, keywords) == {
        "ImageLaterality": "L",
        "BurnedInAnnotation": "YES",
        "Laterality": "",
    }
    (tmp_path / "b.dcm").write_bytes(b"rubbish")
    with pytest.raises(InputError):
        dicom_codes(tmp_path / "b.dcm", keywords)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({}, None),
        ({"PixelSpacing": [0.1, 0.2]}, (0.1, 0.2)),
        ({"ImagerPixelSpacing": [0.15, 0.16]}, (0.15, 0.16)),
        ({"PixelSpacing": [0.1, 0.2], "ImagerPixelSpacing": [0.15, 0.16]}, (0.1, 0.2)),
        ({"PixelSpacing": [0, 0.2], "ImagerPixelSpacing": [0.15, 0.16]}, (0.15, 0.16)),
        ({"PixelSpacing": None}, None),
    ],
)
def test_the_size_of_pixels_is_that_of_the_object_or_else_of_the_detector(tmp_path, elements, expected):
    known = {name: value for name, value in elements.items() if value is not None}
    assert dicom_spacing(write(tmp_path / "a.dcm", **known)) == expected


def test_the_size_of_pixels_of_a_damaged_file_is_an_error_that_names_it(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"x" * 500)
    with pytest.raises(InputError, match=r"a\.dcm"):
        dicom_spacing(tmp_path / "a.dcm")


PALETTE = {
    "PhotometricInterpretation": "PALETTE COLOR",
    **{f"{colour}PaletteColorLookupTableDescriptor": [4, 0, 16] for colour in ("Red", "Green", "Blue")},
    "RedPaletteColorLookupTableData": np.array([0, 65535, 0, 65535], np.uint16).tobytes(),
    "GreenPaletteColorLookupTableData": np.array([0, 0, 65535, 65535], np.uint16).tobytes(),
    "BluePaletteColorLookupTableData": np.array([0, 0, 0, 65535], np.uint16).tobytes(),
}


@pytest.mark.parametrize("window", [None, (0, 100)])
def test_the_colours_of_a_palette_become_luminance(tmp_path, window):
    indices = np.array([[0, 1], [2, 3]], np.uint8)
    path = write(tmp_path / "a.dcm", indices, bits=8, **PALETTE)
    assert read_grey(path, window).tolist() == [[0, 76], [150, 255]]
    assert dicom_size(path, 100) == (2, 2)


def test_a_palette_without_its_colours_is_refused_in_one_line(tmp_path):
    path = write(tmp_path / "a.dcm", np.zeros((2, 2), np.uint8), bits=8)
    header = dcmread(path)
    header.PhotometricInterpretation = "PALETTE COLOR"
    header.save_as(path)
    with pytest.raises(InputError, match="cannot be read as DICOM"):
        read_grey(path)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({}, None),
        ({"PixelSpacing": [0.2, 0.3]}, ((0.2, 0.3), "PixelSpacing")),
        ({"ImagerPixelSpacing": [0.2, 0.3]}, ((0.2, 0.3), "ImagerPixelSpacing")),
        (
            {"PixelSpacing": [0.1, 0.15], "ImagerPixelSpacing": [0.2, 0.3]},
            ((0.1, 0.15), "PixelSpacing"),
        ),
        (
            {"PixelSpacing": [0.2, 0.3], "ImagerPixelSpacing": [0.2, 0.3]},
            ((0.2, 0.3), "ImagerPixelSpacing"),
        ),
        ({"PixelSpacing": [0, 0.3]}, None),
    ],
)
def test_the_size_of_a_pixel_and_what_it_is_of(tmp_path, elements, expected):
    assert dicom_pixel_size(write(tmp_path / "a.dcm", **elements)) == expected


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        ("1.2.840.10008.1.3.10", "Media Storage Directory"),
        ("1.2.840.10008.5.1.4.1.1.88.33", "Comprehensive SR"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "12-lead ECG Waveform"),
        ("1.2.840.10008.5.1.4.1.1.1.1", None),  # digital X-ray, for presentation
        ("1.2.840.10008.5.1.4.1.1.7", None),
        ("1.2.3", None),
    ],
)
def test_dicom_objects_without_an_image_are_recognised_by_their_class(tmp_path, uid, expected):
    path = write(tmp_path / "a")
    header = dcmread(path)
    header.file_meta.MediaStorageSOPClassUID = uid
    header.save_as(path)
    assert other_dicom_object(path) == expected


def test_a_file_that_is_not_dicom_is_no_other_dicom_object(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"rubbish")
    assert other_dicom_object(tmp_path / "a.dcm") is None
