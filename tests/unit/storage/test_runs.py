"""A job of an earlier run writes nothing, and the earlier run ends."""

import os
import subprocess
import sys
import time

import pytest

from samcarry.errors import InputError
from samcarry.storage import runs
from support.paths import ROOT


@pytest.fixture(autouse=True)
def a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "_joined", [])
    monkeypatch.setattr(runs, "_SECONDS", 0.01)
    monkeypatch.setenv(runs._RUN, "")  # so that it is restored after the test
    monkeypatch.delenv(runs._RUN)


def test_without_a_run_everything_may_be_written(tmp_path):
    runs.join_run("demo")
    runs.check_run(tmp_path / "file")


def test_a_job_writes_as_long_as_its_run_is_the_newest(monkeypatch):
    runs.announce_run(is_main=True, dataset="demo", config={"n": 3})
    runs.claim_results("demo")
    runs.join_run("demo")
    runs.check_run("results/demo/dice.csv")
    earlier = os.environ[runs._RUN]
    runs.announce_run(is_main=True, dataset="demo", config={"n": 3})
    assert os.environ[runs._RUN] != earlier
    runs.claim_results("demo")
    monkeypatch.setenv(runs._RUN, earlier)
    with pytest.raises(InputError, match=r"^results/demo/dice.csv: a newer run .* has started"):
        runs.check_run("results/demo/dice.csv")


def test_a_run_of_another_data_set_is_no_newer_run():
    runs.announce_run(is_main=True, dataset="demo", config={"n": 3})
    runs.claim_results("demo")
    runs.join_run("demo")
    mine = os.environ[runs._RUN]
    runs.announce_run(is_main=True, dataset="wrist", config={"n": 3})
    runs.claim_results("wrist")
    os.environ[runs._RUN] = mine
    runs.check_run("results/demo/dice.csv")


def test_a_cluster_job_belongs_to_the_run_that_submitted_it(monkeypatch):
    """Also where the cluster does not pass the environment on."""
    runs.announce_run(is_main=True, dataset="demo", config={"n": 3})
    runs.claim_results("demo")
    token = os.environ[runs._RUN]
    runs.announce_run(is_main=False, dataset="demo", config={"n": 3})
    assert os.environ[runs._RUN] == token
    monkeypatch.delenv(runs._RUN)
    runs.announce_run(is_main=False, dataset="demo", config={"n": 3})
    assert os.environ[runs._RUN] == token


@pytest.mark.parametrize("passed_on", [True, False])
def test_a_cluster_job_stops_if_the_config_was_edited_since_its_run_started(monkeypatch, passed_on):
    runs.announce_run(is_main=True, dataset="demo", config={"n": 3})
    runs.claim_results("demo")
    if not passed_on:
        monkeypatch.delenv(runs._RUN)
    with pytest.raises(InputError, match="config: was edited after this run had started"):
        runs.announce_run(is_main=False, dataset="demo", config={"n": 4})


def test_a_cluster_job_that_a_person_starts_alone_has_no_run():
    runs.announce_run(is_main=False, dataset="demo", config={"n": 4})


EARLIER = """
import time
from samcarry.storage import runs

runs._SECONDS = 0.01
runs.announce_run(is_main=True, dataset="demo", config={"n": 3})
runs.claim_results("demo")
runs.watch_claim("demo")
print("claimed", flush=True)
time.sleep(60)
"""


def test_a_run_ends_at_once_when_a_newer_one_claims_its_results():
    earlier = subprocess.Popen(
        [sys.executable, "-c", EARLIER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
    )
    assert earlier.stdout.readline() == "claimed\n"
    time.sleep(0.2)
    assert earlier.poll() is None
    runs.announce_run(is_main=True, dataset="demo", config={"n": 3})
    runs.claim_results("demo")
    _, message = earlier.communicate(timeout=30)
    assert earlier.returncode == 1
    assert message == "Stopped, because a newer run of this data set has started.\n"
