"""All findings of an audit in one list, whatever found them, and its file findings.csv."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from samcarry.audit.agreement import Judged
from samcarry.audit.chance import count_standing_out
from samcarry.audit.findings import Finding
from samcarry.audit.readers import Difference
from samcarry.audit.twins import Origin, Twins, describe_twins
from samcarry.audit.words import sentence
from samcarry.evaluation.dice import dice_between
from samcarry.storage.tables import write_table

COLUMNS = ("rank", "case", "split", "kind", "classes", "by_chance", "stands_out", "other", "networks", "text")


@dataclass(frozen=True)
class Row:
    """One likely error.

    Attributes:
        case: name of the case.
        split: its split.
        kind: one of `explanations.KINDS`.
        classes: names of the classes that it concerns; none if all.
        by_chance: how many findings at least as strong chance gives in a data set of this size.
        other: the other case, if the kind has one.
        networks: number of networks that judged it; 0 if none did.
        text: what seems to be wrong, as sentences.
        stands_out: whether it is one of those that chance is unlikely to explain.
    """

    case: str
    split: str
    kind: str
    classes: tuple[str, ...]
    by_chance: float
    other: str
    networks: int
    text: str
    stands_out: bool = False


def collect(
    findings: Sequence[Finding],
    twins: Sequence[Twins],
    differences: Sequence[Difference],
    *,
    judged: Sequence[Judged],
    origins: Mapping[str, Origin],
    classes: Sequence[str],
    share: float,
) -> list[Row]:
    """All findings, the least likely by chance first; those that stand out are marked.

    Which ones stand out is decided for images, by the strongest finding of each: where networks fail in an
    image, they disagree with many of its labels, and these findings are not independent of each other.

    Args:
        findings: by networks.
        twins: pairs of the same radiograph.
        differences: between people who labelled the same image; only those below one by chance are kept.
        judged: the cases that networks judged.
        origins: of all cases.
        classes: names of all classes.
        share: of the images with marked findings that chance may explain, 0..1.
    """
    of = {case.case: case for case in judged}
    same = {frozenset(pair.cases) for pair in twins}
    rows = [
        _of_networks(finding, of, origins, classes)
        for finding in findings
        # Two copies of a radiograph have the same labels, rightly.
        if not finding.proposal.certain or frozenset((finding.case, finding.proposal.detail)) not in same
    ]
    rows += [_of_twins(pair, of, origins) for pair in twins]
    rows += [
        Row(
            one.case,
            origins[one.case].split,
            "annotators",
            (one.name,),
            one.by_chance,
            "",
            0,
            f"The people who labelled {one.name} differ: their masks agree with a Dice of "
            f"{100 * one.dice:.0f} %.",
        )
        for one in differences
        if one.case in origins and one.by_chance < 1
    ]
    rows.sort(key=lambda row: row.by_chance)
    strongest: dict[tuple[str, bool], float] = {}
    for row in rows:
        strongest.setdefault((row.case, row.kind == "same image"), row.by_chance)
    by_image = list(strongest.values())
    count = count_standing_out(by_image, share)
    weakest = by_image[count - 1] if count else -1.0
    return [replace(row, stands_out=row.by_chance <= weakest) for row in rows]


def _of_networks(
    finding: Finding, of: Mapping[str, Judged], origins: Mapping[str, Origin], classes: Sequence[str]
) -> Row:
    found = finding.proposal
    return Row(
        finding.case,
        origins[finding.case].split,
        found.kind,
        tuple(classes[index] for index in dict.fromkeys([*found.classes, *found.to])),
        finding.by_chance,
        found.detail if found.kind == "other image" else "",
        of[finding.case].networks,
        sentence(found, classes),
    )


def _of_twins(twins: Twins, of: Mapping[str, Judged], origins: Mapping[str, Origin]) -> Row:
    one, other = twins.cases
    agreement = None
    if one in of and other in of:
        second = of[other].given[:, :, ::-1] if twins.mirrored else of[other].given
        scores = [dice_between(*masks) for masks in zip(of[one].given, second, strict=True)]
        known = [score for score in scores if score is not None]
        agreement = float(np.mean(known)) if known else None
    text = describe_twins(twins, origins, agreement)
    return Row(one, origins[one].split, "same image", (), twins.by_chance, other, 0, text)


def write_findings(path: str | Path, rows: Sequence[Row]) -> None:
    """Write findings.csv, atomically; classes are joined by ';'."""
    write_table(
        path,
        COLUMNS,
        (
            [
                rank,
                row.case,
                row.split,
                row.kind,
                ";".join(row.classes),
                f"{row.by_chance:.3g}",
                int(row.stands_out),
                row.other,
                row.networks,
                row.text,
            ]
            for rank, row in enumerate(rows, start=1)
        ),
    )
