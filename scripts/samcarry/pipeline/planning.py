"""What Snakemake would find again for each job of a plan, found once. Standard library only.

Its answers stay the same, and so does what is run again. Measured for 4,000 finished jobs with 12,600 files
(docs/scale.md).
"""

import atexit
import functools
import gc
from collections.abc import Callable, Hashable
from typing import Any

_FEW = 16
"""Up to so many files, looking at each is as fast as a set of them."""
_YOUNG = 50_000
"""New objects until Python looks for garbage among them; its own 700 cost a twentieth of a plan."""


def plan_faster(common: Any, rules: Any, output_index: Any, input_files: Any) -> None:
    """Let Snakemake keep what it found while it plans.

    Args:
        common: its module `snakemake.common`, which is changed, as are the others.
        rules: its module `snakemake.rules`, which has imported a function of `common`.
        output_index: its class that says which rules make a file.
        input_files: its class for the inputs of a job.
    """
    if hasattr(common.get_function_params, "cache_info"):  # Snakemake plans again in the same process
        return
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)  # what is left at the end goes with the process
    common.get_function_params = rules.get_function_params = _kept_signatures(common.get_function_params)
    output_index.match_producers = _kept_for_files(output_index.match_producers)
    input_files.__contains__ = _contains


def _kept_signatures(parameters_of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The parameters of a function do not change; Snakemake asks for them before each of its calls."""
    return functools.lru_cache(maxsize=4096)(parameters_of)


def _kept_for_files(producers: Callable[[Any, str], set[Any]]) -> Callable[[Any, str], set[Any]]:
    """The rules that make a file, asked for again by each job that reads it."""

    def match_producers(self: Any, targetfile: str) -> set[Any]:
        known = self.__dict__.setdefault("_known_producers", {})
        if targetfile not in known:
            known[targetfile] = producers(self, targetfile)
        found: set[Any] = known[targetfile]
        return found

    return match_producers


def _contains(self: Any, file: Hashable) -> bool:
    """`file in inputs` of a job, asked by each job that reads one of its outputs, to find circles."""
    if len(self) <= _FEW:
        return list.__contains__(self, file)
    known = self.__dict__.get("_known_files")
    if known is None or known[0] != len(self):  # inputs are only added
        known = self.__dict__["_known_files"] = len(self), frozenset(self)
    return file in known[1]
