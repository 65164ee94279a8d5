"""The folder of a paper as a Workflow Run RO-Crate: ro-crate-metadata.json, which says what each file is.

Plain JSON-LD after the profile https://w3id.org/ro/wfrun/workflow/0.5.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

Entity = dict[str, Any]

METADATA = "ro-crate-metadata.json"
WORKFLOW = "workflow/Snakefile"
RUN = "#run"

_CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_TYPES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
_LICENCE = "#licence"


def run_crate(
    dataset: str, files: Mapping[str, int], given: Sequence[str], version: str, ended: str
) -> dict[str, Any]:
    """The metadata of the crate.

    Args:
        dataset: name of the data set.
        files: {path in the folder: bytes} of all its files but the metadata itself.
        given: the files among them that describe what the run was given; all others are its results.
        version: the version of samcarry.
        ended: when the run ended, ISO 8601 with time zone.
    """
    results = sorted(path for path in files if path not in (*given, WORKFLOW))
    entities: list[Entity] = [
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "about": _to("./"),
            "conformsTo": [
                _to("https://w3id.org/ro/crate/1.1"),
                _to("https://w3id.org/workflowhub/workflow-ro-crate/1.0"),
            ],
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"{dataset}: segmentation from few labels",
            "description": "Scores, tables, texts and figures of a run of samcarry, without images.",
            "datePublished": ended,
            "license": _to(_LICENCE),
            "conformsTo": [_to(profile) for profile in _PROFILES],
            "hasPart": [_to(path) for path in sorted(files)],
            "mainEntity": _to(WORKFLOW),
            "mentions": [_to(RUN)],
        },
        {
            "@id": WORKFLOW,
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "name": "samcarry",
            "version": version,
            "programmingLanguage": _to(_SNAKEMAKE),
        },
        {
            "@id": _SNAKEMAKE,
            "@type": "ComputerLanguage",
            "name": "Snakemake",
            "alternateName": "Snakemake",
            "identifier": _to("https://doi.org/10.1093/bioinformatics/bts480"),
            "url": _to("https://snakemake.readthedocs.io"),
        },
        {
            "@id": RUN,
            "@type": "CreateAction",
            "name": f"Run of samcarry {version} on {dataset}",
            "description": "Training, evaluation, and the tables and texts of this folder.",
            "endTime": ended,
            "instrument": _to(WORKFLOW),
            "object": [_to(path) for path in given],
            "result": [_to(path) for path in results],
        },
        {
            "@id": _LICENCE,
            "@type": "CreativeWork",
            "name": "To be chosen by the authors",
            "description": "The pipeline does not know under which licence this folder may be used.",
        },
        *(
            {"@id": profile, "@type": "CreativeWork", "name": name, "version": number}
            for profile, (name, number) in _PROFILES.items()
        ),
        *(_file(path, size) for path, size in sorted(files.items()) if path != WORKFLOW),
    ]
    return {"@context": _CONTEXT, "@graph": entities}


def _file(path: str, size: int) -> Entity:
    kind = _TYPES.get(PurePosixPath(path).suffix, "application/octet-stream")
    name = PurePosixPath(path).name
    return {"@id": path, "@type": "File", "name": name, "contentSize": str(size), "encodingFormat": kind}


def _to(identifier: str) -> Entity:
    return {"@id": identifier}
