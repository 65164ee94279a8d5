"""Tuning with Optuna's TPE sampler (paper §3.1) as a study that survives killed processes.

With one process, the same seed gives the same trials, even if the process was killed and restarted. Each
trial gets its own seeded sampler and depends only on the seed and the completed trials.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from samcarry.runtime.progress import duration
from samcarry.tuning.journal import open_study
from samcarry.tuning.search_spaces import Settings, Space

log = logging.getLogger(__name__)
TRIALS_PER_LINE = 10
"""Trials between two log lines."""


@dataclass(frozen=True)
class Tried:
    """One completed trial."""

    number: int  # from 0, without gaps; trial 0 uses the config's own settings
    gain: float  # mean difference of Dice, -1..1
    settings: Settings


def tune(
    journal: str | Path,
    name: str,
    space: Space,
    objective: Callable[[Settings], float],
    trials: int,
    seed: int,
) -> list[Tried]:
    """Try settings, starting with the config's own, until `trials` trials are complete; return them.

    Several processes may call this at the same time with the same journal. A process that finishes while
    another still computes a trial does not wait for it. Unfinished trials of killed processes do not count.
    Settings that are drawn again, here or in another process, reuse the gain computed before.

    Args:
        journal: file of the study; it is created if necessary.
        name: name of the study; other studies in the same journal are left alone.
        space: the search space.
        objective: what to maximise.
        trials: number of trials, including those already in the journal.
        seed: seed of the sampler.

    Raises:
        InputError: the journal is damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with open_study(Path(journal), name) as study:
        computed, started = 0, time.monotonic()
        while len(done := _complete(study)) < trials:
            _try_once(study, space, objective, done, seed)
            computed += 1
            if (count := len(done) + 1) % TRIALS_PER_LINE == 0 or count == trials:
                left = (time.monotonic() - started) / computed * (trials - count)
                _report(_tried(_complete(study), space), count, trials, left)
    return _tried(done[:trials], space)


def best(tried: Sequence[Tried]) -> Tried:
    """The trial with the highest gain; of several, the earliest."""
    return max(tried, key=lambda trial: (trial.gain, -trial.number))


def _try_once(
    study: optuna.Study,
    space: Space,
    objective: Callable[[Settings], float],
    done: Sequence[FrozenTrial],
    seed: int,
) -> None:
    distributions = dict(space.distributions)
    known = {_key(space.settings_of(trial.params)): trial.value for trial in done}
    running = len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
    if not done and not running:
        value = objective(space.settings_of(space.default))
        study.add_trial(create_trial(value=value, params=dict(space.default), distributions=distributions))
        return
    # Trials running in other processes count too; otherwise two processes would draw the same settings.
    trial_seed = _trial_seed(seed, len(done) + running)
    study.sampler = optuna.samplers.TPESampler(seed=trial_seed, multivariate=True)
    trial = study.ask(distributions)
    settings = space.settings_of(trial.params)
    gain = known.get(_key(settings))
    study.tell(trial, objective(settings) if gain is None else gain)


def _trial_seed(seed: int, number: int) -> int:
    """A seed for one trial; hashed, because consecutive seeds would overlap between studies."""
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
        count,
        trials,
        100 * top.gain,
        settings,
        duration(left),
    )
