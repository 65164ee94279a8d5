"""Wrist studies after GRAZPEDWRI-DX: CVAT annotations and a table of patients, sides and views."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.data.cases import fraction_of
from samcarry.data.contract import COLUMNS
from samcarry.errors import InputError, raise_faults, shortlist
from samcarry.formats.cvat import read_cvat
from samcarry.formats.rasterise import draw
from samcarry.formats.shapes import Annotation, Choose, as_it_is
from samcarry.images.grey import read_grey, write_grey
from samcarry.images.masks import write_mask
from samcarry.importing.folders import case_of, find_image_files, keep_times
from samcarry.storage.files import atomic
from samcarry.storage.sheets import read_sheet
from samcarry.storage.tables import write_table

_PROJECTIONS = _FRONTAL, _LATERAL, _OBLIQUE = ("1", "2", "3")  # as dataset.csv writes them


@dataclass(frozen=True)
class Record:
    """What dataset.csv knows of an image."""

    patient: str
    is_right: bool
    is_frontal: bool


def read_table(path: Path) -> dict[str, Record]:
    """dataset.csv as {filestem: record}.

    Raises:
        InputError: a line for each fault: a laterality, projection or filestem that cannot be.
    """
    records: dict[str, Record] = {}
    faults = []
    for row in read_sheet(path, ["filestem", "patient_id", "laterality", "projection"]):
        stem = row["filestem"]
        if row["laterality"] not in ("L", "R"):
            faults.append(f"{path}: laterality {row['laterality']!r} of {stem!r}; write L or R")
        if row["projection"] not in _PROJECTIONS:
            faults.append(f"{path}: projection {row['projection']!r} of {stem!r}; write 1, 2 or 3")
        if stem in records:
            faults.append(f"{path}: has two rows for {stem!r}; remove one")
        records[stem] = Record(row["patient_id"], row["laterality"] == "R", row["projection"] == _FRONTAL)
    raise_faults(faults)
    return records


def read_stems(path: Path) -> list[str]:
    """The names in the column filestem (or file_stem) of a CSV file, in order.

    Raises:
        InputError: if there is none.
    """
    rows = read_sheet(path)
    for column in ("filestem", "file_stem"):
        if rows and column in rows[0]:
            return [row[column] for row in rows]
    raise InputError(f"{path}: has no column filestem or no row; give the names of images there")


_LABELLED = ("train", "val", "test")
_CURE = "check the paths of images, table and annotations, or leave this one out"


@dataclass(frozen=True)
class _Source:
    """Where images come from, and which of them are taken how."""

    folder: Path
    files: Mapping[str, Path]
    records: Mapping[str, Record]
    frontal_only: bool
    mirror_right: bool
    window: tuple[float, float] | None

    def why_skipped(self, stem: str) -> str:
        """Why an image is not taken; '' if it is."""
        if stem not in self.records:
            return "not in the table"
        if self.frontal_only and not self.records[stem].is_frontal:
            return "not frontal"
        return "" if stem in self.files else "without an image file"

    def is_mirrored(self, stem: str) -> bool:
        return self.mirror_right and self.records[stem].is_right


def import_cvat(
    *,
    images: Path,
    annotations: Mapping[str, Sequence[Path]],
    table: Path,
    order: Path | None,
    unlabelled: Path | int | None,
    label: str | None,
    attribute: str | None,
    classes: Sequence[str] | None,
    destination: Path,
    frontal_only: bool = True,
    mirror_right: bool = True,
    window: tuple[float, float] | None = None,
    seed: int = 0,
) -> list[str]:
    """Write images/, labels/ and cases.csv to `destination`, whole or not at all.

    Entries that the table does not know, other projections and images that are not there are
    skipped and counted. Annotations belong to the image as it is on disk; a right hand's image and
    masks are mirrored together, to look like a left one's. Images become 8-bit grey PNGs.

    Args:
        images: folder of the image files, which may lie in subfolders.
        annotations: CVAT files of train, val and test; a split may be missing.
        table: dataset.csv with filestem, patient_id, laterality (L or R) and projection (1 is
            frontal).
        order: training_order.csv with the column file_stem, in the order of entering X^n.
        unlabelled: CSV with the column filestem, or how many images of the table are drawn that are
            there and have no annotation; None takes all of them.
        label: as in `read_cvat`.
        attribute: as in `read_cvat`.
        classes: the classes wanted; None takes all.
        destination: the data set's folder; one that is there already is replaced.
        frontal_only: leave out the other projections.
        mirror_right: mirror right hands.
        window: as in `read_grey`.
        seed: draws other unlabelled images.

    Returns:
        What was taken and what was skipped, a line for each split, and what was dropped.

    Raises:
        InputError: a line for each fault: unreadable files, an image of another size than its
            annotation, an image annotated twice, a split of which no image is there.
    """
    images, destination = Path(images), Path(destination)
    if images.resolve().is_relative_to(destination.resolve()):
        raise InputError(f"{destination}: would replace the folder of the images; name another")
    if unknown := sorted(set(annotations) - set(_LABELLED)):
        raise InputError(f"annotations: split {unknown[0]!r} is unknown; write train, val or test")
    faults: list[str] = []
    source = _Source(
        images, find_image_files(images, faults), read_table(table), frontal_only, mirror_right, window
    )
    rank = {stem: place for place, stem in enumerate(read_stems(order) if order else [])}
    read = partial(read_cvat, label=label, attribute=attribute)
    dropped: Counter[str] = Counter()
    lines: list[str] = []
    split_of: dict[str, str] = {}  # every annotated image, those that were skipped included
    rows: list[tuple[str, str, str, int | str]] = []

    with atomic(destination) as private:
        for split in (split for split in _LABELLED if split in annotations):
            entries = _entries(annotations[split], read, classes, dropped, faults)
            taken, line = _take_annotated(split, entries, source, private, split_of, faults)
            lines.append(line)
            for stem in taken:
                place = rank.get(stem, "") if split == "train" else ""
                rows.append((stem, source.records[stem].patient, split, place))
        is_listed = isinstance(unlabelled, Path)
        listed = read_stems(unlabelled) if isinstance(unlabelled, Path) else list(source.records)
        stems = [stem for stem in dict.fromkeys(listed) if stem not in split_of]
        if isinstance(unlabelled, int):
            stems = _sample([stem for stem in stems if not source.why_skipped(stem)], unlabelled, seed)
        taken = _take_unlabelled(stems, source, private, faults)
        lines.append(_summary("unlabelled", stems, taken, source, all_named=is_listed))
        if is_listed and not taken:
            faults.append(f"{unlabelled}: none of its images is in {images} ({lines[-1]}); {_CURE}")
        rows += [(stem, source.records[stem].patient, "unlabelled", "") for stem in taken]
        raise_faults(faults)
        _write_cases(private / "cases.csv", rows, source)
        keep_times(private, destination)
    if dropped:
        told = shortlist([f"{name} {count}" for name, count in sorted(dropped.items())], 50)
        lines.append(f"dropped {dropped.total()} shapes not asked for: {told}")
    return lines


def _entries(
    paths: Sequence[Path],
    read: Callable[[Path, Choose], list[Annotation]],
    classes: Sequence[str] | None,
    dropped: Counter[str],
    faults: list[str],
) -> Iterator[Annotation]:
    """The images of CVAT files; what is not wanted is counted, and a file without what is wanted a fault."""
    for path in paths:
        met: Counter[str] = Counter()

        def choose(name: str, met: Counter[str] = met) -> str | None:
            if classes is None or name in classes:
                return as_it_is(name)
            met[name] += 1
            return None

        try:
            entries = read(path, choose)
        except InputError as error:
            faults += str(error).splitlines()
            continue
        if met and not any(entry.shapes for entry in entries):
            faults.append(
                f"{path}: none of its shapes is of the classes asked for (it has {shortlist(sorted(met))}); "
                "mend attribute or classes"
            )
        dropped += met + Counter(kind for entry in entries for kind in entry.passed_over)
        yield from entries


def _take_annotated(
    split: str,
    entries: Iterable[Annotation],
    source: _Source,
    destination: Path,
    split_of: dict[str, str],
    faults: list[str],
) -> tuple[list[str], str]:
    """Write the images and masks of one split; the names taken and a line of summary."""
    taken: list[str] = []
    stems: list[str] = []
    for entry in entries:
        try:
            stem = case_of(entry, source.folder)
        except InputError as error:
            faults.append(f"{entry.source}: image {entry.name!r} {error}")
            continue
        if stem in split_of:
            faults.append(
                f"{entry.source}: image {entry.name!r} is annotated in {split_of[stem]} already; "
                "remove one of the two"
            )
            continue
        split_of[stem] = split
        stems.append(stem)
        if source.why_skipped(stem):
            continue
        image = _take_image(stem, source, destination, faults)
        if image is None:
            continue
        if image.shape != entry.size:
            rows, columns = entry.size or (0, 0)
            faults.append(
                f"{source.files[stem]}: is {image.shape[1]} x {image.shape[0]}, its annotation in "
                f"{entry.source} is for {columns} x {rows} (width x height); use the image "
                "that was annotated"
            )
            continue
        folder = destination / "labels" / stem
        folder.mkdir(parents=True)
        for name, mask in draw(entry, *image.shape, faults).items():
            if not mask.any():
                continue  # a shape so small that it covers no pixel's centre
            mirrored = mask[:, ::-1] if source.is_mirrored(stem) else mask
            write_mask(folder / f"{name}.png", mirrored)
        taken.append(stem)
    line = _summary(split, stems, taken, source)
    if not taken and not faults:
        faults.append(f"{source.folder}: no image of {split} is there or fit ({line}); {_CURE}")
    return taken, line


def _sample(stems: Sequence[str], count: int, seed: int) -> list[str]:
    """`count` of the stems; a later image pushes out one of them at most."""
    return sorted(stems, key=lambda stem: fraction_of(f"unlabelled:{seed}:{stem}"))[:count]


def _take_unlabelled(
    stems: Sequence[str], source: _Source, destination: Path, faults: list[str]
) -> list[str]:
    """Write unlabelled images; the names taken."""
    return [
        stem
        for stem in stems
        if not source.why_skipped(stem) and _take_image(stem, source, destination, faults) is not None
    ]


def _take_image(stem: str, source: _Source, destination: Path, faults: list[str]) -> NDArray[np.uint8] | None:
    """Write an image as 8-bit grey PNG, mirrored if need be; return it as it was."""
    try:
        image = read_grey(source.files[stem], source.window)
    except InputError as error:
        faults.append(str(error))
        return None
    mirrored = image[:, ::-1] if source.is_mirrored(stem) else image
    write_grey(destination / "images" / f"{stem}.png", mirrored)
    return image


def _summary(
    split: str, stems: Sequence[str], taken: Sequence[str], source: _Source, *, all_named: bool = True
) -> str:
    """One line on a split: how many were taken, how many skipped, and why."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for stem in stems:
        if reason := source.why_skipped(stem):
            reasons[reason].append(stem)
    # What is missing is named; of all the table's other images a few names are enough.
    most = len(stems) if all_named else 5
    skipped = [f"{len(names)} {reason} ({shortlist(names, most)})" for reason, names in reasons.items()]
    mirrored = sum(source.is_mirrored(stem) for stem in taken)
    line = f"{split}: took {len(taken)} of {len(stems)} images, {mirrored} of them mirrored"
    return "; skipped ".join([line, ", ".join(skipped)]) if skipped else line


def _write_cases(path: Path, rows: Sequence[tuple[str, str, str, int | str]], source: _Source) -> None:
    """Write cases.csv; `mirrored` is 1 where exports have to undo it."""
    records = ((*row, int(source.is_mirrored(row[0]))) for row in sorted(rows))
    write_table(path, [*COLUMNS, "mirrored"], records)
