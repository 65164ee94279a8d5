# Which cases, shards and files of the data set a rule reads.


# As functions of the wildcards, since Snakemake's linter takes plain paths in `params` for mistakes.


def source_data(wildcards):
    """The folder with images/, labels/ and cases.csv, without corrections."""
    return source_folder(config)


def data_folder(wildcards):
    """The data set that all rules work on: the source, or its copy with an annotator's corrections."""
    return (
        f"{RESULTS.root}/corrected" if config["corrections"] else source_data(wildcards)
    )


def source_cases(wildcards):
    """cases.csv if a rule makes the data set; nothing if the user provides it."""
    return cases_file(config)


def made_cases(wildcards):
    """As `source_cases`, with corrections."""
    if config["corrections"]:
        return f"{RESULTS.root}/corrected/cases.csv"
    return source_cases(wildcards)


def source_images(wildcards):
    """The folder from which an import read the images; None if there was no import."""
    return image_source(config["source"])


@functools.cache
def _mirrored_images():
    return or_stop(mirrored_side, config)


def mirrored_images(wildcards):
    """The side whose images are mirrored in the data set; None if none is."""
    return _mirrored_images()


def imported_files(wildcards):
    """The annotations and tables that an import reads; for those that are fetched, the list of them."""
    files = source_files(config["source"])
    return (
        [*fetched_data(wildcards), *own_files(config, files)] if FETCHES_DATA else files
    )


def user_data(wildcards):
    """A digest of the contents of the user's files that the source is read from, so that a change is noticed."""
    fetched_data(wildcards)
    return _contents(*user_paths(config["source"]))


def all_user_data(wildcards):
    """As `user_data`, with corrections."""
    fetched_data(wildcards)
    return _contents(*user_paths(config["source"]), *config["corrections"])


@functools.cache
def _contents(*paths):
    return digest_of(paths, MEMORY)


def making(wildcards):
    """How rules make the data set, so that a change is noticed even if the run ends before the input checks."""
    form = config["source"]["format"]
    rules = {
        "folder": [],
        "phantom": ["prepare/draw_phantoms"],
        "cvat": ["import/import_cvat", "import/import_annotations"],
    }.get(form, ["import/import_annotations"])
    rules += ["review/apply_corrections"] if config["corrections"] else []
    settings = [config["corrections"], config["corrections_replace"]]
    return [config["source"].get(form), settings, [code_of(rule) for rule in rules]]


@functools.lru_cache(maxsize=4)
def _read_manifest(path, time):
    return or_stop(read_manifest, intact(path))


def _listed():
    """The manifest and its time; makes Snakemake list the cases first if that was not done yet."""
    path = checkpoints.list_cases.get(dataset=DATASET).output.manifest
    return path, os.stat(path).st_mtime_ns


def manifest():
    """All cases with split and shard."""
    return _read_manifest(*_listed())


def classes(wildcards):
    path = checkpoints.list_cases.get(dataset=DATASET).output.classes
    return _read_classes(path, os.stat(path).st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _read_classes(path, time):
    return or_stop(read_text, intact(path)).splitlines()


# ---- shards, as functions of the wildcards ------------------------------------------------------


def shards_of(*splits, labelled=False):
    """Names of the shards of some splits; with `labelled` only those with a labelled case."""
    return list(_shards_of(*_listed(), splits, labelled))


@functools.cache
def _shards_of(path, time, splits, labelled):
    rows = _read_manifest(path, time)
    return sorted(
        {
            row.shard
            for row in rows
            if row.split in splits and (row.labels or not labelled)
        }
    )


def judged_shards(wildcards):
    return shards_of(judged_split(manifest()))


def unlabelled_shards(wildcards):
    return shards_of("unlabelled")


def hidden_shards(wildcards):
    """Shards of unlabelled cases with hidden labels."""
    return shards_of("unlabelled", labelled=True)


def validation_shards(wildcards):
    return shards_of("val", labelled=True)


def labelled_shards(wildcards):
    """Shards of all labelled cases outside of val and test, hidden labels included."""
    return shards_of("train", "unlabelled", labelled=True)


def subset_shards(wildcards):
    """Shards of the labelled cases that networks of this subset learn from."""
    shards = _shard_of_case(*_listed())
    return sorted({shards[case] for case in subset_cases(wildcards)})


@functools.lru_cache(maxsize=4)
def _shard_of_case(path, time):
    return {row.case: row.shard for row in _read_manifest(path, time)}


# ---- cases --------------------------------------------------------------------------------------


def subset_cases(wildcards):
    """The cases of X^n in their order, perhaps without a fold, or every labelled case for full supervision."""
    subset = subset_of_job(wildcards)
    if not subset.n:
        return [
            row.case
            for row in manifest()
            if row.labels and row.split in ("train", "unlabelled")
        ]
    cases = _first_cases(subset.n, subset.draw)
    if not subset.fold:
        return cases
    folds = folds_of_cases(cases, subset.folds)
    return [case for case in cases if folds[case] != subset.fold]


def folds_of_cases(cases, folds):
    """{case: fold}, with all cases of a patient in one fold; empty if there are fewer patients than folds."""
    patients = {row.case: row.patient for row in manifest()}
    own = [patients[case] for case in cases]
    return dict(zip(cases, folds_of(own, folds))) if len(set(own)) >= folds else {}


def main_cases(wildcards):
    """The cases of the main line's X^n."""
    return _first_cases(config["n"])


def _training_cases():
    """The labelled training cases in their order."""
    return list(_ordered_cases(*_listed()))


@functools.lru_cache(maxsize=4)
def _ordered_cases(path, time):
    rows = [row for row in _read_manifest(path, time) if row.split == "train"]
    return [row.case for row in sorted(rows, key=lambda row: row.order)]


def _first_cases(n, draw=1):
    training = _training_cases()
    if n > len(training):
        raise WorkflowError(
            f"n = {n} was requested, but the training split has only {len(training)} labelled cases: "
            f"lower n, or label more cases"
        )
    return draw_of(training, draw)[:n]


def subset_of_job(wildcards):
    """The subset of the wildcard `n` or `subset`."""
    return subset_named(wildcards.get("subset") or f"n{wildcards.n}")


def n_of(wildcards):
    """n of the wildcard `n` or `subset`; 0 for full supervision."""
    return subset_of_job(wildcards).n


def size_of(wildcards):
    """As `n_of`, with the draw: '45' or '45-draw2'; '0' for full supervision."""
    return subset_of_job(wildcards).size


def size_or_main(wildcards):
    """As `size_of`, with the main line's n for full supervision, whose methods have no n."""
    return size_of(wildcards) if n_of(wildcards) else config["n"]


def draws_of(n):
    """X^n in each of its draws; only one if it has all training cases."""
    draws = config["draws"] if n < len(_training_cases()) else 1
    return [Subset(n, draw=draw) for draw in range(1, draws + 1)]


def unlabelled_cases(wildcards):
    return list(_unlabelled_cases(*_listed()))


@functools.lru_cache(maxsize=4)
def _unlabelled_cases(path, time):
    rows = _read_manifest(path, time)
    return [row.case for row in rows if row.split == "unlabelled"]


def cases_with_hidden_labels(wildcards):
    return [row.case for row in manifest() if row.labels and row.split == "unlabelled"]


# ---- files of shards ----------------------------------------------------------------------------


def rows_of_shard(wildcards):
    by_shard = _rows_by_shard(*_listed())
    if wildcards.shard not in by_shard:
        known = shortlist(sorted(by_shard))
        raise WorkflowError(f"there is no shard {wildcards.shard}; there are {known}")
    return by_shard[wildcards.shard]


@functools.lru_cache(maxsize=4)
def _rows_by_shard(path, time):
    """{shard: rows}, since looking at all cases for each shard would take minutes of a study of 100,000."""
    found = {}
    for row in _read_manifest(path, time):
        found.setdefault(row.shard, []).append(row)
    return found


def labelled_rows_of_shard(wildcards):
    return [row for row in rows_of_shard(wildcards) if row.labels]


def rows_of(shards):
    """A function of the wildcards: the rows of all cases of the shards that `shards` gives."""

    def rows(wildcards):
        wanted = set(shards(wildcards))
        return [row for row in manifest() if row.shard in wanted]

    return rows


def image_files(wildcards):
    return images_of(rows_of_shard(wildcards), wildcards)


def images_of(rows, wildcards):
    """The user's own images of some cases."""
    # Corrections change no image. As inputs, images keep their place, so that shards are not made again.
    return [f"{source_data(wildcards)}/{row.image}" for row in rows]


def label_files(wildcards):
    return label_files_of(labelled_rows_of_shard(wildcards), wildcards)


def label_files_of(rows, wildcards):
    """The label files of some labelled cases."""
    faults = []
    folders = [Path(data_folder(wildcards), row.labels) for row in rows]
    if Path(data_folder(wildcards)).is_relative_to(RESULTS.root):
        for (
            folder
        ) in (
            folders
        ):  # a label that a rule wrote and that is gone would count as an absent class
            or_stop(check_names, folder, RESULTS.root)
    files = [find_label_files(folder, faults).values() for folder in folders]
    if faults:
        raise WorkflowError("\n".join(faults))
    return [str(file) for of_case in files for file in of_case]


def prepared(kind, shards):
    """An input function: stacks of prepared 'images' or 'masks' of the shards that `shards` gives."""
    return lambda wildcards: RESULTS.prepared(kind, shards(wildcards))


def per_shard(folder, shards, suffix=".nii.gz", n=None, seed=None):
    """An input function: one file a shard in a folder below n<n>/seed<seed>; None takes the wildcard's."""

    def files(wildcards):
        subset = f"n{n or size_of(wildcards)}"
        of_seed = wildcards.seed if seed is None else seed
        return RESULTS.per_shard(subset, of_seed, folder, shards(wildcards), suffix)

    return files
