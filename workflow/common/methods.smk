# Where the files of methods, SAMs and tuning are.


def methods_of(wildcards):
    """The configured methods at n: the ablation has a list of its own."""
    return (
        config["methods"]
        if n_of(wildcards) == config["n"]
        else config["ablation"]["methods"]
    )


def dice_of(methods, n):
    """One file a method and seed; methods that this data set cannot have are left out."""
    missing = missing_methods(methods, manifest())
    return [
        RESULTS.dice(method, n, seed)
        for method in methods
        if method not in missing
        for seed in config["seeds"]
    ]


def dice_files(wildcards):
    return dice_of(methods_of(wildcards), wildcards.n)


def table_dice(wildcards):
    """Scores of Table 1's methods; stops early if a SAM checkpoint of theirs is missing."""
    try:
        check_files(config, sams_of(config, config["table"]["methods"]))
    except InputError as error:
        raise WorkflowError(config_fault(error)) from None
    return dice_of(config["table"]["methods"], config["n"])


def ablation_dice(wildcards):
    """dice.csv of every subset of the ablation, and of the main line's n."""
    sizes = sorted({*config["ablation"]["n"], config["n"]})
    return [f"{RESULTS.root}/n{n}/dice.csv" for n in sizes]


def predictions(wildcards):
    """Masks or probabilities of a method on the split that methods are judged by."""
    return _predictions(wildcards.method, wildcards, judged_shards(wildcards))


def stage_files(wildcards):
    """Masks or probabilities of a method, or P cleaned, for the cases of all splits."""
    stage, shards = wildcards.stage, shards_of(*SPLITS)
    if stage == "cleaned":
        return RESULTS.per_shard(wildcards.subset, wildcards.seed, stage, shards)
    return _predictions(stage, wildcards, shards)


def _predictions(method, wildcards, shards):
    n = n_of(wildcards)
    if subset_of(method, n) != wildcards.subset:
        place = RESULTS.run(subset_of(method, n or config["n"]), wildcards.seed)
        raise WorkflowError(
            f"the files of {method} are below {place}, not below {wildcards.subset}: correct the target"
        )
    return RESULTS.predictions(method, n, wildcards.seed, shards)


def method_of_model(wildcards):
    """The id of the method whose network a model file holds."""
    full = wildcards.subset == FULL
    return method_of_network(wildcards.network, full=full).id


def dice_of_model(wildcards):
    """Scores of the method whose network a model file holds."""
    n = n_of(wildcards) or config["n"]
    return RESULTS.dice(method_of_model(wildcards), n, wildcards.seed)


def shards_for_onnx_check(wildcards):
    return judged_shards(wildcards)[:1] + shards_of("train")[:1]


# ---- what a second network learns from --------------------------------------------------------------


def _learns_from(wildcards):
    return method_of_network(wildcards.phi).pseudo_labels


def pseudo_label_images(wildcards):
    shards = unlabelled_shards(wildcards)
    if _learns_from(wildcards).with_labels:
        shards += subset_shards(wildcards)
    return RESULTS.prepared("images", shards)


def pseudo_labels(wildcards):
    learns_from = _learns_from(wildcards)
    masks = per_shard(learns_from.folder, unlabelled_shards)(wildcards)
    if learns_from.with_labels:
        masks += RESULTS.prepared("masks", subset_shards(wildcards))
    return masks


def pseudo_label_cases(wildcards):
    cases = unlabelled_cases(wildcards)
    return (
        cases + subset_cases(wildcards)
        if _learns_from(wildcards).with_labels
        else cases
    )


def pseudo_label_weights(wildcards):
    """Weights of each case and class, or nothing."""
    if not _learns_from(wildcards).weighted:
        return []
    return per_shard("weights", unlabelled_shards, ".csv")(wildcards)


def start_of_second_network(wildcards):
    """f_θ if training starts from it, or nothing."""
    if not _learns_from(wildcards).from_f_theta:
        return []
    return f"{RESULTS.run(f'n{wildcards.n}', wildcards.seed)}/f_theta/model.safetensors"


# ---- SAM --------------------------------------------------------------------------------------------


def sam_check(wildcards):
    """The verdicts on the SAM checkpoints, which are checked before any training starts."""
    return [
        f"{RESULTS.root}/embeddings/{name}/checkpoint.json"
        for name in main_sams(config)
    ]


def sam_entry(name):
    """The entry of sam.models with this key; None for rules that are not used."""
    return config["sam"]["models"].get(name)


def sam_file(name):
    """The checkpoint of a key of sam.models; a name that does not exist for rules that are not used."""
    return (sam_entry(name) or {"file": "no-such-sam"})["file"]


SAM = config["sam"]["model"]
MEDSAM = config["medsam"]["model"]

# A chain of cleaning, prompts and refinement is a folder below n<n>/seed<seed>; the main one has no folder of
# its own. By chain: the network whose probabilities it starts from, and the study that may tune it.
CHAINS = {
    "": ("f_theta", "sam"),
    "round2/": ("f_phi", "sam"),
    "medsam/": ("f_theta", "medsam"),
}
# By study: the key in sam.models, the configured cleaning and prompts (MedSAM's are fixed).
STUDIES = {
    "sam": (SAM, config["cleaning"], PASSES),
    "medsam": (MEDSAM, config["medsam"]["cleaning"], None),
}


def study_of(wildcards):
    """'sam' or 'medsam': whose settings a chain of refinement uses, or which study is tuned."""
    return (
        CHAINS[wildcards.chain][1] if "chain" in wildcards.keys() else wildcards.refiner
    )


def sam_of(wildcards):
    return sam_entry(STUDIES[study_of(wildcards)][0])


def checkpoint_of(wildcards):
    return sam_file(STUDIES[study_of(wildcards)][0])


def cleaning_of(wildcards):
    return STUDIES[study_of(wildcards)][1]


def passes_of(wildcards):
    return STUDIES[study_of(wildcards)][2]


def probabilities_of_chain(wildcards):
    network, _ = CHAINS[wildcards.chain]
    run = RESULTS.run(f"n{wildcards.n}", wildcards.seed)
    return f"{run}/{network}/probabilities/{wildcards.shard}.nii.gz"


def embeddings_of_shard(wildcards):
    model = STUDIES[study_of(wildcards)][0] if "chain" in wildcards.keys() else SAM
    return RESULTS.embeddings(model, [wildcards.shard])[0]


def embeddings(shards):
    """An input function: embeddings by the SAM of the study (by default sam.model) of the shards."""

    def files(wildcards):
        model = (
            STUDIES[study_of(wildcards)][0] if "refiner" in wildcards.keys() else SAM
        )
        return RESULTS.embeddings(model, shards(wildcards))

    return files


# ---- tuning -----------------------------------------------------------------------------------------


def tuned(refiner=None):
    """An input function: the settings that tuning chose, or nothing if it is off; None = those of the chain."""

    def file(wildcards):
        if not config["tuning"]["trials"]:
            return []
        return RESULTS.tuned(wildcards.n, refiner or study_of(wildcards))

    return file
