"""The manifest of a prepared data set: each case's shard, for good, and its rank in training."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from samcarry.data.cases import Case, fraction_of
from samcarry.errors import DamagedError, InputError
from samcarry.storage.tables import read_table, write_table

_COLUMNS = (
    *("case", "shard", "split", "patient", "order", "image", "labels", "classes"),
    *("image_digest", "labels_digest"),
)


@dataclass(frozen=True)
class ManifestRow:
    """One case of a prepared data set.

    Attributes:
        case: its name.
        shard: the shard that holds it, as 'unlabelled-0003'.
        split: train, val, test or unlabelled.
        patient: whose it is.
        order: its place among the training cases, from 0; None in the other splits.
        image: path of its image, relative to the data set's folder.
        labels: path of its label folder, likewise; '' if it has none.
        classes: the classes that occur in its labels (those of an unlabelled case included, which
            only full supervision may read), sorted.
        image_digest: of the image file's content, as `contents.digests_of` gives it.
        labels_digest: of the label files' names and contents, likewise.
    """

    case: str
    shard: str
    split: str
    patient: str
    order: int | None
    image: str
    labels: str
    classes: tuple[str, ...]
    image_digest: str = ""
    labels_digest: str = ""


def order_training_cases(
    cases: Iterable[Case], classes_of_case: Mapping[str, set[str]], seed: int
) -> list[str]:
    """The order in which training cases enter the nested subsets X^1, X^2, ...

    Cases with an explicit order come first, ascending. If none has one, X^1 is the case that
    covers most classes (ties by name). The rest follow in a permutation drawn by the seed, in
    which a new case leaves the others' order as it is.

    Args:
        cases: all cases; those of other splits are passed over.
        classes_of_case: the classes that occur in each training case.
        seed: draws the permutation.

    Returns:
        The names of the training cases.
    """
    training = [case for case in cases if case.split == "train"]
    ranked = sorted((case.order, case.case) for case in training if case.order is not None)
    first = [name for _, name in ranked]
    rest = [case.case for case in training if case.order is None]
    if not first and rest:
        first = [min(rest, key=lambda name: (-len(classes_of_case.get(name, ())), name))]
        rest.remove(first[0])
    return first + sorted(rest, key=lambda name: fraction_of(f"order:{seed}:{name}"))


def assign_shards(cases: Iterable[Case], previous: Mapping[str, str], shard_size: int) -> dict[str, str]:
    """Give every case a shard of its split: {case: 'unlabelled-0003'}.

    A case keeps the shard that it has in `previous` as long as its split is the same. New ones, in
    order of name, fill up the last shard of their split, then new shards. Gaps that removed cases
    leave in other shards stay, and a smaller `shard_size` does not break up old shards.

    Args:
        cases: all cases.
        previous: the shards of the last time; empty at first.
        shard_size: how many cases a shard holds at most, 1 or more.
    """
    if shard_size < 1:
        raise InputError(f"shard_size {shard_size}: a shard holds at least one case; write 1 or more")
    shards: dict[str, str] = {}
    fresh: dict[str, list[str]] = defaultdict(list)
    filled: dict[tuple[str, int], int] = defaultdict(int)
    last: dict[str, int] = defaultdict(int)
    for case in sorted(cases, key=lambda case: case.case):
        match = re.fullmatch(rf"{case.split}-(\d+)", previous.get(case.case, ""))
        if match:
            number = int(match[1])
            shards[case.case] = previous[case.case]
            filled[case.split, number] += 1
            last[case.split] = max(last[case.split], number)
        else:
            fresh[case.split].append(case.case)
    for split, names in fresh.items():
        for name in names:
            if filled[split, last[split]] >= shard_size:
                last[split] += 1
            filled[split, last[split]] += 1
            shards[name] = f"{split}-{last[split]:04d}"
    return dict(sorted(shards.items()))


def manifest_rows(
    folder: str | Path,
    cases: Iterable[Case],
    *,
    shards: Mapping[str, str],
    training_order: Sequence[str],
    classes_of_case: Mapping[str, set[str]],
    digests: Mapping[str, tuple[str, str]],
) -> list[ManifestRow]:
    """Put together what is known of each case.

    Args:
        folder: the data set's folder, which the paths become relative to.
        cases: as `find_cases` gives them.
        shards: as `assign_shards` gives them.
        training_order: as `order_training_cases` gives it.
        classes_of_case: as in `Contents.of_case`.
        digests: as `contents.digests_of` gives them.
    """
    place = {name: number for number, name in enumerate(training_order)}
    return [
        ManifestRow(
            case=case.case,
            shard=shards[case.case],
            split=case.split,
            patient=case.patient,
            order=place.get(case.case),
            image=case.image.relative_to(folder).as_posix(),
            labels=case.labels.relative_to(folder).as_posix() if case.labels else "",
            classes=tuple(sorted(classes_of_case.get(case.case, ()))),
            image_digest=digests[case.case][0],
            labels_digest=digests[case.case][1],
        )
        for case in cases
    ]


def write_manifest(path: str | Path, rows: Iterable[ManifestRow]) -> None:
    """Write the manifest as CSV, atomically; classes are joined by ';', no order is empty."""
    texts = (
        asdict(row) | {"order": "" if row.order is None else row.order, "classes": ";".join(row.classes)}
        for row in rows
    )
    write_table(path, _COLUMNS, ([text[name] for name in _COLUMNS] for text in texts))


def read_manifest(path: str | Path) -> list[ManifestRow]:
    """Read a manifest as `write_manifest` left it.

    Raises:
        DamagedError: the file is missing or is not a manifest.
    """
    rows = []
    for texts in read_table(path, _COLUMNS):
        if texts["order"] and not texts["order"].isdecimal():
            raise DamagedError(path, f"order {texts['order']!r} is not a number")
        rows.append(
            ManifestRow(
                case=texts["case"],
                shard=texts["shard"],
                split=texts["split"],
                patient=texts["patient"],
                order=int(texts["order"]) if texts["order"] else None,
                image=texts["image"],
                labels=texts["labels"],
                classes=tuple(texts["classes"].split(";")) if texts["classes"] else (),
                image_digest=texts["image_digest"],
                labels_digest=texts["labels_digest"],
            )
        )
    return rows


def judged_split(rows: Iterable[ManifestRow]) -> str:
    """The split that methods are judged on: test; val where the data set has no test case."""
    return "test" if any(row.split == "test" for row in rows) else "val"


def has_hidden_labels(rows: Iterable[ManifestRow]) -> bool:
    """Whether an unlabelled case has labels, which full supervision may read."""
    return any(row.labels and row.split == "unlabelled" for row in rows)


def missing_methods(methods: Sequence[str], rows: Iterable[ManifestRow]) -> dict[str, str]:
    """Those of `methods` that this data set cannot have, and why."""
    if "unet_full" in methods and not has_hidden_labels(rows):
        return {"unet_full": "no unlabelled case has labels"}
    return {}
