"""The manifest of a prepared data set: each case's permanent shard and training rank."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from samcarry.data.cases import Case, hash_fraction
from samcarry.errors import DamagedError, InputError
from samcarry.storage.tables import read_table, write_table

_COLUMNS = (
    "case",
    "shard",
    "split",
    "patient",
    "order",
    "image",
    "labels",
    "classes",
    "image_digest",
    "labels_digest",
)


@dataclass(frozen=True)
class ManifestRow:
    """One case of a prepared data set.

    Attributes:
        case: name of the case.
        shard: the shard that contains it, for example 'unlabelled-0003'.
        split: train, val, test or unlabelled.
        patient: name of the patient.
        order: rank among the training cases, from 0; None in the other splits.
        image: path of the image, relative to the data set's folder.
        labels: path of the label folder, relative to the data set's folder; '' if there is none.
        classes: the classes that occur in its labels, hidden labels included, sorted.
        image_digest: digest of the image file, see `checks.digests_of`.
        labels_digest: digest of the label files' names and contents, see `checks.digests_of`.
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
    """The order in which training cases join the nested labelled subsets X^1, X^2, ...

    Cases with an explicit order come first, in ascending order. If no case has one, X^1 is the case with
    the most classes (ties by name). The rest follow in a random permutation; adding a case does not change
    the order of the others.

    Args:
        cases: all cases; only those of train are used.
        classes_of_case: the classes that occur in each training case.
        seed: seed of the permutation.

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
    return first + sorted(rest, key=lambda name: hash_fraction(f"order:{seed}:{name}"))


def assign_shards(cases: Iterable[Case], previous: Mapping[str, str], shard_size: int) -> dict[str, str]:
    """The shard of every case, for example {case: 'unlabelled-0003'}; a shard belongs to one split.

    A case keeps its shard from `previous` as long as its split is unchanged. New cases, sorted by name,
    fill up the last shard of their split and then new shards. Gaps left by removed cases in other shards
    stay, and a smaller `shard_size` does not split old shards.

    Args:
        cases: all cases.
        previous: the shards in the previous manifest; empty at first.
        shard_size: maximum number of cases in a shard, 1 or more.

    Raises:
        InputError: `shard_size` is less than 1.
    """
    if shard_size < 1:
        raise InputError(f"shard_size {shard_size}: a shard contains at least one case; write 1 or more")
    shards: dict[str, str] = {}
    new: dict[str, list[str]] = defaultdict(list)
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
            new[case.split].append(case.case)
    for split, names in new.items():
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
    """The manifest's rows, one per case.

    Args:
        folder: the data set's folder; paths in the manifest are relative to it.
        cases: the cases, as `find_cases` returns them.
        shards: the shards, as `assign_shards` returns them.
        training_order: the training cases in order, as `order_training_cases` returns them.
        classes_of_case: as `PresentClasses.of_case`.
        digests: the digests, as `digests_of` returns them.
    """
    rank = {name: number for number, name in enumerate(training_order)}
    return [
        ManifestRow(
            case=case.case,
            shard=shards[case.case],
            split=case.split,
            patient=case.patient,
            order=rank.get(case.case),
            image=case.image.relative_to(folder).as_posix(),
            labels=case.labels.relative_to(folder).as_posix() if case.labels else "",
            classes=tuple(sorted(classes_of_case.get(case.case, ()))),
            image_digest=digests[case.case][0],
            labels_digest=digests[case.case][1],
        )
        for case in cases
    ]


def write_manifest(path: str | Path, rows: Iterable[ManifestRow]) -> None:
    """Write the manifest as CSV, atomically; classes are joined by ';', a missing order is empty."""
    texts = (
        asdict(row) | {"order": "" if row.order is None else row.order, "classes": ";".join(row.classes)}
        for row in rows
    )
    write_table(path, _COLUMNS, ([text[name] for name in _COLUMNS] for text in texts))


def read_manifest(path: str | Path) -> list[ManifestRow]:
    """The rows of a manifest that `write_manifest` wrote.

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
    """The split on which methods are evaluated: test, or val if the data set has no test case."""
    return "test" if any(row.split == "test" for row in rows) else "val"


def has_hidden_labels(rows: Iterable[ManifestRow]) -> bool:
    """Whether any unlabelled case has hidden labels."""
    return any(row.labels and row.split == "unlabelled" for row in rows)


def missing_methods(methods: Sequence[str], rows: Iterable[ManifestRow]) -> dict[str, str]:
    """Methods that cannot run on this data set, as {method: reason}."""
    if "unet_full" in methods and not has_hidden_labels(rows):
        return {"unet_full": "no unlabelled case has labels"}
    return {}
