# What figures, the report and the review show.

# A gain is measured with ten corrected cases: the most doubtful ones against three random draws, for all seeds.
# 'none' is f_θ without them.
GAIN_CASES = 10
GAIN_NETWORKS = [
    (draw, seed)
    for draw in ("none", "doubtful", "random0", "random1", "random2")
    for seed in config["seeds"]
]

# What the figure of cases shows, apart from images and references: these methods, and P cleaned with its prompts.
CASE_METHODS = (
    "unet",
    "unet_sam",
    "unet_sam_zoom",
    "ours_p",
    "ours_r",
    "fixmatch",
    "ours_best",
)

# What was run, for the head and the limits of the report.
STUDY = {
    "dataset": DATASET,
    "size": SIZE,
    "sam": SAM,
    "sam_is_tiny": config["sam"]["models"][SAM]["model"] == "tiny",
    "images_are_drawn": config["source"]["format"] == "phantom",
    "margin": config["evaluation"]["margin"],
    "at": config["evaluation"]["at"],
}

METHODS_SHOWN = shown_side_by_side(config["table"]["methods"])


def methods_in_figures(wildcards):
    """Those of CASE_METHODS that a run has."""
    methods = methods_of(wildcards)
    return [method for method in CASE_METHODS if method == "unet" or method in methods]


def case_figure_files(wildcards):
    """Files of each stage that the figure of cases shows, of the first seed."""
    shown = methods_in_figures(wildcards)
    folders = {method: (method_of(method).predictions, ".nii.gz") for method in shown}
    folders |= {"cleaned": ("cleaned", ".nii.gz"), "prompts": ("prompts", ".json")}
    return known_sizes() | {
        stage: per_shard(folder, judged_shards, suffix, seed=FIRST_SEED)(wildcards)
        for stage, (folder, suffix) in folders.items()
    }


def known_sizes():
    """The sizes of the judged images, where they are scored at their own size: pictures then have its aspect."""
    at_network = config["evaluation"]["at"] == "network"
    return {} if at_network else {"sizes": f"{RESULTS.root}/sizes.csv"}


def training_curves(wildcards):
    """Training curves of the main line, the recommended recipe and full supervision, all seeds."""
    shown = [
        method for method in methods_in_figures(wildcards) if method_of(method).network
    ]
    if "unet_full" in methods_of(wildcards) and not missing_methods(
        ["unet_full"], manifest()
    ):
        shown.append("unet_full")
    return [
        f"{RESULTS.run(subset_of(method, wildcards.n), seed)}/{method_of(method).network}/training.csv"
        for method in shown
        for seed in config["seeds"]
    ]


def qualitative_files(wildcards):
    """Predictions of the methods shown side by side on the judged split, of the first seed."""
    shown = {method: predictions_shown(method, wildcards) for method in METHODS_SHOWN}
    return known_sizes() | shown


def predictions_shown(method, wildcards):
    return RESULTS.predictions(
        method, config["n"], FIRST_SEED, judged_shards(wildcards)
    )


def report_files(wildcards):
    """Every file that the report reads, by what it is."""
    root, of_n = RESULTS.root, f"{RESULTS.root}/n{config['n']}"
    run = RESULTS.run(f"n{config['n']}", FIRST_SEED)
    methods = set(config["table"]["methods"])
    methods -= set(missing_methods(list(methods), manifest()))
    judged, unlabelled = judged_shards(wildcards), unlabelled_shards(wildcards)[:1]
    tuned = refiners_tuned(config)
    files = {
        "manifest": [RESULTS.manifest],
        "classes": [f"{root}/classes.txt"],
        "dice": [f"{root}/dice.csv"],
        "table1": [f"{root}/table1.csv"],
        "differences": [f"{root}/differences.csv"],
        "per_class": [f"{root}/per_class.csv"],
        "per_group": [f"{root}/per_group.csv"],
        "detection": [f"{root}/detection.csv"],
        "agreement": [f"{root}/agreement.csv"],
        "ranks": [f"{root}/figures/ranks.png"],
        "qualitative": [
            f"{root}/figures/qualitative_{place}.png"
            for place in ("best", "median", "worst")
        ],
        "training": [f"{of_n}/figures/training.png"],
        "tuned": [RESULTS.tuned(config["n"], refiner) for refiner in tuned],
        "answers": [f"{of_n}/tuned/{refiner}_answers.csv" for refiner in tuned],
        "tuning": [f"{of_n}/figures/tuning_{refiner}.png" for refiner in tuned],
        "models": [
            f"{run}/{network}/model.safetensors" for network in ("f_theta", "f_phi")
        ],
        "images": RESULTS.prepared("images", judged),
        "masks": RESULTS.prepared("masks", judged),
        "cleaned": [f"{run}/cleaned/{shard}.nii.gz" for shard in judged],
        "prompts": [f"{run}/prompts/{shard}.json" for shard in judged],
        "unlabelled_images": RESULTS.prepared("images", unlabelled),
        "unlabelled_unet": [
            f"{run}/f_theta/probabilities/{shard}.nii.gz" for shard in unlabelled
        ],
        "unlabelled_cleaned": [f"{run}/cleaned/{shard}.nii.gz" for shard in unlabelled],
        "unlabelled_prompts": [f"{run}/prompts/{shard}.json" for shard in unlabelled],
        "unlabelled_unet_sam": [
            f"{run}/refined/{shard}.nii.gz" for shard in unlabelled
        ],
    }
    if "unet_full" in methods:
        files["unlabelled_masks"] = RESULTS.prepared("masks", hidden_shards(wildcards))
    if config["corrections"]:
        files["corrected"] = [f"{root}/corrected/cases.csv"]
    if methods_with_probabilities(wildcards):
        files["calibration"] = [f"{root}/calibration.csv"]
        files["coverage"] = [f"{root}/coverage.csv"]
        files["reliability"] = [f"{root}/figures/reliability.png"]
    files["label_curve"] = label_curve(wildcards)
    if config["ablation"]["n"]:
        files["ablation"] = [f"{root}/figures/ablation.png"]
    return files | {
        method: predictions_shown(method, wildcards) for method in sorted(methods)
    }


def of_main(folder, shards, suffix=".nii.gz"):
    """An input function: one file a shard in a folder of the main line's n and first seed."""
    return per_shard(folder, shards, suffix, n=config["n"], seed=FIRST_SEED)


def probabilities_of_all_seeds(wildcards):
    """P of one shard, of this seed and all configured ones."""
    subset, network = f"n{wildcards.n}", "f_theta/probabilities"
    return [
        file
        for seed in dict.fromkeys([int(wildcards.seed), *config["seeds"]])
        for file in RESULTS.per_shard(subset, seed, network, [wildcards.shard])
    ]


# The first file of a task, and the page of the first images. Rules that make files once depend on these.
TASK = "results/{dataset}/review/task-{task}/cases.csv"
TASK_PAGE = "results/{dataset}/review/task-{task}/annotate.html"
FIRST_PAGE = "results/{dataset}/first/annotate.html"


def until_made(product, files):
    """An input function for rules that never replace their product: `files`, ancient as soon as the product exists.

    Inputs that are always ancient are not enough: Snakemake 9 then overlooks a missing product if an earlier job of
    the same plan makes one of its inputs again, and ends as if all were done.
    """

    def inputs(wildcards):
        made = Path(product.format(**wildcards)).exists()
        found = files(wildcards) if callable(files) else files.format(**wildcards)
        return ancient(found) if made else found

    return inputs


def earlier_tasks(wildcards):
    """The cases of every task before this one."""
    return [
        f"{RESULTS.root}/review/task-{number}/cases.csv"
        for number in range(1, int(wildcards.task))
    ]


def gain_models(wildcards):
    main = f"n{config['n']}"
    return [
        (
            f"{RESULTS.run(main, seed)}/f_theta/model.safetensors"
            if draw == "none"
            else f"{RESULTS.root}/review/gain/seed{seed}/{draw}/model.safetensors"
        )
        for draw, seed in GAIN_NETWORKS
    ]
