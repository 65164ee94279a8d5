"""What Snakemake would find again for each job of a plan, found once. Standard library only.

Its answers stay the same, and so does what is run again. Measured for 4,000 finished jobs with 12,600 files
(docs/scale.md).
"""

import atexit
import functools
import gc
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

_FEW = 16
"""Up to so many files, looking at each is as fast as a set of them."""
_YOUNG = 50_000
"""New objects until Python looks for garbage among them; its own 700 cost a twentieth of a plan."""
_MARK = "samcarry_plans_faster"
"""An attribute of the module `snakemake.common` where the changes were made."""


def plan_faster(modules: Mapping[str, Any], dry_run: bool) -> None:
    """Let Snakemake keep what it found while it plans.

    A version of Snakemake without one of the names that are changed stays as it is, and plans more slowly.

    Args:
        modules: what Python has imported, by name: `sys.modules`.
        dry_run: whether the process ends after the plan, so that it need not look for garbage.
    """
    try:
        common, changes = modules["snakemake.common"], list(_changes(modules))
    except (AttributeError, KeyError):
        return
    if hasattr(common, _MARK):  # Snakemake plans again in the same process
        return
    setattr(common, _MARK, True)
    for place, name, new in changes:
        setattr(place, name, new)
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
    gc.freeze()  # what was imported stays
    if dry_run:
        gc.disable()
    atexit.register(gc.freeze)  # what is left at the end goes with the process


def _changes(modules: Mapping[str, Any]) -> Iterator[tuple[Any, str, Any]]:
    """(module or class of Snakemake, name in it, what replaces it).

    Raises:
        AttributeError, KeyError: if a name is not there.
    """
    common, io = modules["snakemake.common"], modules["snakemake.io"]
    kept = functools.lru_cache(maxsize=4096)
    replaced = {
        # Parameters of a function do not change; they are looked up before each of its calls.
        "get_function_params": (common.get_function_params, kept(common.get_function_params)),
        # The parts of a script's path, looked up three times for each job that is to run.
        "parse_uri": (common.parse_uri, kept(common.parse_uri)),
        "is_flagged": (io.is_flagged, _flagged(io.is_flagged, io.AnnotatedString)),
    }
    of_snakemake = [module for name, module in modules.items() if name.startswith("snakemake.")]
    for name, (old, new) in replaced.items():
        for module in of_snakemake:  # where it is defined, and where it is imported by name
            if getattr(module, "__dict__", {}).get(name) is old:
                yield module, name, new
    index = modules["snakemake.output_index"].OutputIndex
    yield index, "__init__", _with_ends(index.__init__)
    yield index, "match", index.match and _match  # an AttributeError where there is none
    yield index, "match_producers", _kept_for_files(index.match_producers)
    yield modules["snakemake.iocontainers"].InputFiles, "__contains__", _contains


def _flagged(is_flagged: Callable[[Any, str], bool], annotated: Any) -> Callable[[Any, str], bool]:
    """Whether a file has a flag; most have none, which Snakemake finds through an abstract class."""

    def is_flagged_by_type(value: Any, flag: str) -> bool:
        if type(value) is annotated:
            return bool(value.flags.get(flag))
        return type(value) is not str and is_flagged(value, flag)

    return is_flagged_by_type


def _with_ends(init: Callable[[Any, list[Any]], None]) -> Callable[[Any, list[Any]], None]:
    """An index of rules that also knows them by the ends of their outputs."""

    def init_with_ends(self: Any, rules: list[Any]) -> None:
        init(self, rules)
        self._by_end = defaultdict(list)
        for rule in rules:
            for product in rule.products():
                self._by_end[str(product.constant_suffix())].append((str(product.constant_prefix()), rule))
        self._starts = tuple({start for entries in self._by_end.values() for start, _ in entries})
        self._lengths = sorted({len(end) for end in self._by_end})

    return init_with_ends


def _match(self: Any, targetfile: str) -> set[Any]:
    """The rules with an output that starts and ends as the file does, as `OutputIndex.match` finds them.

    All results start alike, so Snakemake, which looks up the start, compares every end.
    """
    if not targetfile.startswith(self._starts):  # a file of the user
        return set()
    size = len(targetfile)
    return {
        rule
        for length in self._lengths
        if length <= size
        for start, rule in self._by_end.get(targetfile[size - length :], ())
        if targetfile.startswith(start)
    }


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
