"""Plant errors in given labels, and count which of them the audit finds.

    python benchmarks/audit.py results/demo --subset n8 --seeds 0 1 2 --hidden --repeats 10
    python benchmarks/audit.py results/demo --subset full --seeds 0 1 2 --errors 3 --repeats 40
    python benchmarks/audit.py results/mine --subset n45 --without     # what is found if nothing is planted
    python benchmarks/audit.py results/demo --subset n8 --seeds 0 1 2 --hidden --other   # other kinds

A results folder of a run is read, and nothing is written. Errors are planted in labels that no network has
learned from (val, test and, with --hidden, hidden labels), so that no training is needed. With --folds, they
are planted in the labelled subset as well, but there the networks of the other folds have learned from labels
without errors.

Each repeat plants errors of all twelve kinds, or --errors of them in turn, in different cases, one error a
case. An error is found if a finding that stands out is in its case, and, if the error concerns some classes
only, names one of them. It is named right if the finding's kind is one of those that describe it. Every other
image with a finding that stands out counts as a false alarm; those whose labels were wrong before (--known)
are counted on their own.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(1, str(Path(__file__).parents[1] / "scripts"))

from planted_errors import DESCRIBE, KINDS, OTHER_KINDS, TWICE, Planted, plant

from samcarry.audit.agreement import Judged
from samcarry.audit.cases import read_judged
from samcarry.audit.explanations import usual_centres
from samcarry.audit.findings import audit
from samcarry.audit.table import Row, collect
from samcarry.audit.twins import Origin, find_twins
from samcarry.data.folds import folds_of
from samcarry.data.manifest import ManifestRow, read_manifest
from samcarry.pipeline.paths import subset_named
from samcarry.storage.stacks import read_shards
from samcarry.storage.texts import read_text


def find(
    cases: Sequence[Judged],
    images: dict[str, NDArray[np.uint8]],
    origins: dict[str, Origin],
    classes: Sequence[str],
    share: float,
) -> list[Row]:
    """The findings that stand out."""
    # A copy is of an unknown patient.
    origins = {case: origins.get(case, Origin("unlabelled", case)) for case in images}
    rows = collect(
        audit(cases),
        find_twins(images, origins),
        [],
        judged=cases,
        origins=origins,
        classes=classes,
        share=share,
    )
    return [row for row in rows if row.stands_out]


def count(
    planted: Sequence[Planted], rows: Sequence[Row], classes: Sequence[str], known: Sequence[str] = ()
) -> dict[str, Counter[str]]:
    """{kind: counts of 'planted', 'found', 'named'; '': of 'true', 'known' and 'false' images}."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    explained: set[int] = set()
    for error in planted:
        hits = []
        for place, row in enumerate(rows):
            twins = row.kind == "same image"
            here = error.case in (row.case, row.other) if twins else row.case == error.case
            named = {classes.index(name) for name in row.classes}
            whole = not error.classes or not named
            if here and twins == (error.kind == TWICE) and (whole or named & error.classes):
                hits.append(place)
        explained |= set(hits)
        counts[error.kind]["planted"] += 1
        counts[error.kind]["found"] += bool(hits)
        counts[error.kind]["named"] += any(rows[place].kind in DESCRIBE.get(error.kind, ()) for place in hits)
    # A pair of copies is no finding about the labels of one image.
    image_of = [(row.case, row.kind == "same image") for row in rows]
    true = {image_of[place] for place in explained}
    for image in {*image_of} - true:
        counts[""]["known" if image[0] in known else "false"] += 1
    counts[""]["true"] += len(true)
    return counts


# ---- reading ------------------------------------------------------------------------------------


def read_run(
    root: Path, subset: str, seeds: Sequence[int], folds: int, *, hidden: bool
) -> tuple[list[Judged], dict[str, NDArray[np.uint8]], dict[str, Origin], list[str]]:
    """Cases, images, their origins and the classes of a results folder."""
    rows = read_manifest(root / "manifest.csv")
    classes = read_text(root / "classes.txt").splitlines()
    chosen: dict[str, list[ManifestRow]] = {}
    n = subset_named(subset).n
    training = sorted((row for row in rows if row.split == "train"), key=lambda row: row.order or 0)[:n]
    dealt = (
        dict(zip(training, folds_of([row.patient for row in training], folds), strict=True)) if folds else {}
    )
    for row in rows:
        wanted = row.labels and (row.split in ("val", "test") or (hidden and row.split == "unlabelled"))
        if wanted or row in dealt:
            of_row = f"{subset}-without{dealt[row]}of{folds}" if row in dealt else subset
            for seed in seeds:
                path = root / of_row / f"seed{seed}/f_theta/probabilities/{row.shard}.nii.gz"
                if path.exists():
                    chosen.setdefault(str(path), []).append(row)
    shards = sorted({row.shard for of_file in chosen.values() for row in of_file})
    names = [[row.case for row in of_file] for of_file in chosen.values()]
    masks = [str(root / f"prepared/{shard}/masks.nii.gz") for shard in shards]
    cases = read_judged(masks, list(chosen), names, classes)
    images = read_shards(
        [str(root / f"prepared/{shard}/images.nii.gz") for shard in shards], [case.case for case in cases]
    )
    return cases, images, {row.case: Origin(row.split, row.patient) for row in rows}, classes


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="results folder of a data set")
    parser.add_argument("--subset", required=True, help="folder of the networks: n8, n45, full")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--folds", type=int, default=0, help="audit the labelled subset too")
    parser.add_argument("--hidden", action="store_true", help="audit hidden labels too")
    parser.add_argument("--errors", type=int, default=len(KINDS), help="errors in a repeat")
    parser.add_argument("--other", action="store_true", help="plant kinds that the audit was not tried on")
    parser.add_argument("--known", nargs="*", default=[], help="cases whose labels are known to be wrong")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.4, help="as audit.share in the config")
    parser.add_argument("--without", action="store_true", help="plant nothing")
    options = parser.parse_args()
    cases, images, origins, classes = read_run(
        options.results, options.subset, options.seeds, options.folds, hidden=options.hidden
    )
    print(f"{options.results}: {len(cases)} cases, {len(classes)} classes, seeds {options.seeds}")
    if options.without:
        rows = find(cases, images, origins, classes, options.share)
        print(f"nothing planted: {len(rows)} findings stand out")
        for row in rows:
            print(f"  {row.case}: {row.text} ({row.by_chance:.2g} by chance)")
        return
    centres, all_kinds = usual_centres(cases), OTHER_KINDS if options.other else KINDS
    total: dict[str, Counter[str]] = defaultdict(Counter)
    for repeat in range(options.repeats):
        rng = np.random.default_rng(repeat)
        first = repeat * options.errors
        kinds = [all_kinds[(first + number) % len(all_kinds)] for number in range(options.errors)]
        changed, changed_images, planted = plant(cases, images, centres, kinds, rng)
        rows = find(changed, changed_images, origins, classes, options.share)
        for kind, counts in count(planted, rows, classes, options.known).items():
            total[kind].update(counts)
        print(f"repeat {repeat}: {len(planted)} planted, {len(rows)} stand out", file=sys.stderr, flush=True)
    print("| planted | n | found | named right |\n|---|---|---|---|")
    for kind in all_kinds:
        if planted_count := total[kind]["planted"]:
            shares = [f"{100 * total[kind][what] / planted_count:.0f} %" for what in ("found", "named")]
            print(f"| {kind} | {planted_count} | {' | '.join(shares)} |")
    everything = sum((total[kind] for kind in all_kinds), Counter())
    shares = [f"{100 * everything[what] / everything['planted']:.0f} %" for what in ("found", "named")]
    print(f"| all | {everything['planted']} | {' | '.join(shares)} |")
    right, known, wrong = (total[""][what] for what in ("true", "known", "false"))
    images = right + known + wrong
    print(
        f"images that stand out: {images}, with planted errors: {right} "
        f"({100 * right / max(images, 1):.0f} %), with errors that were there before: {known}"
    )


if __name__ == "__main__":
    main()
