"""The manifest of a prepared data set: each case's permanent shard and training rank."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from samcarry.data.cases import Case, hash_fraction
from samcarry.data.contract import LABELLED_SPLITS, SPLITS
from samcarry.data.patients import patient_key
from samcarry.errors import DamagedError, InputError
from samcarry.storage.checksums import check
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
_NOTES = ("spacing", "group")


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
        spacing: mm per pixel as in cases.csv; '' if it does not say.
        group: the group in cases.csv; '' if it has none.
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
    spacing: str = ""
    group: str = ""


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
        classes_of_case: as `checks.Contents.of_case`.
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
            spacing=case.spacing,
            group=case.group,
        )
        for case in cases
    ]


def write_manifest(path: str | Path, rows: Iterable[ManifestRow]) -> None:
    """Write the manifest as CSV, atomically; classes are joined by ';', a missing order is empty."""
    texts = (
        asdict(row) | {"order": "" if row.order is None else row.order, "classes": ";".join(row.classes)}
        for row in rows
    )
    columns = (*_COLUMNS, *_NOTES)
    write_table(path, columns, ([text[name] for name in columns] for text in texts))


def read_manifest(path: str | Path) -> list[ManifestRow]:
    """The rows of a manifest that `write_manifest` wrote.

    Raises:
        DamagedError: the file is missing, is not a manifest, or contradicts itself: a case twice, a shard of
            another split, a rank outside of train, a labelled split without labels, or a patient in two of
            train, val and test.
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
                **{name: texts.get(name, "") for name in _NOTES},  # earlier manifests have none
            )
        )
    if fault := _contradiction(rows):
        raise DamagedError(path, f"{fault}; cases.csv is where to change splits and patients")
    return rows


def _contradiction(rows: Sequence[ManifestRow]) -> str:
    """What no manifest can say, of the first such row; '' if there is none."""
    seen: set[str] = set()
    ranks: set[int] = set()
    split_of: dict[str, str] = {}
    for row in rows:
        if not row.case or row.case in seen:
            return f"case {row.case!r} is there twice"
        seen.add(row.case)
        if row.split not in SPLITS or not re.fullmatch(rf"{row.split}-\d{{4,}}", row.shard):
            return f"case {row.case!r} is in split {row.split!r} and in shard {row.shard!r}"
        if (row.order is not None) != (row.split == "train") or row.order in ranks:
            return f"case {row.case!r} in {row.split} has order {row.order}"
        if row.order is not None:
            ranks.add(row.order)
        if row.split not in LABELLED_SPLITS:
            continue
        if not row.labels:
            return f"case {row.case!r} in {row.split} has no labels"
        if split_of.setdefault(patient_key(row.patient), row.split) != row.split:
            return f"patient {row.patient!r} is in {split_of[patient_key(row.patient)]} and {row.split}"
    return ""


def previous_shards(path: str | Path, results: str | Path, warnings: list[str]) -> dict[str, str]:
    """The shard of each case in the manifest of the previous run; {} if there was none.

    Args:
        path: the manifest.
        results: the results folder of the data set.
        warnings: one line is added if the manifest has changed since it was written. Its shards are used
            anyway: they only say which job processes a case.

    Raises:
        DamagedError: it is not a manifest, see `read_manifest`.
    """
    if not Path(path).exists():
        return {}
    try:
        check(path, results)
    except DamagedError as error:  # also after a kill between the manifest and its checksum
        warnings.append(f"{error}: all is listed again, in the shards that it names")
    return {row.case: row.shard for row in read_manifest(path)}


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
