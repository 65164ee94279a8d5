"""A small study for tests of tuning: a search space, an objective with a known optimum, worker processes."""

import multiprocessing
import time

from samcarry.prompting.cleaning import CleaningSettings
from samcarry.tuning.search_spaces import sam_space
from samcarry.tuning.study import tune

SPACE = sam_space(CleaningSettings("dilation", "square", 2), "box", "pos+neg", 8)
DEFAULT = {"first": "box", "second": "pos+neg", "operation": "dilation", "element": "square", "radius": 2}


CASES = 2


def objective(settings):
    """The gains of some cases, which are all `gain`."""
    for _ in range(CASES):
        yield [gain(settings)]


def gain(settings):
    """A gain with its optimum at a dilation by a star of radius 5 and the second prompt 'mask'."""
    wrong = [settings["second"] != "mask", settings["element"] != "star"]
    sign = {"none": 0, "dilation": 1, "erosion": -1}[settings["operation"]]
    return -0.1 * sum(wrong) - abs(sign * settings["radius"] - 5) / 50


class Counted:
    """The objective, which records its calls and interrupts the process after `limit` calls."""

    def __init__(self, limit=None):
        self.calls, self.limit = [], limit

    def __call__(self, settings):
        if len(self.calls) == self.limit:
            raise KeyboardInterrupt
        self.calls.append(tuple(settings.items()))
        return objective(settings)


def run(journal, trials=24, score=objective, name="a", seed=3, pruning=None):
    """The trials of a study."""
    return tune(journal, name, SPACE, score, trials, seed, pruning)


def work(journal, queue, trials=24, pause=0.02):
    """Run a study; put the number of trials computed here and all its trials into a queue."""
    score = Counted()

    def slow(settings):
        time.sleep(pause)
        return score(settings)

    tried = run(journal, trials, slow)
    queue.put((len(score.calls), tried))


def start(journal, queue, pause=0.02):
    """Start a process that runs `work`; every trial takes `pause` seconds."""
    process = multiprocessing.get_context("fork").Process(target=work, args=(journal, queue, 24, pause))
    process.start()
    return process
