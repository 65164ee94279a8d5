# The config, constants and functions that concern every rule. This folder holds functions; ../rules holds rules.
import functools
import os
import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple

from snakemake.exceptions import WorkflowError
from snakemake.persistence.file import FilePersistence
from snakemake.script import PythonScript

SCRIPTS = HERE / "scripts"  # on the path since terminal.smk

from samcarry.data.contract import SPLITS
from samcarry.data.folds import deal, draw_of, folds_of
from samcarry.data.manifest import (
    judged_split,
    missing_methods,
    read_manifest,
)
from samcarry.data.user_files import find_label_files
from samcarry.errors import InputError, shortlist
from samcarry.methods import (
    METHODS,
    TUNING_STUDIES,
    method_of,
    method_of_network,
    shown_side_by_side,
)
from samcarry.pipeline.clock import clock_fault
from samcarry.pipeline.code_digest import code_digest, remember_sources
from samcarry.pipeline.config import (
    asking_of,
    duplicates_of,
    embedding_notes,
    is_papers_way,
    main_sams,
    method_notes,
    methods_on_unlabelled,
    mirrored_side,
    needs_much_memory,
    pairs_of,
    primary_of,
    reading_notes,
    refiners_tuned,
    sam_of_block,
    sams_of,
    splitting_of,
)
from samcarry.pipeline.config_faults import check_files
from samcarry.pipeline.contents import content_of_checkpoint, digest_of
from samcarry.pipeline.ledger import remove_unsealed, unknown_results
from samcarry.pipeline.locks import keep_other_locks, places_not_writable
from samcarry.pipeline.paths import (
    FULL,
    SIZES,
    SUBSETS,
    Results,
    Subset,
    subset_named,
    subset_of,
)
from samcarry.pipeline.planning import plan_faster
from samcarry.pipeline.remedies import with_remedy
from samcarry.pipeline.settings import (
    complete,
    note_on_base,
    of_config,
    writing_faults,
)
from samcarry.pipeline.sources import (
    cases_file,
    image_source,
    left_out_file,
    readers_file,
    source_files,
    source_folder,
    user_paths,
)
from samcarry.pipeline.warm import use_workers
from samcarry.storage.checksums import check, check_names
from samcarry.runtime.processes import announce_parent
from samcarry.storage.files import sha256
from samcarry.storage.filled import unfilled_warnings
from samcarry.storage.runs import announce_run, claim_results, watch_claim
from samcarry.storage.texts import read_text

# Idle OpenMP threads that spin slow a job down tenfold where several processes share few cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def check_config():
    """Fill in the preset and the defaults, and stop with one line for each fault of the config."""
    own = [Path(path) for path in workflow.overwrite_configfiles]
    files = own if WITHOUT_DEMO else [Path(DEMO), *own]
    if not workflow.is_main_process:
        files = []
    if faults := [fault for file in files for fault in writing_faults(file)]:
        raise WorkflowError("\n".join(faults))
    faults = complete(config, HERE)
    if faults:
        raise WorkflowError(of_config(faults))
    if workflow.is_main_process and not WITHOUT_DEMO:
        for note in note_on_base(own, HERE / "config.yaml"):
            logger.info(note)


def or_stop(read, *arguments, **named):
    """`read(...)`; an InputError stops the run with one line."""
    try:
        return read(*arguments, **named)
    except InputError as error:
        raise WorkflowError(with_remedy(error)) from None


def check_path():
    """Stop if Snakemake cannot run from here: it takes braces in the path of its environments for wildcards."""
    if {"{", "}"} & set(str(HERE)):
        raise WorkflowError(
            f"{HERE}: Snakemake cannot run from a folder with braces in its path: rename or move it"
        )


def check_places():
    """Stop with one line for each folder that the run has to write and may not."""
    places = [".snakemake", ".snakemake/locks", MEMORY, RESULTS.root]
    if faults := places_not_writable(places):
        raise WorkflowError("\n".join(faults))


check_path()
AS_READ = repr(config)  # without what the presets, defaults and found files add
check_config()

DATASET = config["dataset"]
announce_parent()
or_stop(
    announce_run,
    is_main=workflow.is_main_process,
    dataset=DATASET,
    config=AS_READ,
)
RESULTS = Results(DATASET)
# What earlier runs found in the user's files, and in the code.
MEMORY = Path(".snakemake/samcarry")
if workflow.is_main_process:  # a job on a cluster is the only one of its process
    use_workers(PythonScript, SCRIPTS)
    keep_other_locks(FilePersistence)
    plan_faster(sys.modules, dry_run=workflow.output_settings.dryrun)
    if not workflow.output_settings.dryrun:
        check_places()
    in_files = workflow.workflow_settings.persistence_backend.name == "FILE"
    if in_files and (fault := unknown_results(f"{RESULTS.root}/manifest.csv")):
        raise WorkflowError(fault)
    # Where a folder is locked, a run may still be writing.
    if not workflow.output_settings.dryrun and not list(
        Path(".snakemake/locks").glob("*")
    ):
        remove_unsealed(RESULTS.root)
remember_sources(MEMORY / "code.json")
FIRST_SEED = config["seeds"][0]
SIZE = [config["images"]["height"], config["images"]["width"]]
WINDOW = config["images"]["window"]
TEXT_MASKED = config["images"]["mask_text"]
if TEXT_MASKED and workflow.is_main_process:
    for line in or_stop(unfilled_warnings, RESULTS.root):
        logger.warning(line)
# Threads do not change what a training learns; the cap of the weights is part of the statistics.
TRAINING = {
    key: value
    for key, value in config["training"].items()
    if key not in ("threads", "max_positive_weight")
} | {"precision": config["precision"]}
# As other trainings; a step of a tuned SAM takes about as long as an epoch of a network.
ADAPTATION = {
    "iterations": config["adapt"]["steps"],
    "iterations_per_epoch": min(10, config["adapt"]["steps"]),
    "batch_size": config["adapt"]["batch_size"],
    "scored": config["adapt"]["scored"],
    "learning_rate": config["adapt"]["learning_rate"],
    "final_learning_rate": config["adapt"]["learning_rate"] / 100,
    "precision": config["precision"],
    "compile": False,
}
# Of second networks, and of the methods that start from f_θ.
SECOND_TRAINING = TRAINING | {
    "iterations": config["f_phi"]["iterations"] or TRAINING["iterations"]
}
SECOND_TRAININGS = (
    "train_f_phi",
    "train_mean_teacher",
    "train_mean_teacher_sam",
    "train_fixmatch",
)
# The agreement with SAM concerns one of the two Mean Teachers only.
MEAN_TEACHER = {
    key: value for key, value in config["mean_teacher"].items() if key != "agreement"
}
PASSES = {key: config["sam"][key] for key in ("first", "second")}
# What happens to equal images concerns only the rule that compares them.
DUPLICATES = duplicates_of(config)
SPLITTING = splitting_of(config)


wildcard_constraints:
    dataset=DATASET,
    n=SIZES,
    subset=SUBSETS,
    seed=r"\d+",
    shard="(" + "|".join(SPLITS) + r")-\d+",
    sam="|".join(config["sam"]["models"]),
    # Folders of U-Nets, and those of second networks among them.
    network="|".join({method.network for method in METHODS if method.network}),
    phi="|".join(method.network for method in METHODS if method.pseudo_labels),
    method="|".join(method.id for method in METHODS),
    refiner="|".join(TUNING_STUDIES),
    nnunet="nnunet|nnunet_default",
    draw=r"doubtful|random\d+",
    task=r"[1-9]\d*",


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
    """1 if a job may find a GPU (CUDA here, or a cluster that runs it), else 0.

    On a machine without a GPU, asking for one would only make CPU jobs wait for each other.
    """
    return _gpus()


def memory(megabytes, official_sam=None):
    """The memory of a job, twice as much on its second try, which only a cluster's profile grants.

    `official_sam` is the memory with an official SAM, which needs several times that of the small ones.
    """
    if official_sam and needs_much_memory(config):
        megabytes = official_sam
    return lambda wildcards, attempt: attempt * megabytes


def check_clock():
    """Stop if files are from the future: Snakemake would delete what it makes from them as outdated."""
    images = (
        [f"{config['source']['folder']}/{name}" for name in ("images", "labels")]
        if config["source"]["format"] == "folder"
        else []
    )
    sams = [entry["file"] for entry in config["sam"]["models"].values()]
    annotations = source_files(config["source"])
    originals = [*images, *annotations, *config["corrections"], *sams]
    # A script from the future would rerun its rules each time.
    paths = [RESULTS.root, *originals, _from_here(SCRIPTS)]
    tool = _from_here(HERE / "tools/fix_times.py")
    fault = clock_fault(paths, time.time_ns(), [_from_here(sys.executable), tool])
    if fault:
        raise WorkflowError(fault)


def _from_here(path):
    here = Path.cwd()
    return str(
        Path(path).relative_to(here) if Path(path).is_relative_to(here) else path
    )


def relative_length(name):
    """How much longer than others of its kind the rule of this name takes, as far as the config says."""
    if name not in SECOND_TRAININGS:
        return 1.0
    return SECOND_TRAINING["iterations"] / TRAINING["iterations"]


def last_fault(rule):
    """A mark of the last time that a job of a rule did not finish, as a parameter of that rule.

    Snakemake restores the previous outputs of a job that updates them, and takes the failed job for a finished one;
    the changed parameter makes it try again.
    """
    mark = Path(f"{RESULTS.root}/logs/{rule}.fault")
    # A damaged mark is another mark, which costs a job.
    return mark.read_text("utf-8", errors="replace") if mark.exists() else ""


def check_result(path):
    """The path of a result that is read here and not in a job; raises InputError if it is not as its job left it."""
    check(path, RESULTS.root)
    return path


def intact(path):
    """As `check_result`, but a fault stops the run with one line."""
    return or_stop(check_result, path)


def report_success():
    """Print the table of results and where the pictures are."""
    table = Path(f"{RESULTS.root}/n{config['n']}/summary.md")
    if table.exists():
        print(f"\n{or_stop(read_text, intact(table))}")
        print(f"Pictures: {table.parent / 'figures'}/cases.png and training.png")
