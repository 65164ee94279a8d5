"""Damaged files of every form end in lines that name the file: no traceback, no hang, no flood of memory."""

import pytest

from samcarry.errors import InputError
from support.fuzz_targets import TARGETS, sample
from support.fuzzing import Target, fuzz

# pycocotools 2.0.11 hands arrays to numpy 2 in an older way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

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
    ("parse", "told"),
    [
        (lambda path: 1 / 0, "raises ZeroDivisionError"),
        (lambda path: bytearray(10**11), "raises MemoryError"),
        (_allocate, "takes 0.2 GB"),
        (_refuse, "does not name the file"),
        (_hang, "SIGPROF (more than 1 s)"),
    ],
)
def test_what_parsers_must_not_do_is_found(tmp_path, monkeypatch, parse, told):
    monkeypatch.setattr("support.fuzzing.MOST_SECONDS", 1)
    monkeypatch.setattr("support.fuzzing.MOST_PEAK", 100_000_000)
    findings = fuzz(Target("bad", "a.txt", print, parse), b"some text", range(2), 0, tmp_path)
    assert [told in finding for finding in findings] == [True, True]
