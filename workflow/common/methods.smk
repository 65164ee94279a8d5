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
        for seed in seeds_of(method)
    ]


def seeds_of(method):
    """The seeds of a method: the first one for an ensemble of all of them."""
    return [FIRST_SEED] if method_of(method).ensemble_of else config["seeds"]


def models_of_main_line():
    """The model files of the main line's networks, for new images: one that is deleted is made again."""
    return [
        f"{RESULTS.run(subset_of(method, config['n']), seed)}/{method_of(method).network}/model.safetensors"
        for method in config["methods"]
        # Whether a data set has hidden labels is known when its cases are listed.
        if method_of(method).network and not method_of(method).needs_hidden_labels
        for seed in seeds_of(method)
    ] + [
        f"{RESULTS.run(Subset(config['n']).name, seed)}/{method_of(method).judged}/present/model.safetensors"
        for method in config["methods"]
        if method_of(method).judged
        for seed in config["seeds"]
    ]


def dice_files(wildcards):
    return dice_of(methods_of(wildcards), wildcards.n)


def table_dice(wildcards):
    """Scores of Table 1's methods; stops early if a SAM checkpoint of theirs is missing."""
    try:
        check_files(config, sams_of(config, config["table"]["methods"]))
    except InputError as error:
        raise WorkflowError(of_config(str(error).splitlines())) from None
    return dice_of(config["table"]["methods"], config["n"])


def curves_of(methods, n):
    """training.csv of every seed, by method; methods without a training of their own are left out."""
    missing = missing_methods(methods, manifest())
    return {
        method: [
            f"{RESULTS.run(subset_of(method, n), seed)}/{method_of(method).trained}/training.csv"
            for seed in config["seeds"]
        ]
        for method in methods
        if method_of(method).trained and method not in missing
    }


def presences_of(methods, n):
    """[method, its presence.json] for each seed of the methods that use a presence step."""
    missing = missing_methods(methods, manifest())
    networks = {method: _judged_network(method_of(method)) for method in methods}
    return [
        [method, f"{RESULTS.run(subset_of(method, n), seed)}/{network}/presence.json"]
        for method, network in networks.items()
        if network and method not in missing
        for seed in config["seeds"]
    ]


def _judged_network(method):
    """The network whose classes are judged in a method's masks, or in those that it learns from; '' if none are."""
    chain, _, last = (
        method.pseudo_labels.folder if method.pseudo_labels else ""
    ).rpartition("/")
    return CHAINS[f"{chain}/"].network if last == "judged" else method.judged


def summary_presences(wildcards):
    return presences_of(methods_of(wildcards), wildcards.n)


def table_presences(wildcards):
    return presences_of(config["table"]["methods"], config["n"])


def summary_curves(wildcards):
    return curves_of(methods_of(wildcards), wildcards.n)


def table_curves(wildcards):
    return curves_of(config["table"]["methods"], config["n"])


LABELLED_SIZES = sorted({*config["ablation"]["n"], config["n"]})


def sizes_drawn(wildcards):
    """The sizes n whose X^n is drawn several times."""
    return [n for n in LABELLED_SIZES if len(draws_of(n)) > 1]


def subsets_drawn(wildcards):
    """Every draw of these sizes."""
    return [subset for n in sizes_drawn(wildcards) for subset in draws_of(n)]


def draws_dice(wildcards):
    """dice.csv of every draw of every size."""
    return [
        f"{RESULTS.root}/{subset.name}/dice.csv" for subset in subsets_drawn(wildcards)
    ]


def subsets_compared(wildcards):
    """Every size of X^n in all its draws; nothing without an ablation or repeated draws."""
    subsets = [subset for n in LABELLED_SIZES for subset in draws_of(n)]
    return subsets if len(subsets) > 1 else []


def dice_compared(wildcards):
    """dice.csv of each of these subsets."""
    return [
        f"{RESULTS.root}/{subset.name}/dice.csv"
        for subset in subsets_compared(wildcards)
    ]


def label_curve(wildcards):
    """The table of `collect_label_curve`, or nothing with fewer than three sizes."""
    return [f"{RESULTS.root}/label_curve.csv"] if len(LABELLED_SIZES) >= 3 else []


def spread_over_draws(wildcards):
    """The table of `collect_draws`, or nothing if no X^n is drawn several times."""
    return [f"{RESULTS.root}/draws.csv"] if sizes_drawn(wildcards) else []


def ablation_dice(wildcards):
    """dice.csv of every subset of the ablation, and of the main line's n."""
    return [f"{RESULTS.root}/n{n}/dice.csv" for n in LABELLED_SIZES]


def predictions(wildcards):
    """Masks or probabilities of a method on the split that methods are judged by."""
    return _predictions(wildcards.method, wildcards, judged_shards(wildcards))


def judged_rows(wildcards):
    """The cases of the split that methods are judged by."""
    split = judged_split(manifest())
    return [row for row in manifest() if row.split == split]


def judged_images(wildcards):
    return images_of(judged_rows(wildcards), wildcards)


def references(wildcards):
    """What predictions are compared with: masks at network size, or the label files and sizes of the images."""
    if config["evaluation"]["at"] == "network":
        return {"masks": RESULTS.prepared("masks", judged_shards(wildcards))}
    labels = label_files_of(judged_rows(wildcards), wildcards)
    return {"labels": labels, "sizes": f"{RESULTS.root}/sizes.csv"}


def reference_digests(wildcards):
    """{case: digest of its label files}; None if predictions are compared at network size."""
    if config["evaluation"]["at"] == "network":
        return None
    return {row.case: row.labels_digest for row in judged_rows(wildcards)}


def stage_files(wildcards):
    """Masks or probabilities of a method, or P cleaned, for the cases of all splits."""
    stage, shards = wildcards.stage, shards_of(*SPLITS)
    if stage == "cleaned":
        return RESULTS.per_shard(wildcards.subset, wildcards.seed, stage, shards)
    return _predictions(stage, wildcards, shards)


def _predictions(method, wildcards, shards):
    n = size_or_main(wildcards)
    if subset_of(method, n) != wildcards.subset:
        place = RESULTS.run(subset_of(method, n), wildcards.seed)
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
    return RESULTS.dice(
        method_of_model(wildcards), size_or_main(wildcards), wildcards.seed
    )


def model_of_page(wildcards):
    """The model file of the main line's last network, of the first seed."""
    network = "f_phi" if "ours_r" in config["methods"] else "f_theta"
    return f"{RESULTS.run(Subset(config['n']).name, FIRST_SEED)}/{network}/model.safetensors"


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
    """Weights of each unlabelled case and class, or nothing."""
    folder = _learns_from(wildcards).weights
    return per_shard(folder, unlabelled_shards, ".csv")(wildcards) if folder else []


def initial_pseudo_labels(wildcards):
    """P, where pixels that SAM changed do not count in the loss, or nothing."""
    folder = _learns_from(wildcards).agreed_with
    return per_shard(folder, unlabelled_shards)(wildcards) if folder else []


def start_of_second_network(wildcards):
    """The network that training starts from, or nothing."""
    start = _learns_from(wildcards).start
    if not start:
        return []
    return f"{RESULTS.run(f'n{wildcards.n}', wildcards.seed)}/{start}/model.safetensors"


def balanced_cases(wildcards):
    """The number of labelled cases that make up half of each batch, or 0."""
    return len(subset_cases(wildcards)) if _learns_from(wildcards).balanced else 0


def sees_strong_views(wildcards):
    return _learns_from(wildcards).strong


def learns_probabilities(wildcards):
    """Whether the probabilities of pseudo labels are learned, instead of their masks."""
    return _learns_from(wildcards).soft


def is_unweighted(wildcards):
    return _learns_from(wildcards).unweighted


def training_of_second_network(wildcards):
    """The settings of a second training, or those of f_θ where both have equal length."""
    return TRAINING if _learns_from(wildcards).equal_length else SECOND_TRAINING


def settings_of_nnunet(wildcards):
    """Length, mirroring and loss of nnU-Net's training."""
    keys = ("epochs", "iterations_per_epoch", "validation_iterations", "mirroring")
    loss = "default" if wildcards.nnunet == "nnunet_default" else "bce"
    return {key: config["nnunet"][key] for key in keys} | {"loss": loss}


# ---- SAM --------------------------------------------------------------------------------------------


def sam_check(wildcards):
    """The verdicts on the SAM checkpoints, which are checked before any training starts."""
    return [
        f"{RESULTS.root}/embeddings/{name}/checkpoint.json"
        for name in main_sams(config)
    ]


@functools.cache
def sam_entry(name):
    """The entry of sam.models with this key, with the checkpoint's content; None for rules that are not used."""
    entry = config["sam"]["models"].get(name)
    if entry is None:
        return None
    content = content_of_checkpoint(entry["file"], MEMORY)
    if entry["file"] in FETCHED:
        content = entry["sha256"]  # as soon as it is there
    entry = {key: value for key, value in entry.items() if key != "url"}
    entry = entry | {"content": content, "sha256": entry["sha256"] or content or None}
    # The same parameter in whatever order the config has its keys.
    return dict(sorted(entry.items()))


def say_embedding_sizes():
    """Print how much room stored embeddings take, as far as the number of images is known."""
    try:
        cases = len(read_manifest(check_result(RESULTS.manifest)))
    except InputError:  # not listed yet, or to be listed again
        cases = None
    for note in embedding_notes(config, cases):
        logger.info(note)


def sam_file(name):
    """The checkpoint of a key of sam.models; a name that does not exist for rules that are not used."""
    return config["sam"]["models"].get(name, {"file": "no-such-sam"})["file"]


STORED = temp if config["sam"]["embeddings"] == "temporary" else str
SAM = config["sam"]["model"]
MEDSAM = config["medsam"]["model"]


class Chain(NamedTuple):
    """Cleaning, prompts and refinement, in a folder below n<n>/seed<seed>."""

    network: str  # the network whose probabilities it starts from
    study: str  # a key of STUDIES
    # A checkpoint that a rule makes below n<n>/seed<seed>, of the same architecture; None = that of the study.
    own_sam: str | None = None


class Study(NamedTuple):
    """Which SAM is asked, and how, before tuning."""

    sam: str | None  # a key of sam.models
    cleaning: dict
    asking: dict | None  # None = MedSAM's own way, which is fixed

    @property
    def is_papers_way(self):
        return self.asking is None or is_papers_way(self.asking)

    @property
    def is_about_whole_images(self):
        """Whether SAM sees whole prepared images, unless tuning chooses crops."""
        return self.is_papers_way or (
            self.asking["zoom"] is None and self.asking["image"] == "network"
        )


# By folder; the main chain has no folder of its own.
CHAINS = {
    "": Chain("f_theta", "sam"),
    "round2/": Chain("f_phi", "sam"),
    "medsam/": Chain("f_theta", "medsam"),
    "zoom/": Chain("f_theta", "zoom"),
    "adapted/": Chain("f_theta", "zoom", "adapted/sam.safetensors"),
    "best/": Chain("fixmatch", "zoom", "adapted/sam.safetensors"),
    "best_untuned/": Chain("fixmatch", "zoom"),
    "best_again/": Chain("best/f_phi", "zoom", "adapted/sam.safetensors"),
}
STUDIES = {
    "sam": Study(SAM, config["cleaning"], asking_of(config["sam"])),
    "medsam": Study(MEDSAM, config["medsam"]["cleaning"], None),
    "zoom": Study(
        sam_of_block(config, "zoom"),
        config["zoom"]["cleaning"],
        asking_of(config["zoom"]),
    ),
}


def chain_of(wildcards):
    """The chain of a rule; None in a tuning study."""
    return CHAINS[wildcards.chain] if "chain" in wildcards.keys() else None


def study_name(wildcards):
    """Whose settings a chain uses, or which study is tuned."""
    chain = chain_of(wildcards)
    return chain.study if chain else wildcards.refiner


def study_of(wildcards):
    return STUDIES[study_name(wildcards)]


def own_sam(wildcards):
    """The checkpoint that a rule makes for this chain, or None."""
    chain = chain_of(wildcards)
    if not chain or not chain.own_sam:
        return None
    return f"{RESULTS.run(f'n{wildcards.n}', wildcards.seed)}/{chain.own_sam}"


def sam_of(wildcards):
    entry = sam_entry(study_of(wildcards).sam)
    return entry | {"sha256": None} if own_sam(wildcards) else entry


def checkpoint_of(wildcards):
    return own_sam(wildcards) or sam_file(study_of(wildcards).sam)


def cleaning_of(wildcards):
    return study_of(wildcards).cleaning


def asking_of_study(wildcards):
    """How SAM is asked, but for the image, which is an input."""
    if own_sam(wildcards):
        return asking_of_tuned_sam(wildcards)
    asking = study_of(wildcards).asking
    return asking and _without_image(asking)


def asking_of_tuned_sam(wildcards):
    """How a SAM that was tuned on the labels is asked: as the block `zoom` says, with more trust in its answer."""
    own = {key: config["adapt"][key] for key in ("fuse", "rounds")}
    return _without_image(STUDIES["zoom"].asking) | own


def _without_image(asking):
    return {key: asking[key] for key in asking if key != "image"}


def probabilities_of_chain(wildcards):
    run = RESULTS.run(f"n{wildcards.n}", wildcards.seed)
    return f"{run}/{chain_of(wildcards).network}/probabilities/{wildcards.shard}.nii.gz"


def this_shard(wildcards):
    return [wildcards.shard]


def embeddings_of_shard(wildcards):
    """Embeddings of one shard by sam.model."""
    return RESULTS.embeddings(SAM, [wildcards.shard])[0]


def embeddings(shards):
    """An input function: embeddings by sam.model of the shards."""
    return lambda wildcards: RESULTS.embeddings(SAM, shards(wildcards))


# What SAM sees depends on how it is asked: stored embeddings of whole prepared images, or the images themselves. If it
# is not asked as in the paper, P may be a part of the question or of the answer.


def sees_images(wildcards):
    return not study_of(wildcards).is_papers_way or bool(own_sam(wildcards))


def sees_originals(wildcards):
    return sees_images(wildcards) and study_of(wildcards).asking["image"] == "original"


def embeddings_seen(shards):
    """An input function: stored embeddings of the shards, or nothing."""

    def files(wildcards):
        study = study_of(wildcards)
        if own_sam(wildcards) or not study.is_about_whole_images:
            return []
        return RESULTS.embeddings(study.sam, shards(wildcards))

    return files


def images_seen(shards):
    """An input function: prepared or original images of the shards, or nothing."""

    def files(wildcards):
        if sees_originals(wildcards):
            return images_of(rows_of(shards)(wildcards), wildcards)
        return (
            RESULTS.prepared("images", shards(wildcards))
            if sees_images(wildcards)
            else []
        )

    return files


def originals_seen(shards):
    """Cases, digests and window of the original images that SAM sees, as a parameter; nothing if it sees none."""

    def parameter(wildcards):
        if not sees_originals(wildcards):
            return NO_ORIGINALS
        return originals_of(rows_of(shards)(wildcards))

    return parameter


NO_ORIGINALS = {"cases": None, "digests": None, "window": None, "text_masked": False}


def originals_of(rows):
    """Cases, digests and window of original images."""
    return {
        "cases": [row.case for row in rows],
        "digests": [row.image_digest for row in rows],
        "window": WINDOW,
        "text_masked": TEXT_MASKED,
    }


# ---- SAM tuned on the labels ---------------------------------------------------------------------------


def _adapts_to_originals():
    return STUDIES["zoom"].asking["image"] == "original"


def _shards_adapted(wildcards):
    return sorted({*subset_shards(wildcards), *validation_shards(wildcards)})


def _rows_adapted(wildcards):
    """X^n, and the labelled validation cases."""
    wanted = set(subset_cases(wildcards))
    return [
        row
        for row in manifest()
        if row.case in wanted or (row.labels and row.split == "val")
    ]


def images_adapted(wildcards):
    if _adapts_to_originals():
        return images_of(_rows_adapted(wildcards), wildcards)
    return RESULTS.prepared("images", _shards_adapted(wildcards))


def labels_adapted(wildcards):
    """Label files of X^n, or stacks of prepared masks if SAM sees prepared images."""
    if not _adapts_to_originals():
        return RESULTS.prepared("masks", subset_shards(wildcards))
    wanted = set(subset_cases(wildcards))
    return label_files_of([row for row in manifest() if row.case in wanted], wildcards)


def originals_adapted(wildcards):
    return (
        originals_of(_rows_adapted(wildcards))
        if _adapts_to_originals()
        else NO_ORIGINALS
    )


def cross_fitted_by(wildcards, folds):
    """{file: cases}: probability maps of the labelled cases by networks that did not learn from them.

    Empty for full supervision, and for a network that leaves out a fold already: neither has such networks.
    """
    subset = subset_of_job(wildcards)
    if not folds or not subset.n or subset.fold:
        return {}
    fold_of = folds_of_cases(subset_cases(wildcards), folds)
    shard_of = {row.case: row.shard for row in manifest()}
    found = {}
    for case, fold in fold_of.items():
        of_fold = Subset(subset.n, fold, folds, subset.draw)
        run = RESULTS.run(of_fold.name, wildcards.seed)
        file = f"{run}/f_theta/probabilities/{shard_of[case]}.nii.gz"
        found.setdefault(file, []).append(case)
    return found


def _cross_fitted(wildcards):
    return cross_fitted_by(wildcards, config["adapt"]["folds"])


def cross_fitted(wildcards):
    return list(_cross_fitted(wildcards))


def cross_fitted_cases(wildcards):
    return list(_cross_fitted(wildcards).values())


def label_digests_adapted(wildcards):
    """{case: digest of its label files} of X^n."""
    wanted = set(subset_cases(wildcards))
    return {row.case: row.labels_digest for row in manifest() if row.case in wanted}


def probabilities_seen(wildcards):
    return probabilities_of_chain(wildcards) if sees_images(wildcards) else []


# ---- tuning -----------------------------------------------------------------------------------------


def tuned(refiner=None):
    """An input function: the settings that tuning chose, or nothing if it is off; None = those of the chain."""

    def file(wildcards):
        # A SAM tuned on the labels is asked as configured: the study asked the SAM that it started from.
        if not config["tuning"]["trials"] or own_sam(wildcards):
            return []
        return RESULTS.tuned(wildcards.n, refiner or study_name(wildcards))

    return file


def tuned_cleaning(wildcards):
    """As `tuned`, but nothing if SAM is not asked as in the paper: crops follow from the boxes, so cleaning is fixed."""
    return tuned()(wildcards) if study_of(wildcards).is_papers_way else []


def embeddings_tuned(wildcards):
    """Stored embeddings of the validation cases; nothing if the study tries crops, whose embeddings it computes."""
    return (
        embeddings_seen(validation_shards)(wildcards)
        if study_of(wildcards).is_papers_way
        else []
    )
