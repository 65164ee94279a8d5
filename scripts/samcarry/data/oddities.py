"""What in a readable data set is likely a mistake: warnings with the line of the config that settles them."""

import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from samcarry.data.cases import Case
from samcarry.data.contract import SPLITS
from samcarry.errors import AboutSettings, first_lines, shortlist

_DARK = 32  # of 255: an image whose brightest pixel is at most this was likely made with fewer bits
_SQUEEZED = 1.6  # times narrower or wider than the network's input
_FEW = 0.2  # share of the labelled cases: labels without any mask are likely forgotten if they are rare
_MOST = 0.5  # share of the image: an inverted mask covers more than this


@dataclass(frozen=True)
class MaskLook:
    """What a mask with at least one pixel shows.

    Attributes:
        share: the share of the image that it covers, 0..1.
        faint: the share of its pixels whose grey value is above 0 and at most half of its largest one,
            rounded up.
        digest: of its pixels; equal masks have equal digests.
    """

    share: float
    faint: float = 0.0
    digest: str = ""


@dataclass(frozen=True)
class Look:
    """What one case shows.

    Attributes:
        size: (height, width) of its image in pixels.
        low: its darkest grey value, 0..255, as the workflow reads it.
        high: its brightest one.
        masks: {class: what its mask shows}, of masks with at least one pixel.
        lines: number of lines of text near its borders, see `images.text`; 0 if nothing looked for them.
        turned: whether its file stores it turned or mirrored, see `grey.is_turned`.
    """

    size: tuple[int, int]
    low: int
    high: int
    masks: Mapping[str, MaskLook] = field(default_factory=dict)
    lines: int = 0
    turned: bool = False


def network_size(sizes: Iterable[tuple[int, int]], pixels: int, step: int) -> tuple[int, int]:
    """(height, width) of about `pixels` pixels with the median aspect of images, as multiples of `step`."""
    aspect = statistics.median(width / height for height, width in sizes)
    height = max(step, round((pixels / aspect) ** 0.5 / step) * step)
    width = max(step, round((pixels * aspect) ** 0.5 / step) * step)
    return height, width


def find_oddities(
    cases: Sequence[Case],
    looks: Mapping[str, Look],
    size: tuple[int, int],
    step: int,
    window: Sequence[float] | None,
) -> list[str]:
    """Warnings, one line each; none of them keeps a run from starting.

    Args:
        cases: the cases.
        looks: {case: what it shows}; of other cases too, such as copies that were left out.
        size: (height, width) of the network's input.
        step: what both have to be a multiple of.
        window: as `images.window` in the config.
    """
    of = {case.case: case for case in cases}
    looks = {name: look for name, look in looks.items() if name in of}
    return [
        *_uniform_images(of, looks),
        *_dark_images(of, looks, window),
        *_squeezed_images(looks, size, step),
        *_images_with_text(of, looks),
        *_turned_images(of, looks),
        *_empty_labels(of, looks),
        *_inverted_masks(of, looks),
        *_faint_masks(of, looks),
        *_equal_masks(of, looks),
        *_similar_classes({name for look in looks.values() for name in look.masks}),
    ]


def find_dark(looks: Mapping[str, Look]) -> list[str]:
    """The cases whose images are nearly black, sorted."""
    return sorted(name for name, look in looks.items() if 0 < look.high <= _DARK)


def _uniform_images(of: Mapping[str, Case], looks: Mapping[str, Look]) -> list[str]:
    uniform = sorted(name for name, look in looks.items() if look.low == look.high)
    if not uniform:
        return []
    return [
        f"{shortlist([str(of[name].image) for name in uniform], 2)}: shows nothing, all its pixels have one "
        f"grey value ({len(uniform)} of {len(looks)} images): replace or remove it"
    ]


def _dark_images(
    of: Mapping[str, Case], looks: Mapping[str, Look], window: Sequence[float] | None
) -> list[str]:
    dark = find_dark(looks)
    if not dark or window is not None:
        return []
    files = shortlist([str(of[name].image) for name in dark], 2)
    line = (
        f"{files}: nearly black, the brightest pixel is {max(looks[name].high for name in dark)} of 255, as "
        f"of 12-bit data in a 16-bit file ({len(dark)} of {len(looks)} images): set "
        "`images: {window: [0.5, 99.5]}`"
    )
    return [AboutSettings(line)]


def _images_with_text(of: Mapping[str, Case], looks: Mapping[str, Look]) -> list[str]:
    texts = [str(of[name].image) for name, look in sorted(looks.items()) if look.lines]
    if not texts:
        return []
    return [
        f"{shortlist(texts, 2)}: lines of text near the borders, which may identify a patient "
        f"({len(texts)} of {len(looks)} images): look at them with `samcarry text FOLDER text.html`, and set "
        "`images: {mask_text: true}` if no network is to see them"
    ]


def _turned_images(of: Mapping[str, Case], looks: Mapping[str, Look]) -> list[str]:
    turned = sorted(str(of[name].image) for name, look in looks.items() if look.turned and look.masks)
    if not turned:
        return []
    return [
        f"{shortlist(turned, 2)}: stored turned or mirrored, and made upright as the orientation tag says "
        f"({len(turned)} of the images with masks): masks have to fit the upright image; if they fit the "
        "stored pixels, save the image without this tag"
    ]


def _empty_labels(of: Mapping[str, Case], looks: Mapping[str, Look]) -> list[str]:
    labelled = [name for name in looks if of[name].labels is not None]
    empty = sorted(str(of[name].labels) for name in labelled if not looks[name].masks)
    if not 0 < len(empty) <= _FEW * len(labelled):
        return []
    return [
        f"{shortlist(empty, 3)}: has no mask, so all classes count as absent ({len(empty)} of "
        f"{len(labelled)} cases with labels): if its masks were forgotten, add them, or remove the folder"
    ]


def _squeezed_images(looks: Mapping[str, Look], size: tuple[int, int], step: int) -> list[str]:
    wanted = size[1] / size[0]
    factors = {name: look.size[1] / look.size[0] / wanted for name, look in looks.items()}
    far = {name: max(by, 1 / by) for name, by in factors.items() if max(by, 1 / by) > _SQUEEZED}
    if not far:
        return []
    worst = max(far, key=lambda name: far[name])
    height, width = looks[worst].size
    line = (
        f"{len(far)} of {len(looks)} images are squeezed to the network's {size[1]} x {size[0]} (width x "
        f"height), the most by {far[worst]:.1f} to 1 ({worst}: {width} x {height})"
    )
    better = network_size([look.size for look in looks.values()], size[0] * size[1], step)
    if better == tuple(size) or len(far) < len(looks) / 2:
        return [AboutSettings(f"{line}: check these images, their aspect is unlike that of the others")]
    return [AboutSettings(f"{line}: set `images: {{height: {better[0]}, width: {better[1]}}}`")]


def _inverted_masks(of: Mapping[str, Case], looks: Mapping[str, Look]) -> list[str]:
    shares: dict[str, dict[str, float]] = defaultdict(dict)
    for name, look in looks.items():
        for of_class, mask in look.masks.items():
            shares[of_class][name] = mask.share
    lines = []
    for of_class, by_case in sorted(shares.items()):
        usual = statistics.median(by_case.values())
        for name, share in sorted(by_case.items()):
            inverse = abs(1 - share - usual) < abs(share - usual) / 2
            if len(by_case) >= 3 and share > _MOST > usual and inverse:
                lines.append(
                    f"{of[name].labels}/{of_class}.png: may be inverted, it covers {share:.0%} of the image, "
                    f"the others about {usual:.0%}: look at it, and save it with 0 outside of the object"
                )
    return lines


def _faint_masks(of: Mapping[str, Case], looks: Mapping[str, Look]) -> list[str]:
    faint = {
        f"{of[name].labels}/{of_class}.png": mask.faint
        for name, look in sorted(looks.items())
        for of_class, mask in sorted(look.masks.items())
        if mask.faint > 0
    }
    if not faint:
        return []
    worst = max(faint, key=lambda file: faint[file])
    return [
        f"{shortlist(sorted(faint), 2)}: not a mask of two values, and every pixel above 0 counts as the "
        f"class; in {worst}, {faint[worst]:.0%} of these pixels are at most half as bright as the "
        f"brightest ({len(faint)} masks): if this is noise of a JPEG, a smooth edge or a value for unsure "
        "pixels, save 0 and 255 only"
    ]


def _equal_masks(of: Mapping[str, Case], looks: Mapping[str, Look]) -> list[str]:
    """A mask that is saved as two classes, and labels that two cases share."""
    lines = []
    cases_with: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    for name, look in sorted(looks.items()):
        classes_with: dict[str, list[str]] = defaultdict(list)
        for of_class, mask in sorted(look.masks.items()):
            classes_with[mask.digest].append(of_class)
        lines += [
            f"{of[name].labels}: the masks of {' and '.join(map(repr, equal))} are the same, pixel by pixel: "
            "if one was saved under a wrong name, correct it"
            for digest, equal in classes_with.items()
            if digest and len(equal) > 1
        ]
        if look.masks and all(mask.digest for mask in look.masks.values()):
            cases_with[tuple((c, mask.digest) for c, mask in sorted(look.masks.items()))].append(name)
    for equal in cases_with.values():
        if len(equal) > 1:
            folders = shortlist([str(of[name].labels) for name in equal], 3)
            lines.append(
                f"{folders}: have the same masks, pixel by pixel: if the labels of one case were saved for "
                "another, correct them"
            )
    return first_lines(lines)


def _similar_classes(classes: Iterable[str]) -> list[str]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(classes):
        groups[re.sub(r"[\s_\-.]+", "", name).lower()].append(name)
    return [
        f"classes {' and '.join(map(repr, names))} differ only in case, blanks or signs: if they are one, "
        f"rename the files, or in an import set `classes: {{{names[0]!r}: {names[1]!r}}}` in its block of "
        "`source`"
        for names in groups.values()
        if len(names) > 1
    ]


def overview(cases: Sequence[Case], looks: Mapping[str, Look]) -> list[str]:
    """A table of cases by split and class, and lines with the sizes and grey values of images."""
    by_split = {split: [case for case in cases if case.split == split] for split in SPLITS}
    classes = sorted({name for look in looks.values() for name in look.masks})
    rows = [["", *SPLITS]]
    rows.append(["images", *(str(len(of_split)) for of_split in by_split.values())])
    rows.append(["patients", *(str(len({case.patient for case in s})) for s in by_split.values())])
    rows.append(["with labels", *(str(sum(c.labels is not None for c in s)) for s in by_split.values())])
    rows += [
        [
            name,
            *(str(sum(name in looks[c.case].masks for c in s if c.case in looks)) for s in by_split.values()),
        ]
        for name in classes
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    if looks:
        heights = sorted(look.size[0] for look in looks.values())
        breadths = sorted(look.size[1] for look in looks.values())
        lows, highs = [look.low for look in looks.values()], [look.high for look in looks.values()]
        lines.append(
            f"width {breadths[0]} to {breadths[-1]}, height {heights[0]} to {heights[-1]} pixels (median "
            f"{statistics.median(breadths):g} x {statistics.median(heights):g})"
        )
        lines.append(
            f"grey values as read: darkest pixel {min(lows)} to {max(lows)}, brightest {min(highs)} to "
            f"{max(highs)} of 255"
        )
    return lines
