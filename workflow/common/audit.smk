# What the audit of labels reads: every given label, seen by networks that did not learn from it.


def _audit_folds():
    """Number of folds of X^n: not more than it has patients; 0 if it has one."""
    patients = {row.case: row.patient for row in manifest()}
    count = len({patients[case] for case in main_cases(None)})
    return min(config["audit"]["folds"], count) if count > 1 else 0


def _audited():
    """{kind of labels: cases} of all labels that the audit may read."""
    subset = set(main_cases(None))
    kinds = {"labelled subset": [], "other training labels": [], "validation": []}
    kinds |= {"test": [], "hidden labels": []}
    names = {"train": "other training labels", "val": "validation", "test": "test"}
    for row in manifest():
        if row.case in subset:
            kinds["labelled subset"].append(row.case)
        elif row.labels and (row.split in names or config["audit"]["hidden"]):
            kinds[names.get(row.split, "hidden labels")].append(row.case)
    return kinds


def _audit_predictions():
    """{file: cases}: for each seed, X^n by networks without its fold, and other cases by f_θ."""
    kinds, n, folds = _audited(), config["n"], _audit_folds()
    fold_of = folds_of_cases(main_cases(None), folds) if folds else {}
    subset_of_case = {case: Subset(n, fold, folds) for case, fold in fold_of.items()}
    subset_of_case |= {
        case: Subset(n)
        for kind, cases in kinds.items()
        for case in cases
        if kind != "labelled subset"
    }
    found = {}
    for seed in config["seeds"]:
        for row in manifest():
            if row.case in subset_of_case:
                run = RESULTS.run(subset_of_case[row.case].name, seed)
                file = f"{run}/f_theta/probabilities/{row.shard}.nii.gz"
                found.setdefault(file, []).append(row.case)
    return found


def audit_files(wildcards):
    """Every file that the audit reads, by what it is."""
    labelled = {case for cases in _audited().values() for case in cases}
    shards = sorted({row.shard for row in manifest() if row.case in labelled})
    return known_sizes() | {
        "predictions": list(_audit_predictions()),
        "masks": RESULTS.prepared("masks", shards),
        "images": RESULTS.prepared("images", shards_of(*SPLITS)),
        "readers": readers_file(config),
    }


def audit_cases(wildcards):
    return list(_audit_predictions().values())


def audit_kinds(wildcards):
    return _audited()


def origins_of_cases(wildcards):
    """{case: [split, patient]}."""
    return {row.case: [row.split, row.patient] for row in manifest()}
