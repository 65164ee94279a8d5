# Functions live here alone, what the other files of this folder need: config, cases, code digests.
import ast
import functools
import hashlib
import os
import shutil
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

SCRIPTS = Path(workflow.basedir) / "scripts"
sys.path.insert(0, str(SCRIPTS))

from samcarry.errors import InputError
from samcarry.manifest import (
    has_hidden_labels,
    judged_split,
    missing_methods,
    read_manifest,
)

# Idle OpenMP threads that spin cost a factor of ten where several processes share few cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


# ---- the config --------------------------------------------------------------------------------


def uses_sam():
    methods = {
        *config["methods"],
        *(config["ablation"]["methods"] if config["ablation"]["n"] else ()),
    }
    return bool(methods & {"unet_sam", "ours_r"})


def check_config():
    """Validate the config, fill in defaults, and stop with one line where it is wrong."""
    try:
        validate(
            config, str(Path(workflow.basedir) / "workflow/schemas/config.schema.yaml")
        )
    except WorkflowError as error:
        raise WorkflowError(config_fault(error)) from None
    step = 2 ** config["training"]["depth"]
    for side in ("height", "width"):
        if config["images"][side] % step:
            raise WorkflowError(
                f"config: images.{side} is {config['images'][side]}, but a U-Net of depth "
                f"{config['training']['depth']} needs a multiple of {step}"
            )
    if config["sam"]["model"] not in config["sam"]["models"]:
        raise WorkflowError(
            f"config: sam.model is '{config['sam']['model']}', but sam.models has only "
            f"{', '.join(config['sam']['models'])}"
        )
    checkpoint_file = config["sam"]["models"][config["sam"]["model"]]["file"]
    if uses_sam() and not Path(checkpoint_file).is_file():
        raise WorkflowError(
            f"config: sam.models.{config['sam']['model']}.file is '{checkpoint_file}', but there is no "
            f"such file: put the checkpoint there, or choose another sam.model"
        )
    if config["source"]["format"] != "phantom" and not config["source"].get(
        config["source"]["format"]
    ):
        raise WorkflowError(
            f"config: source.format is '{config['source']['format']}', "
            f"so source.{config['source']['format']} has to say where the data lie"
        )


def config_fault(error):
    """Where the config is wrong, in one line; Snakemake's own message prints the whole config."""
    fault = error.__cause__ or error.__context__ or error
    place = ".".join(str(part) for part in getattr(fault, "absolute_path", ()))
    message = getattr(fault, "message", str(error)).splitlines()[0]
    if len(message) > 300:
        message = message[:300] + " ..."
    return f"config{': ' + place if place else ''}: {message} (see config.yaml for every key)"


check_config()

# The official models need several times the memory of the tiny one.
BIG_SAM = config["sam"]["model"] != "tiny"

# Threads and the rhythm of checkpoints do not change what a training learns.
TRAINING = {
    key: value
    for key, value in config["training"].items()
    if key not in ("threads", "checkpoint_seconds", "max_positive_weight")
}
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
    network="f_theta|f_phi|f_phi_p",
    phi="f_phi|f_phi_p",
    method="unet|unet_sam|ours_p|ours_r",


@functools.cache
def code_of(script):
    """A digest of all library code that a script imports, at any depth.

    Snakemake does not see an edit of an imported module; as a parameter this digest makes it rerun just
    the rules concerned. Comments, formatting and docstrings do not count.
    """
    waiting, seen = [SCRIPTS / f"{script}.py"], {}
    while waiting:
        path = waiting.pop()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                "samcarry."
            ):
                library = SCRIPTS.joinpath(*node.module.split(".")).with_suffix(".py")
                if library not in seen:
                    seen[library] = ""
                    waiting.append(library)
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
                if isinstance(body[0].value, ast.Constant):
                    body[0].value.value = ""
        if path.parent.name == "samcarry":
            seen[path] = ast.dump(tree)
    text = "".join(seen[path] for path in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def gpus(wildcards):
    """1 where a job may find a GPU: CUDA here, or a cluster that runs it; else 0.

    On a machine without one, a token for it would only make CPU jobs wait for each other.
    """
    plugin = workflow.executor_plugin
    is_remote = plugin is not None and not (
        plugin.common_settings.local_exec or plugin.common_settings.dryrun_exec
    )
    return int(is_remote or shutil.which("nvidia-smi") is not None)


# ---- the data set -----------------------------------------------------------------------------


def data_folder(wildcards):
    """The folder with images/, labels/ and cases.csv."""
    form = config["source"]["format"]
    if form == "folder":
        return config["source"]["folder"]
    return f"{RESULTS}/{ {'phantom': 'phantom', 'cvat': 'imported'}[form] }"


def made_cases(wildcards):
    """cases.csv where a rule makes the data set; nothing where the user brings it."""
    return (
        []
        if config["source"]["format"] == "folder"
        else f"{data_folder(wildcards)}/cases.csv"
    )


def cvat_files(wildcards):
    """The files that a CVAT import reads beside the images."""
    cvat = config["source"].get("cvat") or {}
    files = [cvat.get("table"), cvat.get("order"), cvat.get("unlabelled")]
    return [file for file in files if file] + sum(
        cvat.get("annotations", {}).values(), []
    )


def sam_check(wildcards):
    """The verdict on the SAM checkpoint, which has to be there before any training starts."""
    return (
        f"{RESULTS}/embeddings/{config['sam']['model']}/checkpoint.json"
        if uses_sam()
        else []
    )


def listing(wildcards):
    """A digest of names, sizes and times of the user's files, so that a change is noticed."""
    source = config["source"]
    folder = {
        "folder": source.get("folder"),
        "cvat": (source.get("cvat") or {}).get("images"),
    }
    if source["format"] not in folder:
        return ""
    digest = hashlib.sha256()
    waiting = [folder[source["format"]]]
    while waiting:
        folder = waiting.pop()
        if not os.path.isdir(folder):
            continue
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.is_dir():
                waiting.append(entry.path)
            else:
                about = entry.stat()
                digest.update(
                    f"{entry.path} {about.st_size} {about.st_mtime_ns}\n".encode()
                )
    return digest.hexdigest()[:16]


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
    return [row for row in manifest() if row.shard == wildcards.shard]


def shards_of(*splits, labelled=False):
    """Names of the shards of some splits; with `labelled` only those with a labelled case."""
    return sorted(
        {
            row.shard
            for row in manifest()
            if row.split in splits and (row.labels or not labelled)
        }
    )


def judged():
    return judged_split(manifest())


def image_files(wildcards):
    return [f"{data_folder(wildcards)}/{row.image}" for row in rows_of_shard(wildcards)]


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


def dice_files(wildcards):
    missing = missing_methods(methods_of(wildcards), manifest())
    return [
        (
            f"{RESULTS}/full/seed{seed}/dice.csv"
            if method == "unet_full"
            else f"{RESULTS}/n{wildcards.n}/seed{seed}/dice/{method}.csv"
        )
        for method in methods_of(wildcards)
        if method not in missing
        for seed in config["seeds"]
    ]


def predictions_of(wildcards):
    """The masks or probabilities on test that a method is judged by."""
    folder = {
        "unet": "f_theta/probabilities",
        "unet_sam": "refined",
        "ours_p": "f_phi_p/probabilities",
        "ours_r": "f_phi/probabilities",
    }[wildcards.method]
    root = f"{RESULTS}/n{wildcards.n}/seed{wildcards.seed}/{folder}"
    return [f"{root}/{shard}.nii.gz" for shard in shards_of(judged())]


def pseudo_labels(wildcards):
    """What f_φ learns from: R (f_phi) or P (f_phi_p) of the unlabelled cases."""
    folder = {"f_phi": "refined", "f_phi_p": "f_theta/probabilities"}[wildcards.phi]
    root = f"{RESULTS}/n{wildcards.n}/seed{wildcards.seed}/{folder}"
    return [f"{root}/{shard}.nii.gz" for shard in shards_of("unlabelled")]


def sam_entry(wildcards):
    return config["sam"]["models"][wildcards.sam]


def embeddings_of(wildcards):
    return (
        f"{RESULTS}/embeddings/{config['sam']['model']}/{wildcards.shard}.safetensors"
    )


def report_success():
    """Print the table and say where the pictures are."""
    table = Path(f"{RESULTS}/n{config['n']}/summary.md")
    if table.exists():
        print(f"\n{table.read_text(encoding='utf-8')}")
        print(f"Pictures: {table.parent / 'figures'}/cases.png and training.png")
