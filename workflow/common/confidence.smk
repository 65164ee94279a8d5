# What calibration reads, and which methods have probabilities.


def validation_rows(wildcards):
    return [row for row in manifest() if row.split == "val" and row.labels]


def assessed_rows(wildcards):
    """Validation cases and those that methods are judged by, which may be the same."""
    judged = judged_split(manifest())
    return [row for row in manifest() if row.split in {"val", judged} and row.labels]


def assessed_shards(wildcards):
    return sorted({row.shard for row in assessed_rows(wildcards)})


def _labels_and_images(rows, wildcards):
    """Label files, and images, whose size predictions are compared at."""
    return {
        "labels": label_files_of(rows, wildcards),
        "images": images_of(rows, wildcards),
    }


def _about(rows):
    """What scripts have to know of cases, as parameters."""
    return {row.case: [row.split, row.patient, row.labels_digest] for row in rows}


# ---- calibrating one network --------------------------------------------------------------------


def calibration_rows(wildcards):
    """The cases that a network is calibrated on: val, or X^n with networks that did not learn from them."""
    rows = validation_rows(wildcards)
    if rows:
        return rows
    wanted = set(subset_cases(wildcards))
    if wildcards.network != "f_theta" or not _cross_fitted(wildcards):
        raise WorkflowError(
            f"there is no validation split, so {wildcards.network} is not calibrated: label some cases for val"
            " (without val, only f_theta of a subset X^n can be calibrated, if adapt.folds is not 0)"
        )
    return [row for row in manifest() if row.case in wanted]


def calibration_probabilities(wildcards):
    """{file: its cases that count}."""
    rows = calibration_rows(wildcards)
    if not validation_rows(wildcards):
        return _cross_fitted(wildcards)
    place = f"{RESULTS.run(wildcards.subset, wildcards.seed)}/{wildcards.network}"
    found = {}
    for row in rows:
        file = f"{place}/probabilities/{row.shard}.nii.gz"
        found.setdefault(file, []).append(row.case)
    return found


def calibration_files(wildcards):
    rows = calibration_rows(wildcards)
    shards = sorted({row.shard for row in rows})
    return _labels_and_images(rows, wildcards) | {
        "probabilities": list(calibration_probabilities(wildcards)),
        "prepared": RESULTS.prepared("images", shards),
    }


def calibration_cases(wildcards):
    return list(calibration_probabilities(wildcards).values())


def calibration_about(wildcards):
    return _about(calibration_rows(wildcards))


def learned_from(wildcards):
    """The cases whose images a network saw in training: X^n, and the unlabelled ones unless it is f_theta."""
    subset = set(subset_cases(wildcards))
    of_theta = wildcards.network in ("f_theta", *_joins("f_theta"))
    return [
        row
        for row in manifest()
        if row.case in subset or (row.split == "unlabelled" and not of_theta)
    ]


def _joins(network):
    """The folders of the ensembles of a network."""
    return [method.network for method in METHODS if method.ensemble_of == network]


def learned_images(wildcards):
    shards = sorted({row.shard for row in learned_from(wildcards)})
    return RESULTS.prepared("images", shards)


def learned_cases(wildcards):
    return [row.case for row in learned_from(wildcards)]


# ---- assessing methods --------------------------------------------------------------------------


def methods_with_probabilities(wildcards):
    """The methods of Table 1 whose probabilities are assessed; none without a validation split."""
    if not validation_rows(wildcards):
        return []
    methods = config["table"]["methods"]
    missing = missing_methods(methods, manifest())
    return [
        method
        for method in methods
        if method_of(method).gives_probabilities and method not in missing
    ]


def assessed_probabilities(wildcards):
    """Probabilities of every seed of a method, on val and the judged split; all shards of a seed in a row."""
    n, shards = size_or_main(wildcards), assessed_shards(wildcards)
    return [
        file
        for seed in seeds_of(wildcards.method)
        for file in RESULTS.predictions(wildcards.method, n, seed, shards)
    ]


def assessed_files(wildcards):
    return _labels_and_images(assessed_rows(wildcards), wildcards)


def assessed_about(wildcards):
    return _about(assessed_rows(wildcards))


def assessments(kind):
    """An input function: a table of each method with probabilities."""
    return lambda wildcards: [
        f"{RESULTS.root}/{subset_of(method, config['n'])}/confidence/{method}/{kind}.csv"
        for method in methods_with_probabilities(wildcards)
    ]


def members_of_ensemble(wildcards):
    """The models of every seed."""
    of = method_of_network(wildcards.ensemble).ensemble_of
    return [
        f"{RESULTS.run(f'n{wildcards.n}', seed)}/{of}/model.safetensors"
        for seed in config["seeds"]
    ]
