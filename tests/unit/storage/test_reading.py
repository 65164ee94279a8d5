"""Errors of the operating system are reported as what they are; only content is damage."""

import builtins
import errno
import io
import os

import numpy as np
import pytest
import torch

from samcarry.errors import DamagedError, InputError
from samcarry.formats.coco import read_coco
from samcarry.formats.cvat import read_cvat
from samcarry.formats.nifti import read_nifti
from samcarry.images.dicom import is_dicom
from samcarry.images.grey import read_grey, write_grey
from samcarry.networks.subset_statistics import read_statistics
from samcarry.prompting.prompts import read_prompts, write_prompts
from samcarry.report.provenance import model_metadata
from samcarry.storage.checksums import check, write_checksums
from samcarry.storage.files import write_text
from samcarry.storage.frames import concatenate, read_frame
from samcarry.storage.model_files import read_model, write_model
from samcarry.storage.reading import reading_made
from samcarry.storage.sheets import read_sheet
from samcarry.storage.stacks import Stack, read_header, read_stack, write_stack
from samcarry.storage.states import read_state, write_state
from samcarry.storage.tables import read_table
from samcarry.storage.texts import read_json, read_text
from samcarry.tuning.tuned_settings import read_tuned
from support import dicom_files

CSV = "case,split\na,train\n"
CVAT = '<annotations><image id="0" name="a.png" width="4" height="4"/></annotations>'
COCO = (
    '{"images": [{"id": 1, "file_name": "a.png", "height": 4, "width": 4}], '
    '"annotations": [], "categories": []}'
)
STATISTICS = '{"cases": ["a"], "classes": ["x"], "mean": 0, "std": 1, "positive_weight": [1]}'


def text(content):
    return lambda path: write_text(path, content)


def stack(path):
    write_stack(path, Stack(np.zeros((1, 4, 4), np.uint8), "image", ("a",)))


def model(path):
    write_model(path, {"a": torch.ones(2)}, {"mean": 1})


def mask(path):
    write_stack(path, Stack(np.zeros((1, 1, 4, 4), np.uint8), "mask", ("a",), ("x",)))


READERS = {
    "table": ("a.csv", text(CSV), lambda path: read_table(path, ("case",))),
    "frame": ("a.csv", text(CSV), lambda path: read_frame(path, ("case", "split"))),
    "concatenate": ("a.csv", text(CSV), lambda path: concatenate([path])),
    "sheet": ("a.csv", text(CSV), read_sheet),
    "text": ("classes.txt", text("x\n"), read_text),
    "json": ("a.json", text("{}"), read_json),
    "statistics": ("a.json", text(STATISTICS), read_statistics),
    "prompts": ("a.json", lambda path: write_prompts(path, {"a": [None]}, ["x"]), read_prompts),
    "tuned": ("a.yaml", text("sam: {first: box}\n"), read_tuned),
    "stack": ("a.nii.gz", stack, read_stack),
    "header": ("a.nii.gz", stack, read_header),
    "model": ("a.safetensors", model, lambda path: read_model(path, "U-Net", lambda *found: found)),
    "metadata": ("a.safetensors", model, model_metadata),
    "state": ("a.pt", lambda path: write_state(path, lambda stream: stream.write(b"x")), read_state),
    "checksum": ("a", text("x"), lambda path: check(path, path.parent)),
    "image": ("a.png", lambda path: write_grey(path, np.zeros((4, 4), np.uint8)), read_grey),
    "dicom": ("a.dcm", dicom_files.write, read_grey),
    "is_dicom": ("a", text("x"), is_dicom),
    "cvat": ("a.xml", text(CVAT), read_cvat),
    "coco": ("a.json", text(COCO), read_coco),
    "nifti": ("a.nii.gz", mask, read_nifti),
}
NUMBERS = (errno.EMFILE, errno.EIO, errno.ESTALE, errno.EACCES, errno.ENOMEM)


@pytest.mark.parametrize("reader", READERS)
def test_an_error_of_the_system_is_reported_with_what_to_do_and_never_as_damage(
    tmp_path, monkeypatch, reader
):
    name, write, read = READERS[reader]
    path = tmp_path / name
    write(path)
    write_checksums([path], tmp_path)
    read(path)
    real = io.open
    for number in NUMBERS:
        if reader == "is_dicom" and number == errno.EACCES:
            continue  # a file that nobody may read is skipped like any other that is not an image

        def failing(file, *arguments, number=number, **more):
            if str(file) == str(path):
                raise OSError(number, os.strerror(number), str(file))
            return real(file, *arguments, **more)

        with monkeypatch.context() as patch:
            patch.setattr(io, "open", failing)
            patch.setattr(builtins, "open", failing)
            with pytest.raises(InputError) as caught:
                read(path)
        message = str(caught.value)
        assert not isinstance(caught.value, DamagedError)
        assert message.startswith(f"{path}: {os.strerror(number)}; "), message
        assert "\n" not in message
        assert not any(
            word in message.lower() for word in ("damaged", "delete", "export it again", "replace")
        )


def test_what_the_content_raises_is_damage_in_one_line():
    with pytest.raises(DamagedError) as caught, reading_made("a.csv", "this table is damaged", (ValueError,)):
        raise ValueError("first\nsecond")
    assert str(caught.value) == "a.csv: this table is damaged (first)"
    with pytest.raises(DamagedError, match=r"\(KeyError\)"), reading_made("a", "damaged", (KeyError,)):
        raise KeyError


def test_a_missing_file_of_a_rule_is_reported_as_missing():
    with pytest.raises(DamagedError) as caught:
        read_text("results/none.txt")
    assert str(caught.value) == "results/none.txt: there is no such file"
