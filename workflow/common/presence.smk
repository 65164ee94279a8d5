# What the presence step is fitted on, and which methods use it.


def presence_rows(wildcards):
    """Validation cases that the presence step may learn from: none if methods are judged by them."""
    judged_by_them = judged_split(manifest()) == "val"
    return [] if judged_by_them else validation_rows(wildcards)


def presence_folds(wildcards):
    """{case: fold} of X^n, if it has enough patients, and of validation cases."""
    folds = config["presence"]["folds"]
    rows = presence_rows(wildcards)
    dealt = deal([row.patient for row in rows], folds)
    validation = {row.case: fold for row, fold in zip(rows, dealt)}
    return folds_of_cases(subset_cases(wildcards), folds) | validation


def _learned_labels(wildcards):
    """Whether a network learned from the labels of X^n, so that it says nothing honest about these cases."""
    learns_from = method_of_network(wildcards.network).pseudo_labels
    return not learns_from or learns_from.with_labels or bool(learns_from.start)


def _presence_predictions(wildcards):
    """{file: (its cases, whether it is of the network itself)}: X^n seen by networks that did not learn from its labels, and validation cases."""
    place = f"{RESULTS.run(f'n{wildcards.n}', wildcards.seed)}/{wildcards.network}"
    cases = presence_folds(wildcards)
    found = {}
    if _learned_labels(wildcards):
        fitted = cross_fitted_by(wildcards, config["presence"]["folds"])
        found = {file: (of_file, False) for file, of_file in fitted.items()}
        cases = {row.case for row in presence_rows(wildcards)}
    for row in manifest():
        if row.case in cases:
            file = f"{place}/probabilities/{row.shard}.nii.gz"
            found.setdefault(file, ([], True))[0].append(row.case)
    return found


def presence_predictions(wildcards):
    return list(_presence_predictions(wildcards))


def presence_cases(wildcards):
    return list(_presence_predictions(wildcards).values())


def presence_masks(wildcards):
    """Labels of X^n and of the validation cases."""
    validation = {row.shard for row in presence_rows(wildcards)}
    return RESULTS.prepared("masks", sorted({*subset_shards(wildcards), *validation}))


def judged_classes(wildcards):
    """What the presence step says of the classes of the evaluated cases, for methods that use it."""
    method = wildcards.method
    if not method_of(method).judged:
        return []
    folder = method_of(method).predictions
    shards = judged_shards(wildcards)
    return RESULTS.per_shard(wildcards.subset, wildcards.seed, folder, shards, ".csv")


def judgement_of_chain(wildcards):
    """What the presence step says of P, from which a chain starts."""
    run = RESULTS.run(f"n{wildcards.n}", wildcards.seed)
    return f"{run}/{chain_of(wildcards).network}/present/{wildcards.shard}.csv"
