"""What a job checks before, and seals after."""

import base64
import shutil
from pathlib import Path

import pytest
from snakemake.persistence.file import FilePersistence

from samcarry.errors import DamagedError, InputError
from samcarry.pipeline.ledger import (
    DATA_SETS,
    check_input,
    clear_leftovers_of,
    remove_unsealed,
    seal_outputs,
    seal_unsealed,
    unfinished_files,
    unknown_results,
    versions_of,
)
from samcarry.pipeline.remedies import with_remedy
from samcarry.storage import disk
from samcarry.storage.checksums import checksum_file
from samcarry.storage.files import sha256, write_text
from support.paths import ROOT

RESULTS = "results/demo"


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def made(name, text="x"):
    """An output of a finished job."""
    path = f"{RESULTS}/{name}"
    before = versions_of([path])
    write_text(path, text)
    seal_outputs([path], before, RESULTS)
    return path


def test_an_input_of_a_finished_job_is_accepted_until_it_changes(tmp_path):
    path = made("n3/dice.csv")
    assert check_input(path, RESULTS) == sha256(path)
    (tmp_path / path).write_text("y")
    with pytest.raises(DamagedError, match="has changed"):
        check_input(path, RESULTS)


def test_files_of_the_user_need_no_checksum_and_a_missing_one_is_no_damage(tmp_path):
    (tmp_path / "data.png").write_text("x")
    assert check_input("data.png", RESULTS) == sha256("data.png")
    with pytest.raises(InputError, match=r"none\.png: there is no such file") as caught:
        check_input("none.png", RESULTS)
    assert not isinstance(caught.value, DamagedError)


@pytest.mark.parametrize("name", ["corrected.xml", "annotations.xml", "images.zip"])
def test_a_person_may_add_and_change_files_of_a_task_but_not_its_list_of_cases(tmp_path, name):
    path = made(f"review/task-1/{name}")
    (tmp_path / path).write_text("corrected")
    assert check_input(path, RESULTS) == sha256(path)
    path = made("review/task-1/cases.csv")
    (tmp_path / path).write_text("corrected")
    with pytest.raises(DamagedError):
        check_input(path, RESULTS)


@pytest.mark.parametrize("name", DATA_SETS)
def test_the_cases_of_a_data_set_stand_for_all_its_files(tmp_path, name):
    write_text(f"{RESULTS}/{name}/images/0.png", "image")
    cases = made(f"{name}/cases.csv")
    check_input(cases, RESULTS)
    check_input(f"{RESULTS}/{name}/images/0.png", RESULTS)
    (tmp_path / f"{RESULTS}/{name}/images/0.png").write_text("another")
    with pytest.raises(DamagedError, match=r"0\.png: its content has changed") as caught:
        check_input(cases, RESULTS)
    assert f"Delete {RESULTS}/{name}/cases.csv and run `snakemake {cases} all`" in with_remedy(caught.value)


def test_a_data_set_whose_list_is_gone_is_made_again_by_its_rule():
    write_text(f"{RESULTS}/phantom/images/0.png", "image")
    made("phantom/cases.csv")
    checksum_file(f"{RESULTS}/phantom", RESULTS).unlink()
    for name in ("images/0.png", "cases.csv"):
        with pytest.raises(DamagedError) as caught:
            check_input(f"{RESULTS}/phantom/{name}", RESULTS)
        assert caught.value.remake == f"{RESULTS}/phantom/cases.csv"


def test_results_of_an_earlier_version_can_be_sealed_and_damaged_ones_are_not(tmp_path):
    changed = made("n3/dice.csv")
    (tmp_path / changed).write_text("changed")
    for name in ("manifest.csv", "phantom/cases.csv", "phantom/images/0.png", "logs/a.log", "n3/.hidden"):
        write_text(f"{RESULTS}/{name}", "x")
    assert len(seal_unsealed(RESULTS)) == 3
    for name in ("manifest.csv", "phantom/cases.csv", "phantom/images/0.png"):
        check_input(f"{RESULTS}/{name}", RESULTS)
    with pytest.raises(DamagedError):
        check_input(changed, RESULTS)
    assert seal_unsealed(RESULTS) == []


def test_the_data_sets_are_those_that_rules_declare():
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert all(f'"results/{{dataset}}/{name}/cases.csv"' in rules for name in DATA_SETS)


def test_a_file_that_a_job_has_only_kept_keeps_its_checksum(tmp_path):
    path = made("review/task-1/cases.csv")
    (tmp_path / path).write_text("damaged")
    seal_outputs([path], versions_of([path]), RESULTS)
    with pytest.raises(DamagedError):
        check_input(path, RESULTS)


def test_a_file_that_is_written_again_with_the_same_content_gets_its_checksum_again(tmp_path):
    """A job was killed between a file and its checksum; the next one writes the same."""
    path = made("manifest.csv", "old")
    write_text(path, "new")
    made("manifest.csv", "new")
    check_input(path, RESULTS)


def test_a_kept_file_without_a_checksum_gets_one():
    write_text(f"{RESULTS}/a.csv", "x")
    seal_outputs([f"{RESULTS}/a.csv"], versions_of([f"{RESULTS}/a.csv"]), RESULTS)
    check_input(f"{RESULTS}/a.csv", RESULTS)


def test_leftovers_beside_outputs_their_folder_and_their_checksums_are_removed(tmp_path, monkeypatch):
    output = f"{RESULTS}/annotated/cases.csv"
    places = [
        tmp_path / output,
        tmp_path / RESULTS / "annotated",
        tmp_path / checksum_file(output, RESULTS),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_start_of", lambda number: 1)
        left = [disk.private_name(place) for place in places]
    for path in left:
        path.mkdir(parents=True)
    assert sorted(tmp_path / path for path in clear_leftovers_of([output], RESULTS)) == sorted(left)
    shutil.rmtree(tmp_path / RESULTS)
    assert clear_leftovers_of([output], RESULTS) == []


def test_the_remedy_of_a_missing_file_does_not_ask_to_delete_it():
    error = DamagedError(f"{RESULTS}/a b.csv", "there is no such file")
    assert f"there is no such file. Run `snakemake '{RESULTS}/a b.csv' all`" in with_remedy(error)
    assert with_remedy(InputError("data.png: is empty")) == "data.png: is empty"


def mark(*paths):
    """Mark files as Snakemake does while a job writes them."""
    marks = Path(".snakemake/incomplete")
    marks.mkdir(parents=True, exist_ok=True)
    for path in paths:
        (marks / base64.b64encode(path.encode(), altchars=b"-_").decode()).write_text("")


def test_files_that_are_being_written():
    assert unfinished_files() == []
    mark("results/mine/a.gz")
    assert unfinished_files() == ["results/mine/a.gz"]


def test_files_of_a_killed_job_that_were_never_sealed_are_removed_and_all_others_kept():
    sealed, changed, unmarked = made("n3/sealed.csv"), made("n3/changed.csv"), f"{RESULTS}/n3/unmarked.csv"
    unsealed, other = f"{RESULTS}/n3/unsealed.csv", "results/other/n3/unsealed.csv"
    for path in (unsealed, other, changed, unmarked):
        write_text(path, "written by a job that was killed then")
    mark(sealed, changed, unsealed, other, f"{RESULTS}/n3/not-yet.csv")
    assert [str(path) for path in remove_unsealed(RESULTS)] == [unsealed]
    assert [Path(path).exists() for path in (sealed, changed, unmarked, other, unsealed)] == [1, 1, 1, 1, 0]


@pytest.mark.parametrize("dataset", ["demo", "d" * 200])
def test_results_without_a_record_of_how_they_were_made_are_noticed(tmp_path, dataset):
    manifest, snakemake = f"results/{dataset}/manifest.csv", tmp_path / ".snakemake"
    known = object.__new__(type("Persistence", (FilePersistence,), {"_max_len": None}))
    assert unknown_results(manifest) == ""  # there are no results yet
    write_text(manifest, "x")
    assert f"results/{dataset}: Snakemake does not know" in unknown_results(manifest)
    for kind in ("metadata", "incomplete"):  # known, and of a job that was killed before that
        (snakemake / kind).mkdir(parents=True)
        record = Path(known._record_path(str(snakemake / kind), manifest))
        record.parent.mkdir(parents=True, exist_ok=True)
        record.touch()
        assert unknown_results(manifest) == ""
        record.unlink()
        assert unknown_results(manifest)
