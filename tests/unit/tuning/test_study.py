"""The study: same trials for the same seed, whatever happens on the way, and nothing scored twice."""

import json
import multiprocessing
import os
import signal
import threading
import time

import pytest

from samcarry.errors import InputError
from samcarry.prompting.cleaning import CleaningSettings
from samcarry.tuning import study as module
from samcarry.tuning.search_spaces import sam_space
from samcarry.tuning.study import Tried, best, tune

SPACE = sam_space(CleaningSettings("dilation", "square", 2), "box", "pos+neg", 8)
DEFAULT = {"first": "box", "second": "pos+neg", "operation": "dilation", "element": "square", "radius": 2}


def gain(settings):
    """Best at a dilation by a star of radius 5 with a mask alone as second prompt."""
    wrong = [settings["second"] != "mask", settings["element"] != "star"]
    sign = {"none": 0, "dilation": 1, "erosion": -1}[settings["operation"]]
    return -0.1 * sum(wrong) - abs(sign * settings["radius"] - 5) / 50


class Counted:
    def __init__(self, limit=None):
        self.asked, self.limit = [], limit

    def __call__(self, settings):
        if len(self.asked) == self.limit:
            raise KeyboardInterrupt
        self.asked.append(tuple(settings.items()))
        return gain(settings)


def run(journal, trials=24, score=gain, name="a", seed=3):
    return tune(journal, name, SPACE, score, trials, seed)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return run(tmp_path_factory.mktemp("undisturbed") / "j")


def test_the_settings_of_the_config_are_tried_first(undisturbed):
    assert undisturbed[0] == Tried(0, gain(DEFAULT), DEFAULT)


def test_the_search_finds_better_than_the_default_and_than_chance(tmp_path):
    assert best(run(tmp_path / "j", 60)).gain > -0.05


def test_the_best_is_the_earliest_of_equals():
    tried = [Tried(0, 0.1, {}), Tried(1, 0.2, {"x": 1}), Tried(2, 0.2, {"x": 2})]
    assert best(tried).number == 1


def test_the_same_seed_gives_the_same_trials_and_another_seed_others(undisturbed, tmp_path):
    assert run(tmp_path / "a") == undisturbed
    assert run(tmp_path / "b", seed=4) != undisturbed


@pytest.mark.parametrize("limit", [0, 1, 15])
def test_a_study_that_was_cut_off_goes_on_as_if_nothing_had_been(undisturbed, tmp_path, limit):
    first, second = Counted(limit), Counted()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "j", score=first)
    assert run(tmp_path / "j", score=second) == undisturbed
    assert not set(first.asked) & set(second.asked)


def test_a_finished_study_computes_nothing_and_more_trials_go_on_from_it(undisturbed, tmp_path):
    assert run(tmp_path / "j", 14) == undisturbed[:14]
    again, more = Counted(), Counted()
    assert run(tmp_path / "j", 14, again) == undisturbed[:14]
    assert run(tmp_path / "j", 24, more) == undisturbed
    assert again.asked == []
    assert 0 < len(more.asked) <= 10


def test_no_settings_are_scored_twice(tmp_path):
    score = Counted()
    tried = run(tmp_path / "j", 60, score)
    assert len(score.asked) == len(set(score.asked)) < 60
    assert all(trial.gain == gain(trial.settings) for trial in tried)


def test_a_study_of_other_data_or_settings_is_not_continued(undisturbed, tmp_path):
    run(tmp_path / "j", 5, name="other data")
    score = Counted()
    assert run(tmp_path / "j", score=score) == undisturbed
    assert score.asked[0] == tuple(DEFAULT.items())


def work(journal, queue, trials=24, pause=0.02):
    score = Counted()

    def slow(settings):
        time.sleep(pause)
        return score(settings)

    tried = run(journal, trials, slow)
    queue.put((len(score.asked), tried))


def start(journal, queue, pause=0.02):
    process = multiprocessing.get_context("fork").Process(target=work, args=(journal, queue, 24, pause))
    process.start()
    return process


def test_two_processes_share_the_work_of_one_study(tmp_path):
    queue = multiprocessing.get_context("fork").Queue()
    workers = [start(tmp_path / "j", queue) for _ in range(2)]
    (first, one), (second, other) = (queue.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join(60)
    assert len(one) == len(other) == 24
    # Where one ends while the other is still at a trial, they differ in that one, and in no other.
    ones, others = ([(trial.gain, trial.settings) for trial in tried] for tried in (one, other))
    places = range(24)
    assert ones == others or any(
        ones[:here] + ones[here + 1 :] == others[:there] + others[there + 1 :]
        for here in places
        for there in places
    )
    assert all(trial.gain == gain(trial.settings) for trial in [*one, *other])
    # Beyond the different settings at most the first and the last are scored by both.
    assert min(first, second) > 2
    assert first + second <= len({tuple(trial.settings.items()) for trial in one}) + 4
    assert len(run(tmp_path / "j", 24, Counted(0))) == 24


def test_a_trial_that_a_kill_left_running_does_not_count(undisturbed, tmp_path):
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


def test_a_lock_that_a_kill_left_behind_is_taken_away_at_once(undisturbed, tmp_path):
    run(tmp_path / "j", 10)
    (tmp_path / "j.lock").touch()
    began = time.monotonic()
    assert run(tmp_path / "j") == undisturbed
    assert time.monotonic() - began < module.LOCK_SECONDS / 2


@pytest.mark.filterwarnings("ignore:The value of `grace_period`")
def test_a_lock_left_behind_holds_up_processes_at_work_for_a_while_only(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_SECONDS", 1)
    left = []

    def killed_neighbour(settings):
        if not left:
            left.append((tmp_path / "j.lock").touch())
        return gain(settings)

    assert len(run(tmp_path / "j", 5, killed_neighbour)) == 5


def test_half_a_line_at_the_end_of_the_journal_is_dropped(undisturbed, tmp_path):
    run(tmp_path / "j", 10)
    with (tmp_path / "j").open("ab") as stream:
        stream.write(b'{"op_code":4,"worker_id":"7f')
    assert run(tmp_path / "j") == undisturbed
    for line in (tmp_path / "j").read_text().splitlines():
        json.loads(line)


def test_trials_of_a_process_at_work_are_left_alone(tmp_path):
    """A second process must not declare dead what the first one is computing."""
    asked, go_on = threading.Event(), threading.Event()
    found = []

    def waits(settings):
        if settings != DEFAULT and not asked.is_set():
            asked.set()
            go_on.wait(60)
        return gain(settings)

    worker = threading.Thread(target=lambda: found.append(run(tmp_path / "j", 2, waits)))
    worker.start()
    assert asked.wait(60)
    run(tmp_path / "j", 4)
    go_on.set()
    worker.join(60)
    assert found
    assert len(run(tmp_path / "j", 5, Counted(0))) == 5


def test_a_damaged_journal_is_told_in_one_line(tmp_path):
    run(tmp_path / "j", 3)
    (tmp_path / "j").write_text("no journal\n" * 3)
    with pytest.raises(InputError, match="damaged") as caught:
        run(tmp_path / "j", 3)
    assert "\n" not in str(caught.value)


def test_progress_names_the_best_so_far(tmp_path, caplog):
    with caplog.at_level("INFO"):
        tried = run(tmp_path / "j", 20)
    lines = [message for message in caplog.messages if message.startswith("tried")]
    assert [line.split(",")[0] for line in lines] == ["tried 10 of 20", "tried 20 of 20"]
    assert f"{100 * best(tried).gain:+.2f} points" in lines[-1]
