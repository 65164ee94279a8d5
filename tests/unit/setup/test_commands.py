"""The commands samcarry status and doctor as a user calls them, and where the workflow is found."""

import pytest

from samcarry.cli import main
from samcarry.setup import commands, doctoring, progress
from samcarry.setup.hardware import Hardware
from support.paths import ROOT

CPU = Hardware((), 2, 24.0, 100.0)


@pytest.fixture
def here(monkeypatch):
    monkeypatch.chdir(ROOT)
    return monkeypatch


def test_status_is_that_of_the_demo_without_a_config(here, capsys):
    asked = []

    def plan(files, root):
        asked.append((files, root))
        return {"train_f_theta": 2}, False

    here.setattr(progress, "plan", plan)
    assert main(["status"]) == 0
    assert asked == [([], ROOT)]
    assert capsys.readouterr().out.startswith("demo: ")


def test_status_of_a_wrong_config_is_its_faults(here, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("preset: none\nn: x\n")
    assert main(["status", "--configfile", str(tmp_path / "c.yaml")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 3
    assert all(line.startswith("config: ") for line in lines)


def test_doctor_reports_missing_checkpoints_once(here, tmp_path, capsys):
    here.setattr(doctoring, "find_hardware", lambda: CPU)
    assert main(["doctor"]) == 0
    capsys.readouterr()
    assert main(["doctor", "--configfile", "config/wrist.yaml"]) == 1
    out = capsys.readouterr().out
    assert out.count("sam_vit_h_4b8939.pth") == 1
    assert "sam_vit_h_4b8939.pth is missing; a run that needs it fetches it" in out
    assert "fault: checkpoint medsam" in out


def test_data_that_a_run_fetches_are_no_fault(here, capsys):
    assert main(["check", "--configfile", "config/wrist.yaml"]) == 0
    assert "the data set is not there yet, a run fetches it" in capsys.readouterr().out


def test_the_workflow_is_that_of_the_current_folder_or_of_the_library(here, tmp_path, monkeypatch, capsys):
    assert commands._root() == ROOT
    monkeypatch.chdir(tmp_path)
    assert commands._root() == commands.ROOT
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    assert main(["check"]) == 1
    assert "run this command in a clone" in capsys.readouterr().err


def test_the_demo_needs_no_look_at_data(here, capsys):
    assert main(["check"]) == 0
    assert "0 faults" in capsys.readouterr().out
