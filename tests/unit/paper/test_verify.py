"""Verifying the folder of a paper: each change is named, and an unchanged copy has no fault.

A verification takes seconds, so several changes share one where they do not touch each other.
"""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from samcarry.cli import main
from samcarry.errors import InputError
from samcarry.paper.digests import FILE, files_of, fingerprint, write_digests
from samcarry.paper.folder import write_paper
from samcarry.paper.verify import verify
from support.paper_run import make_run


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_paper(folder / "paper", make_run(folder))
    return folder / "paper"


@pytest.fixture
def copy(written, tmp_path):
    """A copy in another place."""
    return Path(shutil.copytree(written, tmp_path / "elsewhere"))


def change(path, pattern, by):
    """Replace the first match of a pattern in a file."""
    text = path.read_text()
    changed = re.sub(pattern, by, text, count=1, flags=re.MULTILINE)
    assert changed != text, pattern
    path.write_text(changed)


def of_file(faults, name):
    (found,) = [fault for fault in faults if fault.startswith(name)]
    return found


def test_an_unchanged_copy_has_no_fault_and_its_last_line_counts(copy, capsys):
    assert main(["verify", str(copy)]) == 0
    *_, mark, last = capsys.readouterr().out.splitlines()
    numbers = len(pd.read_csv(copy / "sources.csv"))
    assert numbers > 150
    assert last == f"{numbers} numbers recomputed, {len(files_of(copy))} files unchanged"
    assert mark == f"fingerprint: {json.loads((copy / FILE).read_text())['fingerprint']}"


def test_a_changed_digit_is_named_with_its_sentence_or_cell_and_its_source(copy, capsys):
    change(copy / "paper.md", r"(a mean Dice of )\d", r"\g<1>1")
    change(copy / "index.html", r'(row method=unet, column std">)\d', r"\g<1>77")
    change(copy / "claim.md", r"25 images of", "26 images of")
    change(copy / "tripod.html", r">25</data> images of", ">26</data> images of")
    change(copy / "data/flow.csv", "test,12", "test,22")
    cell = pd.read_csv(copy / "data/table1.csv", dtype=str).loc[0, "mean"]
    change(copy / "data/table1.csv", f",{re.escape(cell)},", f",1{cell[1:]},")
    assert main(["verify", str(copy)]) == 1
    *faults, _, last = (line.removeprefix("fault: ") for line in capsys.readouterr().out.splitlines())
    assert last == f"{len(faults)} faults" == "6 faults"
    sentence = of_file(faults, "paper.md")
    assert re.match(r'paper\.md, line \d+ \(Results\): "On 12 test images .* a mean Dice of 1', sentence)
    assert re.search(
        r"says 1\d\.\d; recomputed: \d\d\.\d \(data/table1.csv, row method=ours_r, column mean\)$", sentence
    )
    assert "table row 'U-Net (f_θ)', column '± over cases'" in of_file(faults, "index.html")
    for page in ("claim.md", "tripod.html"):
        assert "says 26; recomputed: 25 (data/flow.csv, row split=all, column images)" in of_file(
            faults, page
        )
    flow = "data/flow.csv, line 4 (test, 12, 6), column images: says 22; recomputed: 12"
    assert of_file(faults, "data/flow.csv") == flow
    table = f"data/table1.csv, line 2 (demo, fully, unet), column mean: says 1{cell[1:]}; recomputed: {cell}"
    assert of_file(faults, "data/table1.csv") == table


def test_changes_that_no_number_shows_are_named_by_their_digest(copy):
    cell = pd.read_csv(copy / "data/table1.csv", dtype=str).loc[0, "mean"]
    last = str((int(cell[-1]) + 5) % 10)
    change(copy / "data/table1.csv", f",{re.escape(cell)},", f",{cell[:-1]}{last},")
    (copy / "figures/ranks.png").write_bytes(b"another picture")
    change(copy / "sbom.cdx.json", "CycloneDX", "CycloneDY")
    path = copy / "data/cases.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (copy / "data/extra.csv").write_text("a,b\n1,2\n")
    lines = (copy / "paper.md").read_text().split("\n")
    place = next(number for number, line in enumerate(lines) if "minus U-Net" in line)
    removed = lines.pop(place)
    lines.insert(2, "This method is the best of all.")
    (copy / "paper.md").write_text("\n".join(lines))
    faults = verify(copy).faults
    assert of_file(faults, "data/table1.csv").startswith("data/table1.csv, line 2: was changed since it was")
    assert of_file(faults, "figures") == "figures/ranks.png: was changed since it was written"
    assert of_file(faults, "sbom.cdx.json").startswith("sbom.cdx.json, line 2: was changed")
    assert of_file(faults, "data/cases.csv").startswith("data/cases.csv: has other line ends (CR LF)")
    assert of_file(faults, "data/extra.csv") == "data/extra.csv: was added; the run did not write it"
    assert any("is missing" in fault and removed[:30] in fault for fault in faults)
    assert any("was added: This method is the best of all." in fault for fault in faults)
    assert len(faults) == 7


def test_a_digit_in_the_data_is_named_by_its_line_and_its_consequences_are_counted(copy):
    change(copy / "data/dice.csv", r"(,90,88,)0\.\d", r"\g<1>0.1")
    first, *rest = verify(copy).faults
    assert first.startswith("data/dice.csv, line 2: was changed since it was written: demo,8,0,unet,case-")
    assert len(rest) == 1
    assert re.fullmatch(
        r"\d+ lines of tables and pages do not follow from the changed data any more", rest[0]
    )
    write_digests(copy, json.loads((copy / FILE).read_text())["samcarry"])
    faults = verify(copy).faults  # changed with its digest, it contradicts what was written from it
    assert any(fault.startswith("data/per_class.csv") for fault in faults)
    assert any(fault.startswith("paper.md") for fault in faults)


def test_missing_files_are_a_line_each(copy):
    missing = ("paper.md", "data/dice.csv", "figures/ranks.png", "sbom.cdx.json")
    for name in missing:
        (copy / name).unlink()
    assert sorted(verify(copy).faults) == sorted(f"{name}: is missing" for name in missing)


def test_damaged_data_are_a_line_and_no_traceback(copy):
    (copy / "data/dice.csv").write_text("dataset,n\n")
    assert any(fault.startswith("data/: numbers cannot be recomputed") for fault in verify(copy).faults)


def test_a_changed_digest_is_named(copy):
    known = json.loads((copy / FILE).read_text())
    entry = known["files"]["paper.md"]
    entry["sha256"] = "0" * 64
    (copy / FILE).write_text(json.dumps(known))
    (copy / "data/dice.csv").unlink()
    faults = verify(copy).faults
    assert f"{FILE}: was changed since it was written" in faults
    assert f"{FILE}: its entry for paper.md does not fit the file" in faults
    assert known["fingerprint"] != fingerprint(known)


def test_a_folder_of_another_version_and_no_folder_are_refused(copy, tmp_path, capsys):
    change(copy / FILE, '"samcarry": "', '"samcarry": "9')
    with pytest.raises(InputError, match=r"was written by samcarry 9.* verify it with the version"):
        verify(copy)
    assert main(["verify", str(tmp_path)]) == 1
    assert "has no digests.json" in capsys.readouterr().err
    (copy / FILE).write_text("{}")
    with pytest.raises(InputError, match="is damaged"):
        verify(copy)


def redigest(folder):
    write_digests(folder, json.loads((folder / FILE).read_text())["samcarry"])


def test_files_that_are_removed_or_added_together_with_their_digests_are_named(copy):
    gone = ("data/draws.csv", "tripod.html", "sources.csv", "sbom.cdx.json", "figures/ranks.png")
    for name in gone:
        (copy / name).unlink()
    (copy / "data/extra.csv").write_text("a,b\n1,2\n")
    redigest(copy)
    faults = verify(copy).faults
    for name in gone:
        assert f"{name}: is missing" in faults
    assert "data/extra.csv: was added; the run did not write it" in faults


def test_a_crate_that_does_not_describe_the_files_is_named_also_with_a_new_digest(copy):
    change(copy / "ro-crate-metadata.json", r'("contentSize": ")(\d)', r"\g<1>9\g<2>")
    redigest(copy)
    (fault,) = verify(copy).faults
    assert re.match(r"ro-crate-metadata\.json, line \d+ \(markup\): .* says 9\d+; recomputed: \d+$", fault)
    (copy / "ro-crate-metadata.json").write_text("{}")
    redigest(copy)
    assert verify(copy).faults == ["ro-crate-metadata.json: is damaged ('@graph')"]


def test_swapped_ends_of_an_interval_are_both_named_and_long_lines_show_the_difference(copy):
    row = pd.read_csv(copy / "data/table1.csv").set_index("method").loc["ours_r"]
    low, high = (f"{row[f'mean_{end}']:.1f}" for end in ("low", "high"))
    change(copy / "paper.md", rf"\({low} to {high}\)", f"({high} to {low})")
    change(copy / "claim.md", "random weights, from", "trained weights, from")
    interval, weights = sorted(verify(copy).faults, key=lambda fault: "claim.md" in fault)
    assert f"says {low}; recomputed: {high} (data/table1.csv" in interval
    assert f"says {high}; recomputed: {low} (data/table1.csv" in interval
    said, wanted = re.search(r'says "(.*)" instead of "(.*)"', weights).groups()
    assert "trained weights" in said
    assert "random weights" in wanted


def test_methods_swapped_in_a_sentence_and_a_changed_sign_are_named(copy):
    change(copy / "paper.md", r"^(.*) minus (.*): \+", r"\2 minus \1: +")
    change(copy / "index.html", r">\+(\d)", r">-\1")
    swapped, sign = sorted(verify(copy).faults, key=lambda fault: "index.html" in fault)
    assert "paper.md" in swapped
    assert "instead of" in swapped
    assert re.search(r"says -\d+\.\d; recomputed: \+\d+\.\d \(data/", sign)


def test_many_changed_lines_are_counted(copy):
    path = copy / "data/cases.csv"
    path.write_text(path.read_text().replace("patient-", "person-"))
    faults = [fault for fault in verify(copy).faults if fault.startswith("data/cases.csv")]
    assert len(faults) == 21
    assert faults[-1] == "data/cases.csv: 5 more lines differ"


@pytest.mark.parametrize("text", ["[]", '{"training_curves": []}', "not JSON", "null", "1"])
def test_damaged_descriptions_are_a_line_and_no_traceback(copy, text):
    (copy / "data/run.json").write_text(text)
    assert any(fault.startswith("data/: numbers cannot be recomputed") for fault in verify(copy).faults)


def test_dead_links_and_endless_cells_are_faults_and_no_traceback(copy):
    for name in ("paper.md", "data/dice.csv"):
        (copy / name).unlink()
        (copy / name).symlink_to("nothing")
    assert verify(copy).faults == ["data/dice.csv: is missing", "paper.md: is missing"]


def test_an_open_quotation_mark_in_a_long_table_is_a_fault(copy):
    path = copy / "sources.csv"
    path.write_text('"' + path.read_text() + "x" * 200_000)
    assert verify(copy).faults == ["sources.csv: has other rows or columns than follow from the data"]


def test_a_changed_version_is_not_taken_for_an_older_folder(copy):
    change(copy / FILE, '"samcarry": "', '"samcarry": "9')
    with pytest.raises(InputError, match=r"was written by samcarry 9.*digests\.json was changed since"):
        verify(copy)


def test_a_damaged_version_is_one_line(tmp_path):
    (tmp_path / "a.md").write_text("x")
    write_digests(tmp_path, "1\n2" * 100)
    with pytest.raises(InputError, match=r"was written by samcarry 1 21 2") as error:
        verify(tmp_path)
    assert len(str(error.value).splitlines()) == 1
