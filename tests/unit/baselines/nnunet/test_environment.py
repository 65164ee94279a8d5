"""nnU-Net's environment: variables before its import, and its printed output."""

import logging
import os

import pytest

from samcarry.baselines.nnunet.environment import Plan, import_variables, set_environment, silence_nnunet
from samcarry.errors import InputError


def test_folders_and_numbers_of_workers_are_set(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    set_environment(tmp_path / "plan", tmp_path / "work", threads=3, workers=2)
    assert os.environ == {
        **import_variables(3),
        "nnUNet_raw": str(tmp_path / "plan/raw"),
        "nnUNet_preprocessed": str(tmp_path / "plan/preprocessed"),
        "nnUNet_results": str(tmp_path / "work"),
        "nnUNet_n_proc_DA": "2",
    }
    assert import_variables(3)["nnUNet_def_n_proc"] == "3"


def test_the_classes_of_a_plan_are_in_the_order_of_the_outputs():
    assert Plan({}, {"samcarry": {"classes": ["b", "a"]}}).classes == ("b", "a")


def test_printed_output_is_captured(capsys):
    with silence_nnunet():
        print("a banner")
    assert capsys.readouterr().out == ""


@silence_nnunet()
def fail_after_printing(text, error):
    print(text)
    raise error


def test_the_last_output_is_logged_after_an_unexpected_error(caplog):
    with pytest.raises(RuntimeError, match="broken"):
        fail_after_printing("x" * 5000 + "the end", RuntimeError("broken"))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.message.endswith("the end\n")
    assert len(record.message) < 2100


def test_an_input_error_is_raised_without_the_output(caplog):
    with pytest.raises(InputError, match="fix it"):
        fail_after_printing("a banner", InputError("fix it"))
    assert caplog.records == []
