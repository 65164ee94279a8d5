"""A file that was changed after its job had written it is noticed, and `sha256sum` agrees."""

import shutil
import subprocess

import pytest

from samcarry.errors import DamagedError
from samcarry.storage.checksums import (
    check,
    check_folder,
    check_names,
    checksum_file,
    seal_folder,
    write_checksums,
)
from samcarry.storage.files import sha256, write_text

ODD = ["a b.txt", "back\\slash", "line\nbreak", "carriage\rreturn", "\x85next line", "ünï-骨.txt", "-rf", "*"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A results folder with a sealed file and a sealed data set, relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "results/demo"
    write_text(root / "n3/dice.csv", "case,dice\na,0.5\n")
    for name in ("cases.csv", "images/0.png", "labels/0/x.png", "labels/0/y.png"):
        write_text(root / "phantom" / name, name)
    write_checksums([root / "n3/dice.csv", root / "phantom/cases.csv"], root)
    seal_folder(root / "phantom", root)
    return root


def test_a_file_that_is_unchanged_gives_its_digest(root):
    assert check(root / "n3/dice.csv", root) == sha256(root / "n3/dice.csv")
    assert check(root / "phantom/images/0.png", root) == sha256(root / "phantom/images/0.png")
    assert check("results/demo/n3/dice.csv") == sha256(root / "n3/dice.csv")
    check_folder(root / "phantom", root)
    check_names(root / "phantom/labels/0", root)
    check_names(root / "phantom/labels/unlabelled", root)


def fault(act, *arguments):
    with pytest.raises(DamagedError) as caught:
        act(*arguments)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("content", ["", "case,dice\na,0.6\n", "case,dice\na,0.5"])
def test_a_changed_file_is_noticed(root, content):
    (root / "n3/dice.csv").write_text(content)
    error = fault(check, "results/demo/n3/dice.csv")
    assert str(error) == "results/demo/n3/dice.csv: its content has changed since it was written"
    assert error.remake == "results/demo/n3/dice.csv"


def test_a_missing_file_is_noticed(root):
    (root / "n3/dice.csv").unlink()
    assert "there is no such file" in str(fault(check, root / "n3/dice.csv", root))


def test_a_file_that_no_job_has_finished_is_refused(root):
    write_text(root / "n3/summary.csv", "x")
    message = str(fault(check, "results/demo/n3/summary.csv"))
    assert "no finished job wrote this file" in message
    assert "results/demo/checksums/n3/summary.csv.sha256" in message
    assert "move it out of results/demo" in message


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"0" * 64 + b"  n3/other.csv\n", b"0" * 63])
def test_a_damaged_checksum_is_noticed(root, content):
    checksum_file(root / "n3/dice.csv", root).write_bytes(content)
    error = fault(check, root / "n3/dice.csv", root)
    assert "this checksum is damaged" in str(error)
    assert error.remake == str(root / "n3/dice.csv")


@pytest.mark.parametrize("act", [check, check_folder])
def test_a_changed_file_of_a_sealed_folder_is_noticed_and_its_rule_named(root, act):
    path = root / "phantom/images/0.png"
    path.write_text("another")
    error = fault(act, path if act is check else root / "phantom", root)
    assert str(error) == f"{path}: its content has changed since it was written"
    assert error.remake == str(root / "phantom/cases.csv")


@pytest.mark.parametrize("act", [check_folder, check_names])
def test_a_missing_and_an_added_file_of_a_sealed_folder_are_noticed(root, act):
    folder = root / ("phantom" if act is check_folder else "phantom/labels/0")
    (root / "phantom/labels/0/x.png").rename(root / "phantom/labels/0/z.png")
    assert "x.png: there is no such file" in str(fault(act, folder, root))
    (root / "phantom/labels/0/z.png").rename(root / "phantom/labels/0/x.png")
    (root / "phantom/labels/0/new.png").touch()
    error = fault(act, folder, root)
    assert "new.png: is not listed in" in str(error)
    assert error.remake == str(root / "phantom/cases.csv")


def test_an_added_file_is_also_refused_on_its_own(root):
    (root / "phantom/images/new.png").touch()
    assert "is not listed" in str(fault(check, root / "phantom/images/new.png", root))


def test_another_file_can_be_named_that_makes_a_folder_again(root):
    shutil.rmtree(root / "phantom/images")
    assert fault(check_folder, root / "phantom", root, "plans.json").remake == "plans.json"


def test_a_folder_that_is_not_sealed_is_refused(root):
    checksum_file(root / "phantom", root).unlink()
    fault(check_folder, root / "phantom", root)
    fault(check_names, root / "phantom/labels/0", root)


def test_hidden_files_of_a_folder_do_not_count(root):
    (root / "phantom/images/.DS_Store").touch()
    (root / "phantom/labels/0/.DS_Store").touch()
    check_folder(root / "phantom", root)
    check_names(root / "phantom/labels/0", root)


def test_a_list_that_changes_is_read_again(root):
    write_text(root / "phantom/images/0.png", "another")
    seal_folder(root / "phantom", root)
    check(root / "phantom/images/0.png", root)


@pytest.mark.parametrize("name", ODD)
def test_every_name_can_be_sealed_and_sha256sum_agrees(root, name):
    write_text(root / "odd" / name, "content")
    seal_folder(root / "odd", root)
    check(root / "odd" / name, root)
    write_checksums([root / "odd" / name], root)
    check(root / "odd" / name, root)
    for place in (checksum_file(root / "odd", root), checksum_file(root / "odd" / name, root)):
        done = subprocess.run(["sha256sum", "-c", str(place)], cwd=root, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
    (root / "odd" / name).write_text("changed")
    assert subprocess.run(["sha256sum", "-c", str(place)], cwd=root, check=False).returncode
