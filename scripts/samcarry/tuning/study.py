"""Tuning with Optuna's TPE sampler (paper §3.1) as a study that survives killed processes.

With one process, the same seed gives the same trials, even if the process was killed and restarted. Each
trial gets its own seeded sampler and depends only on the seed and the completed trials.

A trial may be stopped before all cases are scored, once it is clearly worse than the best one so far. Its
gain is then estimated from the cases that both have scored.
"""

import contextlib
import hashlib
import logging
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from samcarry.runtime.progress import duration
from samcarry.tuning.journal import open_study
from samcarry.tuning.objective import Objective, mean_gain
from samcarry.tuning.search_spaces import Settings, Space

log = logging.getLogger(__name__)
TRIALS_PER_LINE = 10
"""Trials between two log lines."""
_GAINS = "gains of cases"


@dataclass(frozen=True)
class Tried:
    """One completed trial."""

    number: int  # from 0, without gaps; trial 0 uses the config's own settings
    gain: float  # mean difference of Dice, -1..1; estimated if the trial was stopped
    settings: Settings
    cases: int  # how many were scored; fewer than in trial 0 if the trial was stopped


def tune(
    journal: str | Path,
    name: str,
    space: Space,
    objective: Objective,
    trials: int,
    seed: int,
    pruning: float | None = None,
) -> list[Tried]:
    """Try settings, starting with the config's own, until `trials` trials are complete; return them.

    Several processes may call this at the same time with the same journal. A process that finishes while
    another still computes a trial does not wait for it. Unfinished trials of killed processes do not count.
    Settings that are drawn again, here or in another process, reuse the gain computed before.

    Args:
        journal: file of the study; it is created if necessary.
        name: name of the study; other studies in the same journal are left alone.
        space: the search space.
        objective: the gains of each case, whose mean is maximised.
        trials: number of trials, including those already in the journal.
        seed: seed of the sampler.
        pruning: p value below which a trial counts as worse than the best one so far, and is stopped (see
            `is_worse`); None = every trial scores all cases.

    Raises:
        InputError: the journal is damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with open_study(Path(journal), name) as study:
        computed, started = 0, time.monotonic()
        while len(done := _complete(study)) < trials:
            _try_once(study, space, objective, done, seed, pruning)
            computed += 1
            if (count := len(done) + 1) % TRIALS_PER_LINE == 0 or count == trials:
                left = (time.monotonic() - started) / computed * (trials - count)
                _report(_tried(_complete(study), space), count, trials, left)
    return _tried(done[:trials], space)


def best(tried: Sequence[Tried]) -> Tried:
    """The trial with the highest gain; of several, the earliest."""
    return max(tried, key=lambda trial: (trial.gain, -trial.number))


def stopped(tried: Sequence[Tried]) -> list[Tried]:
    """The trials that were stopped before all cases were scored; the first one never is."""
    return [trial for trial in tried if trial.cases < tried[0].cases]


def is_worse(gains: Sequence[float], rival: Sequence[float], p: float) -> bool:
    """Whether a one-sided Wilcoxon signed-rank test says that gains are lower than those of a rival.

    Optuna's `WilcoxonPruner` does the same, but always compares with the best trial of the moment, which
    another process may have found meanwhile. Here a trial keeps its rival, so that its estimate is below it.

    Args:
        gains: the mean gain of each case, -1..1.
        rival: the same cases' gains with the other settings.
        p: the p value below which they are.
    """
    from scipy.stats import wilcoxon  # takes a second, and few studies need it

    differences = np.subtract(gains, rival)
    return bool(wilcoxon(differences, alternative="less", zero_method="zsplit").pvalue < p)


def _try_once(
    study: optuna.Study,
    space: Space,
    objective: Objective,
    done: Sequence[FrozenTrial],
    seed: int,
    pruning: float | None,
) -> None:
    distributions = dict(space.distributions)
    known = {_key(space.settings_of(trial.params)): trial for trial in done}
    running = len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
    if not done and not running:
        value, gains = _score(objective(space.settings_of(space.default)), None, None)
        params, scored = dict(space.default), {_GAINS: gains}
        study.add_trial(
            create_trial(value=value, params=params, distributions=distributions, user_attrs=scored)
        )
        return
    # Trials running in other processes count too; otherwise two processes would draw the same settings.
    trial_seed = _trial_seed(seed, len(done) + running)
    study.sampler = optuna.samplers.TPESampler(seed=trial_seed, multivariate=True)
    trial = study.ask(distributions)
    settings = space.settings_of(trial.params)
    if earlier := known.get(_key(settings)):
        value, gains = _gain_of(earlier), earlier.user_attrs[_GAINS]
    else:
        rival = max(done, key=lambda one: (_gain_of(one), -one.number), default=None)
        value, gains = _score(objective(settings), rival, pruning)
    trial.set_user_attr(_GAINS, gains)
    study.tell(trial, value)


def _score(
    cases: Generator[list[float], None, None], rival: FrozenTrial | None, pruning: float | None
) -> tuple[float, list[float]]:
    """The mean gain of all present classes, or its estimate, and the mean gain of each case that was scored.

    The estimate is the rival's gain less what is lost in these cases. So a stopped trial is never the best.
    """
    scored: list[list[float]] = []
    means: list[float] = []
    with contextlib.closing(cases):
        for gains in cases:
            if not gains:  # no class is present
                continue
            scored.append(gains)
            means.append(mean_gain([gains]))
            if rival is None or pruning is None:
                continue
            others: list[float] = rival.user_attrs[_GAINS]
            count = len(means)
            lost = np.average(np.subtract(others[:count], means), weights=[len(one) for one in scored])
            if lost > 0 and count < len(others) and is_worse(means, others[:count], pruning):
                return _gain_of(rival) - float(lost), means
    return mean_gain(scored), means


def _trial_seed(seed: int, number: int) -> int:
    """A seed for one trial; hashed, because consecutive seeds would overlap between studies."""
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4])


def _key(settings: Settings) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(settings.items()))


def _gain_of(trial: FrozenTrial) -> float:
    return float(trial.value or 0.0)


def _complete(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _tried(done: Sequence[FrozenTrial], space: Space) -> list[Tried]:
    return [
        Tried(number, _gain_of(trial), space.settings_of(trial.params), len(trial.user_attrs[_GAINS]))
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
