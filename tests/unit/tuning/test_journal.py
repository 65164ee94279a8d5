"""A journal survives killed processes, and processes that share it do not disturb each other."""

import json
import multiprocessing
import os
import re
import signal
import threading
import time

import pytest

from samcarry.errors import InputError
from samcarry.tuning import journal as module
from support.tuning_study import DEFAULT, Counted, objective, run, start


def test_a_lock_left_by_a_killed_process_is_removed_at_once(undisturbed, tmp_path):
    run(tmp_path / "j", 10)
    (tmp_path / "j.lock").touch()
    begin = time.monotonic()
    assert run(tmp_path / "j") == undisturbed
    assert time.monotonic() - begin < module.LOCK_SECONDS / 2


@pytest.mark.filterwarnings("ignore:The value of `grace_period`")
def test_a_lock_left_by_another_process_only_delays_running_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_SECONDS", 1)
    left = []

    def killed_neighbour(settings):
        if not left:
            left.append((tmp_path / "j.lock").touch())
        return objective(settings)

    assert len(run(tmp_path / "j", 5, killed_neighbour)) == 5


def test_half_a_line_at_the_end_is_dropped(undisturbed, tmp_path):
    run(tmp_path / "j", 10)
    with (tmp_path / "j").open("ab") as stream:
        stream.write(b'{"op_code":4,"worker_id":"7f')
    assert run(tmp_path / "j") == undisturbed
    for line in (tmp_path / "j").read_text().splitlines():
        json.loads(line)


def test_trials_that_another_process_computes_are_left_alone(tmp_path):
    """A second process must not fail the trial that the first one computes."""
    started, go_on = threading.Event(), threading.Event()
    found = []

    def waits(settings):
        if settings != DEFAULT and not started.is_set():
            started.set()
            go_on.wait(60)
        return objective(settings)

    worker = threading.Thread(target=lambda: found.append(run(tmp_path / "j", 2, waits)))
    worker.start()
    assert started.wait(60)
    run(tmp_path / "j", 4)
    go_on.set()
    worker.join(60)
    assert found
    assert len(run(tmp_path / "j", 5, Counted(0))) == 5


def test_a_damaged_journal_is_an_error_of_one_line(tmp_path):
    run(tmp_path / "j", 3)
    (tmp_path / "j").write_text("no journal\n" * 3)
    with pytest.raises(InputError, match="damaged") as caught:
        run(tmp_path / "j", 3)
    assert "\n" not in str(caught.value)


def test_a_changed_digit_of_a_gain_is_noticed(tmp_path):
    run(tmp_path / "j", 3)
    text = (tmp_path / "j").read_text()
    place = re.search(r'"values":\[-?0\.(\d)', text).start(1)
    digit = str((int(text[place]) + 1) % 10)
    (tmp_path / "j").write_text(text[:place] + digit + text[place + 1 :])
    with pytest.raises(InputError, match="a line has changed since it was written"):
        run(tmp_path / "j", 3)


def test_a_journal_of_an_earlier_version_starts_again_with_a_note(undisturbed, tmp_path, caplog):
    run(tmp_path / "j", 10)
    lines = [json.loads(line) for line in (tmp_path / "j").read_text().splitlines()]
    old = [{key: value for key, value in line.items() if key != "sha256"} for line in lines]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in old)
    (tmp_path / "j").write_text(text)
    assert run(tmp_path / "j") == undisturbed
    assert "earlier version" in caplog.text


def test_the_trial_of_a_killed_process_does_not_count(undisturbed, tmp_path):
    journal = tmp_path / "j"
    queue = multiprocessing.get_context("fork").Queue()
    worker = start(journal, queue, pause=0.05)
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_bytes().count(b'"op_code":6') > 6):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    assert run(journal) == undisturbed
