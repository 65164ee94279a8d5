"""Tuning by Optuna (TPE, paper §3.1): a study in a journal file that outlives its processes.

With one process the same seed gives the same trials, whether or not it was killed on the way: each trial
is drawn by a sampler seeded anew, and depends on nothing but the seed and the trials that are complete.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from samcarry.errors import InputError
from samcarry.runtime.progress import duration
from samcarry.tuning.search_spaces import Settings, Space

log = logging.getLogger(__name__)
LOCK_SECONDS = 30
"""The journal's lock is held for milliseconds; one this old was left behind by a process that is gone."""

TRIALS_PER_LINE = 10


@dataclass(frozen=True)
class Tried:
    """One complete trial."""

    number: int  # from 0, without gaps; the first is the config's own settings
    gain: float  # mean difference of Dice, -1..1
    settings: Settings


def tune(
    journal: str | Path, name: str, space: Space, gain: Callable[[Settings], float], trials: int, seed: int
) -> list[Tried]:
    """Try settings until `trials` are complete, beginning with the config's own.

    Several processes may call this at once with the same journal; one that ends while another is still at
    a trial does not wait for it. What a killed process left unfinished does not count. Settings that come
    up again, here or in another process, take the gain found before.

    Args:
        journal: file of the study, made if need be.
        name: of the study; trials of another one in the same journal are left alone.
        space: where to look.
        gain: what to maximise.
        trials: how many, those that the journal has already among them.
        seed: of the sampler.

    Raises:
        InputError: the journal is damaged.
    """
    with _open_study(Path(journal), name) as study:
        here, began = 0, time.monotonic()
        while len(done := _complete(study)) < trials:
            _try_once(study, space, gain, done, seed)
            here += 1
            if (count := len(done) + 1) % TRIALS_PER_LINE == 0 or count == trials:
                left = (time.monotonic() - began) / here * (trials - count)
                _report(_tried(_complete(study), space), count, trials, left)
    return _tried(done[:trials], space)


def best(tried: Sequence[Tried]) -> Tried:
    """The trial with the highest gain, the earliest of several."""
    return max(tried, key=lambda trial: (trial.gain, -trial.number))


def _try_once(
    study: optuna.Study,
    space: Space,
    gain: Callable[[Settings], float],
    done: Sequence[FrozenTrial],
    seed: int,
) -> None:
    distributions = dict(space.distributions)
    known = {_key(space.settings_of(trial.params)): trial.value for trial in done}
    ahead = len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
    if not done and not ahead:
        value = gain(space.settings_of(space.default))
        study.add_trial(create_trial(value=value, params=dict(space.default), distributions=distributions))
        return
    # Trials that other processes are at count as well: else two of them would draw the same.
    study.sampler = _OneSpace(distributions, _mixed(seed, len(done) + ahead))
    trial = study.ask(distributions)
    settings = space.settings_of(trial.params)
    found = known.get(_key(settings))
    study.tell(trial, gain(settings) if found is None else found)


class _OneSpace(optuna.samplers.TPESampler):
    """TPE where all trials have the same parameters: Optuna would look that up in each of them, each time."""

    def __init__(self, distributions: Mapping[str, BaseDistribution], seed: int) -> None:
        super().__init__(seed=seed, multivariate=True)
        self.drawn = {name: one for name, one in sorted(distributions.items()) if not one.single()}

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self.drawn


def _mixed(seed: int, number: int) -> int:
    """A seed of its own for each trial: neighbouring ones would overlap between studies."""
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4])


def _key(settings: Settings) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(settings.items()))


def _complete(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _tried(done: Sequence[FrozenTrial], space: Space) -> list[Tried]:
    return [
        Tried(number, float(trial.value or 0.0), space.settings_of(trial.params))
        for number, trial in enumerate(done)
    ]


def _report(tried: Sequence[Tried], count: int, trials: int, left: float) -> None:
    top = best(tried)
    settings = " ".join(f"{name}={value}" for name, value in top.settings.items())
    log.info(
        "tried %d of %d, best gain %+.2f points of Dice (%s), %s left",
        count, trials, 100 * top.gain, settings, duration(left),
    )  # fmt: skip


@contextlib.contextmanager
def _open_study(journal: Path, name: str) -> Iterator[optuna.Study]:
    """The study `name` of a journal, under a shared lock that falls with its process.

    Who finds nobody else at work clears away what killed processes left: half a line, Optuna's own lock
    file, and trials that would run for ever.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal.parent.mkdir(parents=True, exist_ok=True)
    with journal.open("ab+") as stream:
        alone = _locked(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if alone:
            _drop_half_a_line(stream)
            Path(f"{journal}.lock").unlink(missing_ok=True)
        else:
            _locked(stream, fcntl.LOCK_SH)
        study = _read_study(journal, name)
        if alone:
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                study.tell(trial.number, state=TrialState.FAIL)
            _locked(stream, fcntl.LOCK_SH)
        yield study


def _locked(stream: BinaryIO, operation: int) -> bool:
    try:
        fcntl.flock(stream, operation)
    except OSError:  # another process holds it, or this file system has no such locks
        return False
    return True


def _drop_half_a_line(stream: BinaryIO) -> None:
    stream.seek(0)
    text = stream.read()
    os.ftruncate(stream.fileno(), text.rfind(b"\n") + 1)


def _read_study(journal: Path, name: str) -> optuna.Study:
    try:
        lock = JournalFileOpenLock(str(journal), grace_period=LOCK_SECONDS)
        storage = JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))
        return optuna.create_study(
            storage=storage, study_name=name, direction="maximize", load_if_exists=True
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{journal}: this journal of a tuning is damaged ({error}). Delete it and run the same "
            f"command again: tuning begins anew."
        ) from error
