"""Runs of several data sets in one folder do not remove each other's locks."""

from snakemake.persistence.file import FilePersistence

from samcarry.pipeline.locks import keep_other_locks


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
