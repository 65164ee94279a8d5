"""samcarry pseudonymise: the copy has no name of a case or patient and no header; all else is the same."""

import shutil
import stat

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from samcarry.cli import main
from samcarry.data.cases import find_cases
from samcarry.data.contract import mirrored_cases
from samcarry.errors import InputError
from samcarry.images.grey import read_grey
from samcarry.images.masks import read_mask, write_mask
from samcarry.images.text import find_text
from samcarry.setup.pseudonyms import pseudonym, pseudonymise, read_key
from samcarry.storage.sheets import read_sheet
from support.burned_text import burn, radiograph
from support.dicom_files import write

KEY = b"a secret of the hospital"


@pytest.fixture
def folder(tmp_path):
    """Four cases of two patients: a 16-bit PNG, a JPEG with EXIF, a DICOM file and an unlabelled PNG."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "mine"
    (folder / "images").mkdir(parents=True)
    note = PngInfo()
    note.add_text("Comment", "Erika Mustermann")
    deep = rng.integers(0, 65536, (20, 30)).astype(np.uint16)
    Image.fromarray(deep).save(folder / "images/Mustermann_left.png", pnginfo=note)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = "Erika Mustermann"
    Image.fromarray(rng.integers(0, 256, (20, 30)).astype(np.uint8)).save(
        folder / "images/Mustermann_right.jpg", exif=exif
    )
    write(
        folder / "images/Beispiel.dcm",
        rng.integers(0, 4096, (20, 30)).astype(np.uint16),
        PixelSpacing=[0.14, 0.2],
        BurnedInAnnotation="YES",
        PatientName="Beispiel^Bernd",
    )
    Image.fromarray(rng.integers(0, 256, (20, 30)).astype(np.uint8)).save(folder / "images/other.png")
    for case, size in (("Mustermann_left", (20, 30)), ("Mustermann_right", (30, 20)), ("Beispiel", (20, 30))):
        (folder / "labels" / case).mkdir(parents=True)
        write_mask(folder / f"labels/{case}/bone.png", rng.random(size) < 0.5)
    (folder / "cases.csv").write_text(
        "case,patient,split,order,site,remark\n"
        "Mustermann_left,Mustermann,train,2,north,seen by Dr. Huber\n"
        "Mustermann_right,mustermann ,train,1,north,\n"
        "Beispiel,Beispiel,test,,south,\n"
        "other,Beispiel2,unlabelled,,,\n"
    )
    return folder


def test_the_copy_has_the_same_pixels_labels_splits_and_groups(folder, tmp_path):
    names, _ = pseudonymise(folder, tmp_path / "copy", KEY)
    before = {names[case.case]: case for case in find_cases(folder)[0]}
    after = {case.case: case for case in find_cases(tmp_path / "copy")[0]}
    assert sorted(before) == sorted(after)
    for name, case in after.items():
        old = before[name]
        assert np.array_equal(read_grey(case.image), read_grey(old.image)), old.case
        assert (case.split, case.order, case.group) == (old.split, old.order, old.group)
        assert (case.labels is None) == (old.labels is None)
        if case.labels:
            assert np.array_equal(read_mask(case.labels / "bone.png"), read_mask(old.labels / "bone.png"))
    values = np.asarray(Image.open(tmp_path / f"copy/images/{names['Mustermann_left']}.png"))
    assert np.array_equal(values, np.asarray(Image.open(folder / "images/Mustermann_left.png")))
    assert after[names["Beispiel"]].spacing == "0.14 0.2"


def test_neither_rows_nor_times_of_files_show_the_order_of_the_names(tmp_path):
    folder = tmp_path / "mine"
    (folder / "images").mkdir(parents=True)
    for letter in "abcdefghijklmnop":
        Image.new("L", (8, 8), ord(letter)).save(folder / f"images/{letter}.png")
        (folder / f"labels/{letter}").mkdir(parents=True)
        write_mask(folder / f"labels/{letter}/bone.png", np.eye(8, dtype=bool))
    names, _ = pseudonymise(folder, tmp_path / "copy", KEY)
    assert list(names.values()) != sorted(names.values())
    rows = [row["case"] for row in read_sheet(tmp_path / "copy/cases.csv")]
    assert rows == sorted(names.values())
    for kind in ("images", "labels"):
        times = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "copy" / kind).iterdir()}
        assert sorted(times, key=lambda name: (times[name], name)) == sorted(times)


def test_orders_such_as_dates_become_ranks_with_the_same_meaning(folder, tmp_path):
    table = folder / "cases.csv"
    table.write_text(table.read_text().replace(",2,", ",20240302,").replace(",1,", ",20240117,"))
    names, _ = pseudonymise(folder, tmp_path / "copy", KEY)
    assert "2024" not in (tmp_path / "copy/cases.csv").read_text()
    order = {case.case: case.order for case in find_cases(tmp_path / "copy")[0]}
    assert (order[names["Mustermann_right"]], order[names["Mustermann_left"]]) == (1, 2)
    assert order[names["Beispiel"]] is None


@pytest.mark.parametrize("out", ["copy", "images/copy", "."])
def test_a_copy_inside_the_data_is_refused(folder, out):
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError, match=r"is inside .*, which has the names; choose a folder elsewhere"):
        pseudonymise(folder, folder / out, KEY)
    assert sorted(folder.rglob("*")) == before


def test_spellings_of_one_patient_have_one_pseudonym_and_cases_have_others(folder, tmp_path):
    names, _ = pseudonymise(folder, tmp_path / "copy", KEY)
    patient = {row["case"]: row["patient"] for row in read_sheet(tmp_path / "copy/cases.csv")}
    assert patient[names["Mustermann_left"]] == patient[names["Mustermann_right"]]
    assert len(set(patient.values())) == 3
    assert pseudonym(KEY, "case", "A") != pseudonym(KEY, "patient", "A")


def test_no_name_no_remark_and_no_header_is_anywhere_in_the_copy(folder, tmp_path):
    pseudonymise(folder, tmp_path / "copy", KEY)
    files = list((tmp_path / "copy").rglob("*"))
    assert len(files) > 8
    content = b"".join(file.read_bytes() for file in files if file.is_file()).lower()
    written = content + " ".join(str(file.relative_to(tmp_path)) for file in files).lower().encode()
    for word in (b"mustermann", b"beispiel", b"erika", b"bernd", b"huber", b"other"):
        assert word not in written
    assert {file.suffix for file in (tmp_path / "copy/images").iterdir()} == {".png"}


def test_one_key_gives_one_pseudonym_and_another_key_another(folder, tmp_path):
    first, _ = pseudonymise(folder, tmp_path / "a", KEY)
    shutil.copy(folder / "images/other.png", folder / "images/added later.png")
    second, _ = pseudonymise(folder, tmp_path / "b", KEY)
    assert first.items() < second.items()
    third, _ = pseudonymise(folder, tmp_path / "c", b"another secret of the hospital")
    assert not set(third.values()) & set(second.values())


def test_text_in_the_pixels_is_reported(folder, tmp_path):
    _, warnings = pseudonymise(folder, tmp_path / "copy", KEY)
    assert any("text is part of the pixels" in line and "Beispiel" in line for line in warnings)


@pytest.fixture
def with_text(folder):
    """The data set with an unlabelled image of 12 bits in 16 that shows a name."""
    burned = burn(radiograph(), "DOE, Maria", (8, 8))
    Image.fromarray(burned.astype(np.uint16) * 16).save(folder / "images/other.png")
    return folder


def test_an_image_with_text_is_not_copied_unless_the_user_decides(with_text, tmp_path):
    with pytest.raises(InputError, match=r"1 images have lines of text.*other; .*--text fill or --text keep"):
        pseudonymise(with_text, tmp_path / "copy", KEY)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("text", ["fill", "keep"])
def test_text_is_filled_or_kept_and_reported(with_text, tmp_path, text):
    names, warnings = pseudonymise(with_text, tmp_path / "copy", KEY, text=text)
    assert any(("filled: other" if text == "fill" else "kept: other") in line for line in warnings)
    before = np.asarray(Image.open(with_text / "images/other.png"))
    after = np.asarray(Image.open(tmp_path / f"copy/images/{names['other']}.png"))
    assert after.dtype == np.uint16
    assert np.array_equal(after[40:], before[40:])
    assert np.array_equal(after, before) == (text == "keep")
    assert bool(find_text((after // 16).astype(np.uint8))) == (text == "keep")


def test_patients_in_names_become_a_column(folder, tmp_path):
    (folder / "cases.csv").unlink()
    names, _ = pseudonymise(folder, tmp_path / "copy", KEY, patient_pattern="^([^_]+)")
    patient = {row["case"]: row["patient"] for row in read_sheet(tmp_path / "copy/cases.csv")}
    assert patient[names["Mustermann_left"]] == patient[names["Mustermann_right"]]
    assert set(read_sheet(tmp_path / "copy/cases.csv")[0]) == {"case", "patient", "spacing"}


def test_faults_are_reported_together_and_nothing_is_written(folder, tmp_path):
    (folder / "images/Beispiel.dcm").write_bytes(b"")
    (folder / "labels/Mustermann_left/bone.png").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        pseudonymise(folder, tmp_path / "copy", KEY)
    assert len(str(caught.value).splitlines()) == 2
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mine"]


def test_the_command_makes_a_key_for_its_owner_only_and_a_table_of_names(folder, tmp_path, capsys):
    call = ["pseudonymise", str(folder), str(tmp_path / "copy"), "--key", str(tmp_path / "key")]
    assert main([*call, "--names", str(tmp_path / "names.csv")]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1].endswith("copy: 4 cases with pseudonyms; look for text in the pixels that was not found")
    for private in ("key", "names.csv"):
        assert stat.S_IMODE((tmp_path / private).stat().st_mode) == 0o600
    key, is_new = read_key(tmp_path / "key")
    assert not is_new
    assert len(key) == 64
    table = {row["case"]: row["pseudonym"] for row in read_sheet(tmp_path / "names.csv")}
    assert table["other"] == pseudonym(key, "case", "other")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--key", "{mine}/key"], "is inside"),
        (["--key", "{out}/key"], "is inside"),
        (["--key", "{place}/key", "--names", "{out}/names.csv"], "is inside"),
        (["--key", "{place}/no/key"], "no such folder; create it"),
        (["--key", "{place}/short"], "is not a key of at least 16 bytes"),
        (["--key", "{place}/key", "--names", "{place}/short"], "exists already"),
    ],
)
def test_a_key_or_table_in_a_wrong_place_is_refused_in_one_line(folder, tmp_path, capsys, options, words):
    (tmp_path / "short").write_text("abc\n")
    places = {"mine": folder, "out": tmp_path / "copy", "place": tmp_path}
    assert (
        main(["pseudonymise", str(folder), str(tmp_path / "copy"), *(o.format(**places) for o in options)])
        == 1
    )
    shown = capsys.readouterr()
    assert words in shown.err
    assert len(shown.err.splitlines()) == 1
    assert not (tmp_path / "copy").exists()


def test_an_existing_copy_is_never_replaced(folder, tmp_path):
    (tmp_path / "copy").mkdir()
    with pytest.raises(InputError, match="exists already; remove it, or choose another folder"):
        pseudonymise(folder, tmp_path / "copy", KEY)


def test_a_copy_of_an_import_still_says_which_images_are_mirrored(folder, tmp_path):
    table = folder / "cases.csv"
    header, *rows = table.read_text().splitlines()
    rows = [f"{row},{int(row.startswith('Beispiel,'))}" for row in rows]
    table.write_text("\n".join([f"{header},mirrored", *rows]))
    names, _ = pseudonymise(folder, tmp_path / "copy", KEY)
    assert mirrored_cases(tmp_path / "copy") == {names["Beispiel"]}
