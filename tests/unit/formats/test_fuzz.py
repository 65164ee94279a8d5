"""Damaged files of every format are refused by name: no traceback, no hang, no excessive memory."""

import pytest

from samcarry.errors import InputError
from support.fuzz_targets import TARGETS, sample
from support.fuzzing import Target, fuzz

MUTATIONS = 200


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_damaged_files_are_read_or_refused_by_name(tmp_path, target):
    content = sample(target, tmp_path / "sample")
    assert fuzz(target, content, range(MUTATIONS), 0, tmp_path / "mutants") == []


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
