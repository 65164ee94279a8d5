"""Images that are in two splits: equal files, equal pixels, and copies that look alike."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from samcarry.data.cases import Case
from samcarry.data.patients import HELD_OUT
from samcarry.errors import MAX_LINES

ALIKE = 0.85
"""Images whose thumbnails correlate by more than this look like copies.

Measured: different images reach 0.57 (295 panoramic radiographs), 0.65 (173 drawn wrists), 0.80 (247 chest
radiographs) and 0.45 (138 phantoms). Copies that were compressed, scaled, mirrored, inverted, or changed in
brightness, contrast or gamma are above 0.9; those that were rotated by a degree or cropped by a hundredth of
their sides about 0.85.
"""

_SIDE = 48  # pixels of a thumbnail
_DETAIL = 1.5  # pixels (standard deviation): what is smoother is common to all radiographs of a kind
HELD_AT_ONCE = 64
"""Images that are compared with all images at once; more need more memory."""


@dataclass(frozen=True)
class Appearance:
    """How an image looks.

    Attributes:
        pixels: a digest of size and grey values, the same in every file format.
        thumbnail: float16 (48, 48) of length 1: the details of the image, with equal contrast everywhere; 0
            for an image without any.
    """

    pixels: str
    thumbnail: NDArray[np.float16]


@dataclass
class Duplicates:
    """What was found.

    Attributes:
        faults: one line for each two images that must not be in different splits.
        warnings: one line for each two images that may have to be in one split, and for what was left out.
        left_out: unlabelled cases with the same image as a case of val or test.
    """

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)


def appearance_of(image: NDArray[np.uint8]) -> Appearance:
    """The appearance of an image of grey values (height, width)."""
    digest = hashlib.sha256(f"{image.shape}".encode())
    digest.update(image.tobytes())
    small = Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    grey = np.asarray(small, dtype=np.float32)
    details = grey - gaussian_filter(grey, _DETAIL)
    contrast = np.sqrt(gaussian_filter(details**2, 2 * _DETAIL))
    # A share of the overall contrast, so that noise in empty areas stays small.
    details /= contrast + details.std() / 2 + np.finfo(np.float32).eps
    length = float(np.linalg.norm(details))
    thumbnail = details / length if length else details
    return Appearance(digest.hexdigest(), thumbnail.astype(np.float16))


def find_duplicates(
    cases: Sequence[Case],
    appearances: Mapping[str, Appearance],
    *,
    near_duplicates: str = "warn",
    accepted_duplicates: Iterable[Sequence[str]] = (),
) -> Duplicates:
    """Images of val or test that are in another split too.

    Equal images are a fault if both cases are labelled. An unlabelled one is left out, as are unlabelled
    images of val and test patients: it would be a test image that networks learn from.

    Args:
        cases: all cases.
        appearances: the appearance of each case's image.
        near_duplicates: 'warn' or 'refuse' if images are not equal but look alike, mirrored copies included;
            'ignore' does not look for them.
        accepted_duplicates: pairs of cases that are neither reported nor left out.
    """
    found, accepted = Duplicates(), {frozenset(pair) for pair in accepted_duplicates}
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[appearances[case.case].pixels].append(case)
    for group in groups.values():
        held = [case for case in group if case.split in HELD_OUT] if len(group) > 1 else []
        for case in group if held else []:
            copies = (
                other
                for other in held
                if other.split != case.split
                and (case.split not in HELD_OUT or case.case < other.case)  # each pair once
                and frozenset((case.case, other.case)) not in accepted
            )
            if (copy := next(copies, None)) is None:
                continue
            pair = f"{case.image} (in {case.split}) and {copy.image} (in {copy.split}) are the same image"
            if case.split == "unlabelled":
                found.left_out.add(case.case)
                found.warnings.append(f"{pair}: left out {case.case}")
            else:
                found.faults.append(f"{pair}: remove one of them, or put both into one split")
    if near_duplicates != "ignore":
        alike = _alike(cases, appearances, accepted)
        lines = [_alike_line(*pair) for pair in alike[:MAX_LINES]]
        if len(alike) > MAX_LINES:
            lines.append(f"... and {len(alike) - MAX_LINES} more images that look alike")
        (found.faults if near_duplicates == "refuse" else found.warnings).extend(lines)
    return found


Parts = tuple[NDArray[np.float32], NDArray[np.float32]]
"""The even and the odd part of thumbnails, each (image, pixel)."""


def even_and_odd(thumbnails: Sequence[NDArray[np.float16]]) -> Parts:
    """The parts of thumbnails that mirroring keeps, and those whose sign it changes."""
    even, odd = (np.empty((len(thumbnails), _SIDE * _SIDE // 2), dtype=np.float32) for _ in range(2))
    for place, thumbnail in enumerate(thumbnails):
        left, right = np.split(thumbnail.astype(np.float32) / np.sqrt(2), 2, axis=1)
        even[place], odd[place] = (left + right[:, ::-1]).ravel(), (left - right[:, ::-1]).ravel()
    return even, odd


def similarities(parts: Parts, some: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Similarity, 0..1, of some images with all of them (some, image), and where one of two is mirrored."""
    of_even, of_odd = (part[some] @ part.T for part in parts)
    # The larger of |e + o| and, with one image mirrored, |e - o|. An inverted copy has nearly -1.
    return np.abs(of_even) + np.abs(of_odd), of_even * of_odd < 0


def _alike(
    cases: Sequence[Case], appearances: Mapping[str, Appearance], accepted: set[frozenset[str]]
) -> list[tuple[Case, Case, float, bool]]:
    """Images that look alike, but are not equal: two cases, similarity, and whether one is mirrored.

    At least one of the two is in val or test, and they are in different splits. The most similar come first.
    """
    splits = np.array([case.split for case in cases])
    parts = even_and_odd([appearances[case.case].thumbnail for case in cases])
    held = np.flatnonzero(np.isin(splits, HELD_OUT))
    found: dict[tuple[int, int], tuple[float, bool]] = {}
    for start in range(0, len(held), HELD_AT_ONCE):
        some = held[start : start + HELD_AT_ONCE]
        similarity, mirrored = similarities(parts, some)
        similarity[splits[some][:, None] == splits] = 0
        for row, column in np.argwhere(similarity > ALIKE):
            one, other = sorted((int(some[row]), int(column)))
            found[one, other] = (float(similarity[row, column]), bool(mirrored[row, column]))
    ranked = sorted(found.items(), key=lambda item: -item[1][0])
    return [
        (cases[one], cases[other], *how)
        for (one, other), how in ranked
        if appearances[cases[one].case].pixels != appearances[cases[other].case].pixels
        and frozenset((cases[one].case, cases[other].case)) not in accepted
    ]


def _alike_line(one: Case, other: Case, similarity: float, is_mirrored: bool) -> str:
    return (
        f"{one.image} (in {one.split}) and {other.image} (in {other.split}) look alike"
        f"{', one of them mirrored' if is_mirrored else ''} (similarity {similarity:.2f} of 1): if they show "
        "one patient, remove one or put both into one split; if not, add "
        f'["{one.case}", "{other.case}"] to `accepted_duplicates` under `splits`'
    )
