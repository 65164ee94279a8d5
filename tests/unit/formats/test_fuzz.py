"""Damaged files of every format are refused by name: no traceback, no hang, no excessive memory."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from samcarry.errors import InputError
from support.fuzz_targets import TARGETS, sample
from support.fuzzing import Target, fuzz
from support.paths import ROOT

MUTATIONS = 200


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_damaged_files_are_read_or_refused_by_name(tmp_path, target):
    content = sample(target, tmp_path / "sample")
    assert fuzz(target, content, range(MUTATIONS), 0, tmp_path / "mutants") == []


PLANTED = """
import fuzz_guided
from support.fuzzing import Target

def parse(path):
    if path.read_bytes()[:1] == b"!":
        raise ZeroDivisionError

def make(path):
    path.write_bytes(b"some text")

fuzz_guided.BY_NAME["planted"] = Target("planted", "a.txt", make, parse)
fuzz_guided.main()
"""


@pytest.mark.skipif(find_spec("atheris") is None, reason="NO ATHERIS FOR THIS MACHINE: no guided fuzzing")
def test_guided_fuzzing_finds_a_planted_fault(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PLANTED, "-runs=1000000", "-seed=1"],
        cwd=tmp_path,
        env={**os.environ, "FUZZ_PARSER": "planted", "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT / 'scripts'}"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert "planted: raises ZeroDivisionError" in done.stderr + done.stdout
    (crash,) = tmp_path.glob("crash-*")
    assert crash.read_bytes()[:1] == b"!"


def _refuse(path):
    raise InputError("something is wrong")


def _allocate(path):
    len(b"x" * 200_000_000)


def _hang(path):
    while True:
        pass


@pytest.mark.parametrize(
    ("parse", "message"),
    [
        (lambda path: 1 / 0, "raises ZeroDivisionError"),
        (lambda path: bytearray(10**11), "raises MemoryError"),
        (_allocate, "takes 0.2 GB"),
        (_refuse, "does not name the file"),
        (_hang, "SIGPROF (more than 1 s)"),
    ],
)
def test_forbidden_behaviour_of_parsers_is_found(tmp_path, monkeypatch, parse, message):
    monkeypatch.setattr("support.fuzzing.MOST_SECONDS", 1)
    monkeypatch.setattr("support.fuzzing.MOST_PEAK", 100_000_000)
    findings = fuzz(Target("bad", "a.txt", print, parse), b"some text", range(2), 0, tmp_path)
    assert [message in finding for finding in findings] == [True, True]
