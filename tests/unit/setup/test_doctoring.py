"""samcarry doctor: what a run needs of this machine."""

import os
import subprocess

import psutil
import pytest

from samcarry.sam.folders import digest_of_checkpoint
from samcarry.setup import doctoring, hardware
from samcarry.setup.doctoring import examine
from samcarry.setup.hardware import Hardware, find_hardware
from samcarry.storage.files import sha256
from support.paths import ROOT

HERE = Hardware((), 2, 24.0, 100.0)


def config(file, digest):
    return {"training": {"threads": 8}, "sam": {"models": {"sam": {"file": str(file), "sha256": digest}}}}


def test_a_good_machine(tmp_path):
    file = tmp_path / "sam"
    file.write_bytes(b"weights")
    lines, faults = examine(config(file, sha256(file)), ROOT, HERE)
    assert faults == []
    assert any("no GPU, 2 CPUs" in line for line in lines)
    assert any("SHA-256 as in the config" in line for line in lines)
    assert any(line.startswith("SLURM: ") for line in lines)
    assert any("fewer than training.threads" in line for line in lines)


def test_missing_and_other_checkpoints_and_a_full_disk_are_faults(tmp_path):
    file = tmp_path / "sam"
    full = Hardware((("A card", 11.0),), 2, 24.0, 0.5)
    _, faults = examine(config(file, None), tmp_path, full)
    assert [fault.split(":")[0] for fault in faults] == ["disk", "checkpoint sam", str(tmp_path)]
    file.write_bytes(b"weights")
    assert "another SHA-256" in examine(config(file, "0" * 64), ROOT, HERE)[1][0]
    assert any("not checked" in line for line in examine(config(file, None), ROOT, HERE)[0])


def test_the_digest_of_a_model_folder_is_that_of_all_its_files(tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes(name.encode())
    file = tmp_path / "config.json"
    lines, faults = examine(config(file, digest_of_checkpoint(file)), ROOT, HERE)
    assert faults == []
    assert any("SHA-256 as in the config" in line for line in lines)
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    assert "another SHA-256" in examine(config(file, sha256(file)), ROOT, HERE)[1][0]


def test_gpus_are_those_that_nvidia_smi_lists(monkeypatch):
    monkeypatch.setattr(hardware.shutil, "which", lambda name: name)
    done = subprocess.CompletedProcess([], 0, "NVIDIA H100, 81559\nbroken\n", "")
    monkeypatch.setattr(hardware.subprocess, "run", lambda *_, **__: done)
    (gpu,) = find_hardware().gpus
    assert gpu[0] == "NVIDIA H100"
    assert 85 < gpu[1] < 86

    def fails(*_, **__):
        raise OSError

    monkeypatch.setattr(hardware.subprocess, "run", fails)
    assert find_hardware().gpus == ()
    assert "does not answer" in doctoring._slurm()
    assert "not known" in doctoring._torch()


def test_the_memory_is_known_where_proc_is_hidden(monkeypatch):
    """As in containers, in which the machine had 0 GB."""
    expected = psutil.virtual_memory().total / 1e9
    read = hardware.Path.read_text

    def hidden(path, *arguments, **options):
        if path.is_relative_to("/proc"):
            raise PermissionError(path)
        return read(path, *arguments, **options)

    monkeypatch.setattr(hardware.Path, "read_text", hidden)
    assert hardware._memory(hardware.Path("/none")) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max\n", 80.0), ("2000000000\n", 2.0), ("9223372036854771712\n", 80.0), ("", 80.0)],
)
def test_the_memory_of_a_container_counts(monkeypatch, tmp_path, text, expected):
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 20_000_000, "SC_PAGE_SIZE": 4000}.get)
    (tmp_path / "memory.max").write_text(text)
    assert hardware._memory(tmp_path / "memory.max") == expected


@pytest.mark.parametrize(
    ("memory", "expected"),
    [(24.02, "24.0 GB of memory"), (0.5, "0.5 GB of memory"), (0.0, "memory not known")],
)
def test_no_machine_has_0_gb_of_memory(memory, expected):
    assert str(Hardware((), 2, memory, 100.0)) == f"no GPU, 2 CPUs, {expected}"
