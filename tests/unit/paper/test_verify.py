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
    changed = re.sub(pattern, by, text, count=1)
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
