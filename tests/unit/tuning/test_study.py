"""A study: the same seed gives the same trials, also after a stop, and nothing is scored twice."""

import multiprocessing
import zlib

import numpy as np
import pytest

from samcarry.tuning.objective import mean_gain
from samcarry.tuning.study import Tried, best, is_worse
from support.tuning_study import CASES, DEFAULT, Counted, gain, run, start


def test_the_settings_of_the_config_are_tried_first(undisturbed):
    assert undisturbed[0] == Tried(0, gain(DEFAULT), DEFAULT, CASES)


def test_the_search_finds_better_than_the_default_and_than_chance(tmp_path):
    assert best(run(tmp_path / "j", 60)).gain > -0.05


def test_the_best_is_the_earliest_of_equals():
    tried = [Tried(0, 0.1, {}, 1), Tried(1, 0.2, {"x": 1}, 1), Tried(2, 0.2, {"x": 2}, 1)]
    assert best(tried).number == 1


def test_the_same_seed_gives_the_same_trials_and_another_seed_others(undisturbed, tmp_path):
    assert run(tmp_path / "a") == undisturbed
    assert run(tmp_path / "b", seed=4) != undisturbed


@pytest.mark.parametrize("limit", [0, 1, 15])
def test_a_study_that_was_stopped_continues_with_the_same_trials(undisturbed, tmp_path, limit):
    first, second = Counted(limit), Counted()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "j", score=first)
    assert run(tmp_path / "j", score=second) == undisturbed
    assert not set(first.calls) & set(second.calls)


def test_a_finished_study_computes_nothing_and_more_trials_continue_it(undisturbed, tmp_path):
    assert run(tmp_path / "j", 14) == undisturbed[:14]
    again, more = Counted(), Counted()
    assert run(tmp_path / "j", 14, again) == undisturbed[:14]
    assert run(tmp_path / "j", 24, more) == undisturbed
    assert again.calls == []
    assert 0 < len(more.calls) <= 10


def test_no_settings_are_scored_twice(tmp_path):
    score = Counted()
    tried = run(tmp_path / "j", 60, score)
    assert len(score.calls) == len(set(score.calls)) < 60
    assert all(trial.gain == gain(trial.settings) for trial in tried)


def test_a_study_of_other_data_or_settings_is_not_continued(undisturbed, tmp_path):
    run(tmp_path / "j", 5, name="other data")
    score = Counted()
    assert run(tmp_path / "j", score=score) == undisturbed
    assert score.calls[0] == tuple(DEFAULT.items())


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


def test_progress_names_the_best_so_far(tmp_path, caplog):
    with caplog.at_level("INFO"):
        tried = run(tmp_path / "j", 20)
    lines = [message for message in caplog.messages if message.startswith("tried")]
    assert [line.split(",")[0] for line in lines] == ["tried 10 of 20", "tried 20 of 20"]
    assert f"{100 * best(tried).gain:+.2f} points" in lines[-1]


def noisy_cases(settings, scored=None):
    """Gains of 20 cases that scatter around `gain`; two of the cases show no class."""
    rng = np.random.default_rng(0)
    for number, difficulty in enumerate(rng.normal(0, 0.3, 20)):
        if scored is not None:
            scored.append(number)
        noise = np.random.default_rng([number, zlib.crc32(repr(settings).encode())]).normal(0, 0.005)
        yield [] if number in (3, 7) else [gain(settings) + difficulty + noise] * (1 + number % 3)


def test_pruning_scores_fewer_cases_and_finds_settings_as_good(tmp_path):
    all_scored, some_scored = [], []
    full = run(tmp_path / "full", 60, lambda settings: noisy_cases(settings, all_scored))
    pruned = run(tmp_path / "pruned", 60, lambda settings: noisy_cases(settings, some_scored), pruning=0.1)
    assert len(some_scored) < 0.7 * len(all_scored)
    assert gain(best(pruned).settings) > gain(best(full).settings) - 0.01
    assert {trial.cases for trial in full} == {18}
    assert min(trial.cases for trial in pruned) < 10


def test_a_stopped_trial_is_never_the_best_and_its_gain_is_close_to_that_of_all_cases(tmp_path):
    pruned = run(tmp_path / "j", 60, noisy_cases, pruning=0.1)
    stopped = [trial for trial in pruned if trial.cases < 18]
    assert len(stopped) > 10
    assert pruned[0].cases == best(pruned).cases == 18
    for trial in stopped:
        assert trial.gain < best(pruned).gain
        assert trial.gain == pytest.approx(mean_gain(noisy_cases(trial.settings)), abs=0.02)


def test_a_study_with_pruning_that_was_stopped_continues_with_the_same_trials(tmp_path):
    expected = run(tmp_path / "a", 30, noisy_cases, pruning=0.1)
    calls = []

    def interrupted(settings):
        if len(calls) == 12:
            raise KeyboardInterrupt
        calls.append(settings)
        return noisy_cases(settings)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b", 30, interrupted, pruning=0.1)
    assert run(tmp_path / "b", 30, noisy_cases, pruning=0.1) == expected


def test_the_objective_of_a_stopped_trial_is_closed(tmp_path):
    closed = []

    def watched(settings):
        try:
            yield from noisy_cases(settings)
        finally:
            closed.append(settings)

    tried = run(tmp_path / "j", 20, watched, pruning=0.1)
    assert any(trial.cases < 18 for trial in tried)
    assert len(closed) == len({tuple(trial.settings.items()) for trial in tried})


def test_gains_are_worse_if_nearly_all_cases_lose():
    rival = [0.1, 0.2, 0.0, 0.3, -0.1, 0.2]
    assert is_worse([value - 0.01 for value in rival], rival, 0.05)
    assert not is_worse([value + 0.01 for value in rival], rival, 0.5)
    assert not is_worse([value - 0.01 for value in rival[:3]], rival[:3], 0.1)  # too few cases to tell
    assert is_worse([value - 0.01 for value in rival[:3]], rival[:3], 0.2)
