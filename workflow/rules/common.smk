# Functions live here alone, what the other files of this folder need: config, cases, code digests.
import functools
import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

SCRIPTS = Path(workflow.basedir) / "scripts"
sys.path.insert(0, str(SCRIPTS))

from samcarry.data.contract import SPLITS
from samcarry.data.manifest import (
    has_hidden_labels,
    judged_split,
    missing_methods,
    read_manifest,
)
from samcarry.errors import InputError, shortlist
from samcarry.methods import method_of
from samcarry.pipeline.clock import clock_fault
from samcarry.pipeline.code_digest import code_digest
from samcarry.pipeline.config import (
    check_files,
    check_settings,
    config_fault,
    main_sams,
    method_notes,
    sams_of,
)
from samcarry.pipeline.sources import (
    is_table_study,
    listing_digest,
    source_files,
    source_folders,
)
from samcarry.storage.files import sha256

# Idle OpenMP threads that spin cost a factor of ten where several processes share few cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


# ---- the config --------------------------------------------------------------------------------


# What a method's masks on the judged split are called, below results/<dataset>/n<n>/seed<seed>.
PREDICTIONS = {
    "nnunet_bce": "nnunet/probabilities",
    "sam_lraspp": "lraspp/probabilities",
    "unet": "f_theta/probabilities",
    "unet_sam": "refined",
    "unet_medsam": "medsam/refined",
    "unet_random_walk": "random_walk",
    "mean_teacher": "mean_teacher/probabilities",
    "mean_teacher_sam": "mean_teacher_sam/probabilities",
    "ours_p": "f_phi_p/probabilities",
    "ours_r": "f_phi/probabilities",
    "ours_r_weighted": "f_phi_weighted/probabilities",
    "ours_r_round2": "round2/f_phi/probabilities",
    "ours_r_warm": "f_phi_warm/probabilities",
    "unet_sam_tolerant": "tolerant/refined",
    "ours_r_tolerant": "tolerant/f_phi/probabilities",
    "fixmatch": "fixmatch/probabilities",
}
# What can be exported: these, and P cleaned.
STAGES = {**PREDICTIONS, "cleaned": "cleaned"}
# Whose network a folder of n and seed holds.
METHOD_OF = {
    os.path.dirname(folder): method
    for method, folder in PREDICTIONS.items()
    if folder.endswith("probabilities")
}


def check_config():
    """Validate the config, fill in defaults, and stop with one line where it is wrong."""
    try:
        schema = Path(workflow.basedir) / "workflow/schemas/config.schema.yaml"
        validate(config, str(schema))
        check_settings(config)
    except (WorkflowError, InputError) as error:
        raise WorkflowError(config_fault(error)) from None


check_config()

# The official models need several times the memory of the tiny one.
BIG_SAM = config["sam"]["model"] != "tiny"

# Threads do not change what a training learns; the weights' cap is in the statistics.
TRAINING = {
    key: value
    for key, value in config["training"].items()
    if key not in ("threads", "max_positive_weight")
} | {"precision": config["precision"]}
PASSES = {key: config["sam"][key] for key in ("first", "second")}
MEDSAM_PASSES = {"first": "box", "second": None}
SIZE = [config["images"]["height"], config["images"]["width"]]
DATASET = config["dataset"]
RESULTS = f"results/{DATASET}"
# The pairs whose difference is told: what SAM adds, and what training on its masks adds.
PAIRS = [
    ("unet_sam", "unet"),
    ("ours_r", "unet"),
    ("ours_r", "ours_p"),
    ("ours_p", "unet"),
    ("ours_r", "unet_full"),
]


wildcard_constraints:
    dataset=DATASET,
    n=r"\d+",
    seed=r"\d+",
    shard=r"(train|val|test|unlabelled)-\d+",
    sam="|".join(config["sam"]["models"]),
    network="f_theta|f_phi|f_phi_p|f_phi_weighted|f_phi_warm|mean_teacher|mean_teacher_sam|fixmatch",
    phi="f_phi|f_phi_p",
    refiner="sam|medsam|random_walk",
    method="|".join(PREDICTIONS),
    stage="|".join(STAGES),
    draw=r"doubtful|random\d+",
    round=r"[1-9]\d*",


@functools.cache
def code_of(script):
    """A digest of the library code that a script imports, as a parameter of its rule."""
    return code_digest(SCRIPTS / f"{script}.py", SCRIPTS)


@functools.cache
def _gpus():
    plugin = workflow.executor_plugin
    is_remote = plugin is not None and not (
        plugin.common_settings.local_exec or plugin.common_settings.dryrun_exec
    )
    return int(is_remote or shutil.which("nvidia-smi") is not None)


def gpus(wildcards):
    """1 where a job may find a GPU: CUDA here, or a cluster that runs it; else 0.

    On a machine without one, a token for it would only make CPU jobs wait for each other.
    """
    return _gpus()


def memory(megabytes):
    """What a job asks for; twice that on its second try, which only a cluster's profile grants."""
    return lambda wildcards, attempt: attempt * megabytes


# ---- the data set -----------------------------------------------------------------------------


def source_folder(wildcards):
    """The folder with images/, labels/ and cases.csv, as it is without corrections."""
    form = config["source"]["format"]
    if form == "folder":
        return config["source"]["folder"]
    if form == "phantom":
        return f"{RESULTS}/phantom"
    return (
        f"{RESULTS}/{'imported' if is_table_study(config['source']) else 'annotated'}"
    )


def source_cases(wildcards):
    """cases.csv where a rule makes the data set; nothing where the user brings it."""
    return (
        []
        if config["source"]["format"] == "folder"
        else f"{source_folder(wildcards)}/cases.csv"
    )


def data_folder(wildcards):
    """The data set that everything works on: the source, or its copy with an annotator's corrections."""
    return f"{RESULTS}/corrected" if config["corrections"] else source_folder(wildcards)


def made_cases(wildcards):
    if config["corrections"]:
        return f"{RESULTS}/corrected/cases.csv"
    return source_cases(wildcards)


def annotation_files(wildcards):
    """The files that an import reads beside images and folders."""
    return source_files(config["source"])


def sam_check(wildcards):
    """The verdicts on the SAM checkpoints, which have to be there before any training starts."""
    return [
        f"{RESULTS}/embeddings/{name}/checkpoint.json" for name in main_sams(config)
    ]


def listing(wildcards):
    """A digest of names, sizes and times of the user's files, so that a change is noticed."""
    return _listing()


@functools.cache
def _listing():
    return listing_digest(source_folders(config["source"]))


def check_clock():
    """Stop where files are from the future: Snakemake would remove what it makes of them as older.

    A script from the future would make it run that script's rules each time.
    """
    images = (
        [f"{config['source']['folder']}/{name}" for name in ("images", "labels")]
        if config["source"]["format"] == "folder"
        else []
    )
    sams = [entry["file"] for entry in config["sam"]["models"].values()]
    originals = [
        *images,
        *source_files(config["source"]),
        *config["corrections"],
        *sams,
    ]
    command = [_from_here(sys.executable), _from_here(Path(workflow.basedir) / "tools/mend_times.py")]
    fault = clock_fault(
        [RESULTS, *originals, _from_here(SCRIPTS)], time.time_ns(), command
    )
    if fault:
        raise WorkflowError(fault)


def _from_here(path):
    here = Path.cwd()
    return str(
        Path(path).relative_to(here) if Path(path).is_relative_to(here) else path
    )


def last_fault(rule):
    """A mark of the last time that the user's files stopped a rule, as a parameter of that rule.

    Snakemake restores what such a rule had made before and takes the failed run for a finished one; a changed
    parameter makes it try again.
    """
    mark = Path(f"{RESULTS}/logs/{rule}.fault")
    return mark.read_text() if mark.exists() else ""


@functools.lru_cache(maxsize=4)
def _read_manifest(path, time):
    return read_manifest(path)


def manifest():
    """All cases with split and shard; makes Snakemake list them first if that was not done yet."""
    path = checkpoints.list_cases.get(dataset=DATASET).output.manifest
    return _read_manifest(path, os.stat(path).st_mtime_ns)


def classes(wildcards):
    path = checkpoints.list_cases.get(dataset=DATASET).output.classes
    return Path(path).read_text(encoding="utf-8").splitlines()


def rows_of_shard(wildcards):
    rows = [row for row in manifest() if row.shard == wildcards.shard]
    if not rows:
        known = shortlist(sorted({row.shard for row in manifest()}))
        raise WorkflowError(f"there is no shard {wildcards.shard}; there are {known}")
    return rows


def shards_of(*splits, labelled=False):
    """Names of the shards of some splits; with `labelled` only those with a labelled case."""
    path = checkpoints.list_cases.get(dataset=DATASET).output.manifest
    return list(_shards_of(path, os.stat(path).st_mtime_ns, splits, labelled))


@functools.cache
def _shards_of(path, time, splits, labelled):
    return sorted(
        {
            row.shard
            for row in _read_manifest(path, time)
            if row.split in splits and (row.labels or not labelled)
        }
    )


def judged():
    return judged_split(manifest())


def image_files(wildcards):
    # Corrections change no image: as inputs they stay where they are, so that shards need not be made again.
    return [
        f"{source_folder(wildcards)}/{row.image}" for row in rows_of_shard(wildcards)
    ]


def label_files(wildcards):
    folders = [
        f"{data_folder(wildcards)}/{row.labels}"
        for row in rows_of_shard(wildcards)
        if row.labels
    ]
    return [
        str(file) for folder in folders for file in sorted(Path(folder).glob("*.png"))
    ]


def subset(wildcards):
    """The cases of X^n, in their order."""
    training = sorted(
        (row.order, row.case) for row in manifest() if row.split == "train"
    )
    n = int(wildcards.n)
    if n > len(training):
        raise WorkflowError(
            f"n = {n} is asked for, but the training split has {len(training)} labelled cases: "
            f"lower n, or label more"
        )
    return [case for _, case in training[:n]]


def full_cases(wildcards):
    """Every labelled case that is not in val or test: training, and what hides among unlabelled."""
    return [
        row.case
        for row in manifest()
        if row.labels and row.split in ("train", "unlabelled")
    ]


def subset_shards(wildcards):
    wanted = set(subset(wildcards))
    return sorted({row.shard for row in manifest() if row.case in wanted})


def prepared(kind, shards):
    return [f"{RESULTS}/prepared/{shard}/{kind}.nii.gz" for shard in shards]


# ---- methods ----------------------------------------------------------------------------------


def methods_of(wildcards):
    """The configured methods at n: the ablation has its own list."""
    return (
        config["methods"]
        if int(wildcards.n) == config["n"]
        else config["ablation"]["methods"]
    )


def dice_of(methods, n):
    """One file a method and seed; methods that this data set cannot have are left out."""
    missing = missing_methods(methods, manifest())
    return [
        (
            f"{RESULTS}/full/seed{seed}/dice.csv"
            if method == "unet_full"
            else f"{RESULTS}/n{n}/seed{seed}/dice/{method}.csv"
        )
        for method in methods
        if method not in missing
        for seed in config["seeds"]
    ]


def dice_files(wildcards):
    return dice_of(methods_of(wildcards), wildcards.n)


def table_dice(wildcards):
    """Dice files of Table 1's methods; their SAM checkpoints have to be there."""
    try:
        check_files(config, sams_of(config, config["table"]["methods"]))
    except InputError as error:
        raise WorkflowError(config_fault(error)) from None
    return dice_of(config["table"]["methods"], config["n"])


def ablation_dice(wildcards):
    """dice.csv of every subset of the ablation, and of the main line's n."""
    sizes = sorted({*config["ablation"]["n"], config["n"]})
    return [f"{RESULTS}/n{n}/dice.csv" for n in sizes]


def predictions(method, n, seed, *splits):
    """The masks or probabilities of a method at an n and seed, of the split that it is judged by."""
    folder = (
        f"full/seed{seed}/probabilities"
        if method == "unet_full"
        else f"n{n}/seed{seed}/{STAGES[method]}"
    )
    shards = shards_of(*(splits or [judged()]))
    return [f"{RESULTS}/{folder}/{shard}.nii.gz" for shard in shards]


def stage_files(wildcards):
    """The masks or probabilities of a stage, of all cases; full supervision has no stages and no n."""
    stage = wildcards.get("stage", "unet_full")
    return predictions(stage, wildcards.get("n"), wildcards.seed, *SPLITS)


def source_images(wildcards):
    """The folder that an import read the images from; nothing where the data set is the user's own."""
    block = config["source"].get(config["source"]["format"])
    return block.get("images") if isinstance(block, dict) else None


def unlabelled_cases(wildcards):
    return [row.case for row in manifest() if row.split == "unlabelled"]


def of_unlabelled(folder, suffix=".nii.gz"):
    """An input function: the unlabelled shards of a folder below n and seed."""

    def files(wildcards):
        root = f"{RESULTS}/n{wildcards.n}/seed{wildcards.seed}/{folder}"
        return [f"{root}/{shard}{suffix}" for shard in shards_of("unlabelled")]

    return files


def pseudo_labels(wildcards):
    """What f_φ learns from: R (f_phi) or P (f_phi_p) of the unlabelled cases."""
    folder = {"f_phi": "refined", "f_phi_p": "f_theta/probabilities"}[wildcards.phi]
    return of_unlabelled(folder)(wildcards)


def sam_entry(wildcards):
    return config["sam"]["models"][wildcards.sam]


def embeddings_of(wildcards, model=config["sam"]["model"]):
    return f"{RESULTS}/embeddings/{model}/{wildcards.shard}.safetensors"


def sam_file(model):
    """The checkpoint of a key of sam.models; of None, for rules that nobody asks for, a name."""
    return config["sam"]["models"].get(model, {"file": "no-such-sam"})["file"]


# ---- the report -------------------------------------------------------------------------------

RANKED_BY = "ours_r" if "ours_r" in config["table"]["methods"] else "unet"
METHODS_SHOWN = [
    method
    for method in ("unet", "mean_teacher", "ours_r")
    if method in config["table"]["methods"]
]


def shown_predictions(wildcards, method):
    """Predictions of a method on the judged split, of the first seed."""
    return predictions(method, config["n"], config["seeds"][0])


def refiners_tuned():
    """The refiners of Table 1 whose settings are tuned."""
    methods = config["table"]["methods"] if config["tuning"]["trials"] else []
    wanted = {
        "sam": "unet_sam",
        "medsam": "unet_medsam",
        "random_walk": "unet_random_walk",
    }
    return [refiner for refiner, method in wanted.items() if method in methods]


def report_files(wildcards):
    """Every file that the report tells of, by what it is."""
    n, seed = config["n"], config["seeds"][0]
    root = f"{RESULTS}/n{n}/seed{seed}"
    methods = set(config["table"]["methods"])
    methods -= set(missing_methods(list(methods), manifest()))
    judged_shards, other_shards = shards_of(judged()), shards_of("unlabelled")[:1]
    files = {
        "manifest": [f"{RESULTS}/manifest.csv"],
        "classes": [f"{RESULTS}/classes.txt"],
        "dice": [f"{RESULTS}/dice.csv"],
        "table1": [f"{RESULTS}/table1.csv"],
        "differences": [f"{RESULTS}/differences.csv"],
        "per_class": [f"{RESULTS}/per_class.csv"],
        "qualitative": [
            f"{RESULTS}/figures/qualitative_{place}.png"
            for place in ("best", "median", "worst")
        ],
        "training": [f"{RESULTS}/n{n}/figures/training.png"],
        "tuned": [
            f"{RESULTS}/n{n}/tuned/{refiner}.yaml" for refiner in refiners_tuned()
        ],
        "answers": [
            f"{RESULTS}/n{n}/tuned/{refiner}_answers.csv"
            for refiner in refiners_tuned()
        ],
        "tuning": [
            f"{RESULTS}/n{n}/figures/tuning_{refiner}.png"
            for refiner in refiners_tuned()
        ],
        "models": [
            f"{root}/{network}/model.safetensors" for network in ("f_theta", "f_phi")
        ],
        "images": prepared("images", judged_shards),
        "masks": prepared("masks", judged_shards),
        "cleaned": [f"{root}/cleaned/{shard}.nii.gz" for shard in judged_shards],
        "prompts": [f"{root}/prompts/{shard}.json" for shard in judged_shards],
        "unlabelled_images": prepared("images", other_shards),
        "unlabelled_unet": [
            f"{root}/f_theta/probabilities/{shard}.nii.gz" for shard in other_shards
        ],
        "unlabelled_cleaned": [
            f"{root}/cleaned/{shard}.nii.gz" for shard in other_shards
        ],
        "unlabelled_prompts": [
            f"{root}/prompts/{shard}.json" for shard in other_shards
        ],
        "unlabelled_unet_sam": [
            f"{root}/refined/{shard}.nii.gz" for shard in other_shards
        ],
    }
    if "unet_full" in methods:
        files["unlabelled_masks"] = prepared(
            "masks", shards_of("unlabelled", labelled=True)
        )
    if config["ablation"]["n"]:
        files["ablation"] = [f"{RESULTS}/figures/ablation.png"]
    return files | {
        method: shown_predictions(wildcards, method) for method in sorted(methods)
    }


# ---- tuning -----------------------------------------------------------------------------------


def tuned(refiner):
    """An input function: the settings that tuning found, or nothing where it is off."""

    def file(wildcards):
        if not config["tuning"]["trials"]:
            return []
        return f"{RESULTS}/n{wildcards.n}/tuned/{refiner}.yaml"

    return file


def first_seed(path):
    """An input function: files of the validation shards, of the first seed's f_θ."""

    def files(wildcards):
        seed = config["seeds"][0]
        return [
            path.format(root=f"{RESULTS}/n{wildcards.n}/seed{seed}", shard=shard)
            for shard in shards_of("val", labelled=True)
        ]

    return files


# ---- the annotator's loop ---------------------------------------------------------------------

# Ten corrected cases: the most doubtful against three random draws, all seeds; 'none' is f_θ as it is.
GAIN_NETWORKS = [
    (draw, seed)
    for draw in ("none", "doubtful", "random0", "random1", "random2")
    for seed in config["seeds"]
]


def of_first_seed(folder, suffix=".nii.gz", labelled=False):
    """An input function: the unlabelled shards of a folder below the config's n and first seed."""
    root = f"{RESULTS}/n{config['n']}/seed{config['seeds'][0]}/{folder}"
    return lambda wildcards: [
        f"{root}/{shard}{suffix}"
        for shard in shards_of("unlabelled", labelled=labelled)
    ]


def earlier_tasks(wildcards):
    """The cases of every task before this one."""
    return [
        f"{RESULTS}/review/task-{number}/cases.csv"
        for number in range(1, int(wildcards.round))
    ]


def gain_models(wildcards):
    return [
        (
            f"{RESULTS}/n{config['n']}/seed{seed}/f_theta/model.safetensors"
            if draw == "none"
            else f"{RESULTS}/review/gain/seed{seed}/{draw}/model.safetensors"
        )
        for draw, seed in GAIN_NETWORKS
    ]


def report_success():
    """Print the table and say where the pictures are."""
    table = Path(f"{RESULTS}/n{config['n']}/summary.md")
    if table.exists():
        print(f"\n{table.read_text(encoding='utf-8')}")
        print(f"Pictures: {table.parent / 'figures'}/cases.png and training.png")
