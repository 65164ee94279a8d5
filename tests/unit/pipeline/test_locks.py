"""Runs of several data sets in one folder do not remove each other's locks; folders of others are named."""

import os
from functools import partial

from snakemake.persistence.file import FilePersistence

from samcarry.pipeline.locks import keep_other_locks, places_not_writable
from support.ordinary_user import as_ordinary_user, folder_for_all


def run_in(folder):
    """What Snakemake has of a run in a folder."""
    run = object.__new__(type("Persistence", (FilePersistence,), {}))
    keep_other_locks(type(run))
    run._lockdir, run._lockfile = str(folder / "locks"), {}
    return run


def test_a_run_that_ends_keeps_the_locks_of_others_and_unlocking_removes_all(tmp_path):
    locks = tmp_path / "locks"
    locks.mkdir()
    one, other = run_in(tmp_path), run_in(tmp_path)
    for run, name in ((one, "one"), (other, "other")):
        run._write_locks("input", [f"{name}.png"])
        run._write_locks("output", [f"{name}.csv"])
    one._delete_locks()
    assert list(other._read_locks()) == [("input", "other.png"), ("output", "other.csv")]
    one._write_locks("input", ["one.png"])  # another run of the first data set, which is killed
    run_in(tmp_path)._delete_locks()
    assert not locks.exists()
    other._delete_locks()


def test_folders_that_may_not_be_written_are_named_one_line_each():
    with folder_for_all() as folder:
        for name in ("open", "closed", "hidden"):
            (folder / name).mkdir()
        (folder / "open").chmod(0o777)
        (folder / "closed").chmod(0o755)
        (folder / "hidden").chmod(0o700)
        places = [folder / "open/new", folder / "closed/mine", folder / "hidden/in/it", folder / "closed"]
        if os.getuid():  # whoever runs the tests owns them
            for name in ("closed", "hidden"):
                (folder / name).chmod(0o500)
        lines = as_ordinary_user(partial(places_not_writable, places))
    assert [line.partition(":")[0] for line in lines] == [str(folder / "closed"), str(folder / "hidden")]
    assert all("may not be written by" in line for line in lines)
