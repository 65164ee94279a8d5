"""The file of the annotation page: what is read, and what is refused in one line."""

import zlib

import pytest

from samcarry.errors import InputError
from samcarry.formats.page_file import FinishedImage, read_page_file

DIGEST = "0" * 64
HEAD = (
    "<annotations><version>1.1</version><meta><task><labels><label><name>Radius</name></label>"
    "<label><name>Ulna</name></label></labels></task>"
    '<samcarry version="1" dataset="mine" page="x" annotator="A. B." saved="2025-01-01T00:00:00Z"/></meta>\n'
)
MASK = '<mask label="Radius" rle="0, 4" left="0" top="0" width="2" height="2"/>'
STATES = {"corrected": "Radius", "confirmed": "", "absent": "Ulna"}


def image(mask=MASK, seconds="61.5", finished="2025-01-01T00:00:00Z", digest=DIGEST, **states):
    said = "".join(f' {state}="{names}"' for state, names in {**STATES, **states}.items())
    about = f'finished="{finished}" seconds="{seconds}" sha256="{digest}"'
    return f'<image id="0" name="a.png" width="6" height="5" {about}{said}>{mask}</image>\n'


def save(folder, text=None, change=lambda content: content):
    content = (text or HEAD + image() + "</annotations>\n").encode()
    path = folder / "saved.xml"
    path.write_bytes(change(content + f"<!-- samcarry crc32 {zlib.crc32(content):08x} -->\n".encode()))
    return path


def test_who_finished_what_and_how_long_it_took(tmp_path):
    page = read_page_file(save(tmp_path))
    assert (page.dataset, page.annotator) == ("mine", "A. B.")
    assert page.images == {"a.png": FinishedImage(DIGEST, "2025-01-01T00:00:00Z", 61.5, ("Ulna",))}


def test_other_cvat_files_have_no_record(tmp_path):
    path = tmp_path / "cvat.xml"
    path.write_text('<annotations><image name="a.png" width="6" height="5"/></annotations>')
    assert read_page_file(path) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-30],
        lambda content: content.replace(b"Ulna", b"Elle", 1),
        lambda content: content.replace(b'rle="0, 4"', b'rle="1, 3"'),
        lambda content: content.replace(b"\n", b"\r\n"),
    ],
)
def test_a_damaged_or_edited_file_is_refused(tmp_path, change):
    with pytest.raises(
        InputError, match="cut off or was changed after the annotation page saved it"
    ) as error:
        read_page_file(save(tmp_path, change=change))
    assert "\n" not in str(error.value)


def test_a_file_of_another_version_is_refused(tmp_path):
    text = HEAD.replace('samcarry version="1"', 'samcarry version="2"') + "</annotations>\n"
    with pytest.raises(InputError, match=r"another version \(2; this one reads 1\)"):
        read_page_file(save(tmp_path, text))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (image(absent=""), "do not fit the states"),
        (image(absent="Ulna;Radius"), "do not fit the states"),
        (image(mask=""), "do not fit the states"),
        (image(absent="Ulna", corrected="Femur"), "do not fit the states"),
        (image(seconds="nan"), "does not say when"),
        (image(seconds="long"), "does not say when"),
        (image(finished=""), "does not say when"),
        (image(digest="0"), "does not say when"),
    ],
)
def test_entries_that_contradict_each_other_are_refused(tmp_path, entry, message):
    with pytest.raises(InputError, match=f"image 'a.png' .*{message}"):
        read_page_file(save(tmp_path, HEAD + entry + "</annotations>\n"))


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        read_page_file(tmp_path / "none.xml")
