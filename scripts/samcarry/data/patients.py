"""Who is the same patient: spellings of one name, and patients that only the names of images show.

Standard library only, because the Snakefile imports this module.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from unicodedata import category, normalize

HELD_OUT = ("val", "test")
"""Splits whose patients must not be in any other split."""

_SEPARATORS = "_- ."
_MOST_PARTS = 3
_MOST_IMAGES = 8  # of one patient on average: larger groups are sites, categories or dates


@dataclass(frozen=True)
class Placed:
    """A case for the checks of patients: its name, its patient and its split."""

    case: str
    patient: str
    split: str


Leak = tuple[Placed, Placed]
"""Two cases in different splits, one of which is held out."""


def patient_key(patient: str) -> str:
    """A text that is equal for all spellings that surely mean one patient.

    Such spellings differ in Unicode form, upper and lower case, blanks, invisible characters, or the '.0'
    that spreadsheets append to whole numbers.
    """
    # Case folding may leave a text that is not normalised.
    text = normalize("NFKC", normalize("NFKC", patient).casefold())
    text = "".join(character for character in text if category(character) != "Cf")
    return re.sub(r"^(\d+)\.0+$", r"\1", " ".join(text.split()))


def similar_key(patient: str) -> str:
    """A text that is equal for all spellings that may mean one patient.

    Besides what `patient_key` ignores, these are zeros before a number (0012 and 12, P012 and P12), and other
    separators or none (P-12, P_12, P12).
    """
    text = re.sub(r"[\W_]+", "-", patient_key(patient))
    text = re.sub(r"(?<=[^\W\d])-(?=\d)", "", text)
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def one_spelling(patients: Iterable[str]) -> dict[str, str]:
    """{spelling: the shortest of all spellings that surely mean this patient}."""
    first: dict[str, str] = {}
    spellings = sorted(set(patients), key=lambda patient: (len(patient), patient))
    return {spelling: first.setdefault(patient_key(spelling), spelling) for spelling in spellings}


def similar_patients(cases: Iterable[Placed]) -> list[Leak]:
    """For each group of similarly spelled patients that is in several splits, two of its cases."""
    groups: dict[str, dict[str, list[Placed]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        groups[similar_key(case.patient)][patient_key(case.patient)].append(case)
    found = (
        next((pair for one, other in combinations(group.values(), 2) for pair in _leaks(one, other)), None)
        for group in groups.values()
    )
    return [pair for pair in found if pair]


def patients_in_names(cases: Sequence[Placed]) -> tuple[str, list[Leak]] | None:
    """A pattern that likely finds patients in names, and two cases of each patient that it shows to leak.

    In P000_left and P000_right, the patient is likely P000. A part of the names counts as the patient if it
    makes several groups of few images each; of several such parts, the shortest counts.

    Args:
        cases: the cases whose patient nobody has named.

    Returns:
        A regular expression for `patient_pattern` that matches all names, and two cases in different splits
        for each patient; None if no patient is in several splits.
    """
    for pattern in _patterns():
        matches = [re.search(pattern, case.case) for case in cases]
        groups: dict[str, list[Placed]] = defaultdict(list)
        for case, match in zip(cases, matches, strict=True):
            groups[match[1] if match else ""].append(case)
        sizes = [len(group) for group in groups.values() if len(group) > 1]
        if "" in groups or len(groups) == 1 or sum(sizes) > _MOST_IMAGES * len(sizes):
            continue
        if leaks := [pair for group in groups.values() for pair in list(_leaks(group, group))[:1]]:
            return pattern, leaks
    return None


def _patterns() -> Iterator[str]:
    """Regular expressions for the patient in a name; those that put more images together come first."""
    for parts in range(1, _MOST_PARTS + 1):
        for separator in _SEPARATORS:
            part = f"[^{separator}]+"
            more = f"(?:[{separator}]{part}){{0,{parts - 1}}}" if parts > 1 else ""
            yield f"^({part}{more})"
    yield "^(.*?[0-9])[A-Za-z]?$"  # P000L and P000R
    yield "^(?:[Ll]eft|[Rr]ight|LEFT|RIGHT|[LlRr](?=[-_ .0-9]))[-_ .]?(.+)$"


def _leaks(ones: Iterable[Placed], others: Iterable[Placed]) -> Iterator[Leak]:
    """Pairs of a case of each group in different splits, one of them held out; one for two splits."""
    for one in _first_of_splits(ones):
        for other in _first_of_splits(others):
            if one.split != other.split and {one.split, other.split} & set(HELD_OUT):
                yield one, other


def _first_of_splits(cases: Iterable[Placed]) -> list[Placed]:
    """The first case by name in each split."""
    first: dict[str, Placed] = {}
    for case in sorted(cases, key=lambda case: case.case):
        first.setdefault(case.split, case)
    return list(first.values())
