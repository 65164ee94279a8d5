"""What the input checks accept is what prepare_masks writes, pixel by pixel; the rest is refused by name."""

import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from samcarry.data.cases import Case, find_cases
from samcarry.data.checks import check_cases, digests_of
from samcarry.data.label_masks import read_label_masks
from samcarry.data.user_files import find_label_files
from samcarry.errors import InputError

SIZE = (4, 6)
FORMS = ("NFC", "NFD")
LITTER = (".DS_Store", "._bone.png", "Thumbs.db", "desktop.ini", ".bone.png.swp", "__MACOSX")
SAVERS = {
    "L": lambda mask: Image.fromarray(mask.astype(np.uint8)),
    "1": lambda mask: Image.fromarray(mask.astype(np.uint8) * 255).convert("1"),
    "I;16": lambda mask: Image.fromarray(mask.astype(np.uint16) * 999),
    "RGB": lambda mask: Image.fromarray(np.repeat(mask[..., None], 3, axis=2).astype(np.uint8) * 7),
    "RGBA": lambda mask: Image.fromarray((mask[..., None] * np.array([9, 0, 0, 255])).astype(np.uint8)),
    "P": lambda mask: Image.fromarray(mask.astype(np.uint8) * 255).convert("RGB").quantize(2),
}


@dataclass(frozen=True)
class Entry:
    """A file in a label folder: its name as the user sees it and as it is stored, and what it holds."""

    stem: str
    suffix: str
    form: str
    mask: int  # seed; 0 = black
    mode: str

    @property
    def name(self) -> str:
        return unicodedata.normalize(self.form, self.stem) + self.suffix

    @property
    def pixels(self):
        return np.random.default_rng(self.mask).random(SIZE) < (0.5 if self.mask else 0)


ENTRIES = st.builds(
    Entry,
    stem=st.sampled_from(("bone", "Bone", "f\u00e9mur", "\u00e5.b", "\uac00")),
    suffix=st.sampled_from((".png", ".PNG", ".Png", ".png", ".PNG", ".jpg", ".tif", "")),
    form=st.sampled_from(FORMS),
    mask=st.integers(0, 3),
    mode=st.sampled_from(tuple(SAVERS)),
)


@dataclass(frozen=True)
class Labelled:
    """A case, its entries among the labels, the litter beside them, and the forms of its names."""

    name: str
    suffix: str
    forms: tuple[str, str]  # of the image and of the label folder
    entries: tuple[Entry, ...]
    litter: tuple[str, ...]


CASES = st.builds(
    Labelled,
    name=st.sampled_from(("p1", "patie\u0304nt", "\u00e9", "P1", "x.y")),
    suffix=st.sampled_from((".png", ".PNG", ".tiff")),
    forms=st.tuples(st.sampled_from(FORMS), st.sampled_from(FORMS)),
    entries=st.lists(ENTRIES, max_size=3, unique_by=lambda entry: entry.name).map(tuple),
    litter=st.lists(st.sampled_from(LITTER), max_size=2, unique=True).map(tuple),
)
FOLDERS = st.lists(
    CASES, min_size=1, max_size=3, unique_by=lambda case: unicodedata.normalize("NFC", case.name)
)


def write(folder: Path, cases: list[Labelled]) -> None:
    for case in cases:
        image, labels = (unicodedata.normalize(form, case.name) for form in case.forms)
        (folder / "images").mkdir(exist_ok=True)
        with (folder / f"images/{image}{case.suffix}").open("wb") as stream:
            Image.fromarray(np.full(SIZE, 50, np.uint8)).save(stream, format="PNG")
        place = folder / "labels" / labels
        place.mkdir(parents=True)
        for entry in case.entries:
            with (place / entry.name).open("wb") as stream:
                SAVERS[entry.mode](entry.pixels).save(stream, format="PNG")
        for name in case.litter:
            (place / name).write_bytes(b"litter")


def prepared(cases: list[Case], classes: list[str]):
    """The masks as the rule prepare_masks reads them, (case, class, height, width)."""
    faults: list[str] = []
    files = [file for case in cases for file in find_label_files(case.labels, faults).values()]
    assert not faults
    digests = [labels for _, labels in digests_of(cases).values()]
    return read_label_masks(map(str, files), [case.case for case in cases], digests, classes, *SIZE)


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def problems(cases: list[Labelled]) -> bool:
    """Whether a person would have to settle something in these folders."""
    files = [(nfc(case.name), entry) for case in cases for entry in case.entries]
    spellings = {nfc(entry.stem) for _, entry in files}
    places = [(case, nfc(entry.stem).lower()) for case, entry in files]
    return (
        len({nfc(case.name).lower() for case in cases}) < len(cases)
        or any(entry.suffix.lower() != ".png" for _, entry in files)
        or len({name.lower() for name in spellings}) < len(spellings)
        or len(set(places)) < len(places)
        or not any(entry.pixels.any() for _, entry in files)
    )


@settings(max_examples=150)
@given(FOLDERS)
def test_what_the_checks_accept_is_what_is_prepared_and_nothing_is_passed_over(drawn):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, drawn)
        if problems(drawn):
            with pytest.raises(InputError) as caught:
                check_cases(find_cases(folder, val_fraction=0, test_fraction=0)[0])
            for line in str(caught.value).splitlines():
                assert line.startswith(f"{folder}/"), line  # a file or folder of the user
                assert "; " in line, line  # what to do
            return
        cases, _ = find_cases(folder, val_fraction=0, test_fraction=0)
        found = check_cases(cases)
        masks = prepared(cases, found.classes)
        expected = np.zeros_like(masks)
        names = [case.case for case in cases]
        assert sorted(names) == sorted(nfc(case.name) for case in drawn)
        for case in drawn:
            for entry in case.entries:
                if entry.pixels.any():
                    at = names.index(nfc(case.name)), found.classes.index(nfc(entry.stem))
                    expected[at] = entry.pixels
        np.testing.assert_array_equal(masks, expected)


# ---- what changes between the checks and prepare_masks ------------------------------------------


BONE = Entry("bone", ".PNG", "NFC", 1, "L")


@pytest.fixture
def checked(tmp_path):
    """A folder of two cases that passed the checks: the cases, their digests and classes."""
    write(
        tmp_path,
        [Labelled(name, ".png", ("NFC", "NFD"), (BONE,), ()) for name in ("p\u00e9", "q")],
    )
    cases, _ = find_cases(tmp_path, val_fraction=0, test_fraction=0)
    digests = [labels for _, labels in digests_of(cases).values()]
    return cases, digests, check_cases(cases).classes


def prepare_again(cases, digests, classes):
    files = [file for case in cases for file in find_label_files(case.labels, []).values()]
    return read_label_masks(files, [case.case for case in cases], digests, classes, *SIZE)


def test_unchanged_labels_are_prepared(checked):
    assert prepare_again(*checked).sum() == 2 * BONE.pixels.sum()


@pytest.mark.parametrize("change", ["removed", "replaced", "added", "renamed"])
def test_labels_that_changed_after_the_checks_are_refused_by_name(checked, change):
    labels = checked[0][0].labels
    if change == "removed":
        (labels / "bone.PNG").unlink()
    elif change == "renamed":
        (labels / "bone.PNG").rename(labels / "bones.png")
    else:
        other = labels / ("bone.PNG" if change == "replaced" else "ulna.png")
        SAVERS["L"](~BONE.pixels).save(other, format="PNG")
    with pytest.raises(InputError, match="not those that the input checks read; run again") as caught:
        prepare_again(*checked)
    assert "p\u00e9" in nfc(str(caught.value))


def test_labels_of_another_case_are_refused(checked):
    cases, digests, classes = checked
    with pytest.raises(InputError, match="q"):
        read_label_masks(
            [file for case in cases for file in find_label_files(case.labels, []).values()],
            ["p\u00e9"],
            digests[:1],
            classes,
            *SIZE,
        )


def test_a_class_that_the_checks_did_not_list_is_refused(checked):
    cases, digests, _ = checked
    with pytest.raises(InputError, match=r"bone\.PNG: class 'bone' is not among the classes"):
        prepare_again(cases, digests, ["ulna"])
