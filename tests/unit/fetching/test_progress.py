import logging
import sys

import pytest

from samcarry.fetching.progress import saying


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO)
    return caplog


def test_a_log_gets_ten_lines_whatever_the_size(log):
    say = saying("sam.pth")
    for done in range(0, 2_600_000_001, 1_000_000):
        say(done, 2_600_000_000)
    assert len(log.records) == 10
    assert log.records[-1].getMessage().startswith("sam.pth: 2600.0 of 2600.0 MB")
    assert not hasattr(log.records[0], "in_file_only")


def test_a_file_of_unknown_size_gets_a_line_every_100_megabytes(log):
    say = saying("sam.pth")
    for done in range(0, 250_000_000, 1_000_000):
        say(done, None)
    assert [record.getMessage() for record in log.records] == ["sam.pth: 100.0 MB", "sam.pth: 200.0 MB"]


def test_a_terminal_gets_one_line_that_is_rewritten(log, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    say = saying("sam.pth")
    for done in range(0, 101):
        say(done * 10_000, 1_000_000)
    out = capsys.readouterr().err
    assert out.endswith("sam.pth: 1.0 of 1.0 MB, about 0 s left\n")
    assert out.count("\n") == 1
    assert all(record.in_file_only for record in log.records)
