"""Progress: every item is yielded, and the log shows the time left now and then."""

import logging
import time

import pytest

from samcarry.runtime.progress import duration, progress


@pytest.fixture
def clock(monkeypatch):
    """A clock in seconds that stands still until it is moved."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def work(items, clock, seconds):
    """Spend `seconds` on each item; return the items in order."""
    done = []
    for item in progress(items, "refined"):
        clock[0] += seconds
        done.append(item)
    return done


def test_items_are_yielded_in_order(clock):
    assert work(["a", "b", "c"], clock, 1) == ["a", "b", "c"]


def test_the_time_left_is_estimated_from_the_pace_so_far(clock, caplog):
    with caplog.at_level(logging.INFO):
        work(range(4), clock, 20)
    assert caplog.messages[:2] == ["refined 1 of 4, 60 s left", "refined 2 of 4, 40 s left"]


def test_short_loops_log_only_their_end(clock, caplog):
    with caplog.at_level(logging.INFO):
        work(range(100), clock, 0.1)
    assert caplog.messages == ["refined 100 in 10 s"]


def test_a_long_loop_does_not_flood_the_log(clock, caplog):
    with caplog.at_level(logging.INFO):
        work(range(1000), clock, 1)
    assert 50 < len(caplog.messages) < 70


def test_an_empty_loop_is_logged_too(clock, caplog):
    with caplog.at_level(logging.INFO):
        assert work([], clock, 1) == []
    assert caplog.messages == ["refined 0 in 0 s"]


def test_items_of_unknown_number_are_yielded_without_a_time_left(clock, caplog):
    with caplog.at_level(logging.INFO):
        assert work(iter(range(3)), clock, 20) == [0, 1, 2]
    assert caplog.messages == ["refined 3 in 60 s"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (42.4, "42 s"), (89, "89 s"), (90, "2 min"), (420, "7 min"), (11520, "3.2 h")],
)
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text
