# What a run fetches, and the files that depend on it.
import re

from samcarry.pipeline.fetching import (
    fetches_data,
    missing_checkpoints,
    own_files,
)

# Rules make only what is missing: a checkpoint that is there is a file like any other, and is never removed.
FETCHED = missing_checkpoints(config, config["sam"]["models"])
FETCHES_DATA = fetches_data(config, RESULTS.root)


def fetched_data(wildcards):
    """The list of the study's fetched files, which makes Snakemake fetch them first; nothing if there are none."""
    if not FETCHES_DATA:
        return []
    return [checkpoints.fetch_data.get(dataset=DATASET).output.list]


def fetched_checkpoints(wildcards):
    """The checkpoints of the main line and the ablation that are fetched."""
    files = {config["sam"]["models"][name]["file"] for name in main_sams(config)}
    return sorted(files & set(FETCHED))


def fetched_source(wildcards):
    """Address and digest of a checkpoint that is fetched."""
    entry = FETCHED[wildcards.file]
    return {key: entry[key] for key in ("url", "sha256")}
