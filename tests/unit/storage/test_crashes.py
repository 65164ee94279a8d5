"""Every call of every writer fails once: the old or the new file is there, and a repeat mends everything."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from samcarry.errors import DamagedError
from samcarry.images.grey import write_grey
from samcarry.storage import disk
from samcarry.storage.checksums import check, check_folder, seal_folder, write_checksums
from samcarry.storage.disk import clear_leftovers
from samcarry.storage.files import atomic, write_text
from samcarry.storage.frames import write_frame
from samcarry.storage.model_files import write_model
from samcarry.storage.stacks import Stack, write_stack
from samcarry.storage.states import write_state
from samcarry.storage.tables import write_table
from support.faulty_disk import (
    CRASHES,
    FAULTS,
    SHORT,
    Crash,
    after_power_cut,
    faulty_disk,
    files_in,
    lay_out,
)

# A crash leaves files open.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def text(root, version):
    write_text(root / "new/deep/a.txt", f"text {version}\n" * 3)


def table(root, version):
    write_table(root / "t.csv", ("case", "n"), [("a", version), ("b", 2)])


def frame(root, version):
    write_frame(root / "f.csv", pd.DataFrame({"case": ["a"], "dice": [version]}))


def stack(root, version):
    values = np.full((2, 3, 4), version, np.uint8)
    write_stack(root / "s.nii.gz", Stack(values, "image", ("a", "b")))


def model(root, version):
    write_model(root / "model.safetensors", {"a": torch.full((3,), float(version))}, {"classes": ["x"]})


def state(root, version):
    write_state(root / "checkpoint.pt", lambda stream: torch.save({"done": version}, stream))


def image(root, version):
    write_grey(root / "a.png", np.full((4, 4), version, np.uint8))


def folder(root, version):
    with atomic(root / "set") as private:
        (private / "images").mkdir(parents=True)
        write_text(private / f"images/{version}.txt", f"image {version}")
        (private / "cases.csv").write_text(f"cases {version}")


def two_files(root, version):
    """What a job does: two outputs, then their checksums."""
    write_text(root / "x/a.txt", f"a {version}")
    write_table(root / "b.csv", ("n",), [(version,)])
    write_checksums([root / "x/a.txt", root / "b.csv"], root)


def data_set(root, version):
    """What the job of a rule that makes a data set does."""
    folder(root, version)
    seal_folder(root / "set", root)
    write_checksums([root / "set/cases.csv"], root)


ONE_OUTPUT = (text, table, frame, stack, model, state, image, folder)
JOBS = (two_files, data_set)
OLD, NEW = 1, 2


def without_hidden(files):
    """The files that readers find."""
    return {name: content for name, content in files.items() if "/." not in f"/{name}"}


def written(write, root, version):
    """The files that a writer leaves if nothing goes wrong; nothing for version 0."""
    lay_out(root, {})
    if version:
        write(root, version)
    return files_in(root)


def repeat(write, root):
    """A normal run afterwards: leftovers are removed, as `job.py` does, and everything is written."""
    for below in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        clear_leftovers(below)
    write(root, NEW)


def calls_of(write, root, before):
    lay_out(root, before)
    with faulty_disk(root) as faulty:
        write(root, NEW)
    return faulty.calls


@pytest.fixture
def in_two_steps(monkeypatch):
    """A file system that cannot exchange folders."""
    monkeypatch.setattr(disk, "_rename_at_once", lambda private, path, flag: False)


def attempt(write: Callable[[Path, int], None], root: Path, fault: str, at: int) -> bool:
    """Let a writer write the new version on a disk with one fault; whether it ended well."""
    with faulty_disk(root, fault, at) as faulty:
        try:
            write(root, NEW)
        except Crash:
            assert fault in CRASHES
        except OSError:
            assert fault not in (SHORT, *CRASHES)
        else:
            assert not faulty.dead
            return True
    return False


@pytest.mark.parametrize("first", [0, OLD], ids=["nothing before", "an old one before"])
@pytest.mark.parametrize("write", ONE_OUTPUT, ids=lambda write: write.__name__)
def test_a_file_is_old_or_new_after_any_fault_and_a_repeat_leaves_only_the_new_one(tmp_path, write, first):
    root = tmp_path / "root"
    old, new = written(write, root, first), written(write, root, NEW)
    calls = calls_of(write, root, old)
    assert any(call.startswith("fsync") for call in calls)
    assert any(call.startswith(("replace", "rename", "_rename_at_once")) for call in calls)
    for fault in FAULTS:
        for at in range(len(calls)):
            lay_out(root, old)
            ended_well = attempt(write, root, fault, at)
            found = without_hidden(files_in(root))
            assert found in ([new] if ended_well else [old, new]), (fault, at, calls[at])
            repeat(write, root)
            assert files_in(root) == new, (fault, at, calls[at])


@pytest.mark.usefixtures("in_two_steps")
def test_without_an_exchange_of_folders_an_old_one_is_at_least_beside_its_name(tmp_path):
    root = tmp_path / "root"
    old, new = written(folder, root, OLD), written(folder, root, NEW)
    for fault in FAULTS:
        for at in range(len(calls_of(folder, root, old))):
            lay_out(root, old)
            ended_well = attempt(folder, root, fault, at)
            found = files_in(root)
            aside = {f"set/{name.split('.old/')[1]}": text for name, text in found.items() if ".old/" in name}
            assert without_hidden(found) in ([new] if ended_well else [old, new]) or (
                fault in CRASHES and not without_hidden(found) and aside == old
            ), (fault, at)
            repeat(folder, root)
            assert files_in(root) == new


@pytest.mark.parametrize("first", [0, OLD], ids=["nothing before", "an old one before"])
@pytest.mark.parametrize("write", JOBS, ids=lambda write: write.__name__)
def test_what_a_job_leaves_after_any_fault_is_old_new_or_noticed(tmp_path, write, first):
    root = tmp_path / "root"
    old, new = written(write, root, first), written(write, root, NEW)
    calls = calls_of(write, root, old)
    for fault in ("EIO", "ENOSPC", *CRASHES):
        for at in range(len(calls)):
            lay_out(root, old)
            attempt(write, root, fault, at)
            assert_noticed(root, old, new)
            repeat(write, root)
            assert files_in(root) == new, (fault, at, calls[at])


@pytest.mark.parametrize("first", [0, OLD], ids=["nothing before", "an old one before"])
@pytest.mark.parametrize("write", ONE_OUTPUT, ids=lambda write: write.__name__)
def test_a_file_is_old_or_new_after_a_power_cut(tmp_path, write, first):
    root = tmp_path / "root"
    old, new = written(write, root, first), written(write, root, NEW)
    lay_out(root, old)
    with faulty_disk(root) as faulty:
        write(root, NEW)
    seen = set()
    for done, found in after_power_cut(faulty, old):
        found = without_hidden(found)
        assert found in (old, new), (done, faulty.calls)
        seen.add(found == new)
    assert found == new, "a power cut after the end undoes the work"
    assert seen == {True, False}


@pytest.mark.parametrize("first", [0, OLD], ids=["nothing before", "an old one before"])
@pytest.mark.parametrize("write", JOBS, ids=lambda write: write.__name__)
def test_what_a_job_leaves_after_a_power_cut_is_old_new_or_noticed(tmp_path, write, first):
    root = tmp_path / "root"
    old, new = written(write, root, first), written(write, root, NEW)
    lay_out(root, old)
    with faulty_disk(root) as faulty:
        write(root, NEW)
    states = {tuple(sorted(found.items())) for _, found in after_power_cut(faulty, old)}
    assert len(states) > 5
    for found in states:
        lay_out(root, dict(found))
        assert_noticed(root, old, new)
        repeat(write, root)
        assert files_in(root) == new
    *_, (_, last) = after_power_cut(faulty, old)
    assert without_hidden(last) == new, "Snakemake has recorded the end of a job that a power cut undoes"


def assert_noticed(root, old, new):
    """Each output is the old or the new one, or its check says what is wrong."""
    for name in {*old, *new}:
        if name.startswith("checksums/"):
            continue
        try:
            check(root / name, root)
        except DamagedError:
            continue
        assert (root / name).read_bytes() in (old.get(name), new.get(name)), name
    if (root / "set").exists():
        try:
            check_folder(root / "set", root)
        except DamagedError:
            return
        found = {name: text for name, text in files_in(root).items() if name.startswith("set/")}
        assert found in [{n: t for n, t in files.items() if n.startswith("set/")} for files in (old, new)]


def test_the_power_cuts_of_a_careless_writer_are_noticed(tmp_path):
    """The model itself: a rename without fsync can leave an empty file, and a folder can forget it."""
    root = tmp_path / "root"
    lay_out(root, {"a": b"old"})
    with faulty_disk(root) as faulty:
        (root / "b").write_text("new")
        (root / "b").replace(root / "a")
    states = [found for _, found in after_power_cut(faulty, {"a": b"old"})]
    assert {"a": b"old"} in states
    assert {"a": b""} in states
    assert {"a": b"old", "b": bytes(20)} in states
    shutil.rmtree(root)
