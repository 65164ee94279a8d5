"""Plan nnU-Net for X^n and preprocess its cases."""

import json
import tempfile
from pathlib import Path

from job import job
from samcarry.baselines.nnunet.planning import Planning, make_plan
from samcarry.networks.training_data import gather
from samcarry.storage.checksums import seal_folder
from samcarry.storage.files import write_text
from samcarry.storage.stacks import pairs_of, read_header

with job(snakemake) as this, tempfile.TemporaryDirectory(dir=snakemake.resources.tmpdir) as scratch:
    given, params, wanted = snakemake.input, snakemake.params, snakemake.output
    data = gather(pairs_of(given.images, given.masks), params.cases, Path(scratch))
    classes = read_header(given.masks[0]).classes
    planning = Planning(**params.planning)
    folder = Path(wanted.plans).parent
    plan = make_plan(data, params.cases, classes, planning, folder, this.threads)
    seal_folder(folder / "preprocessed", this.results)
    write_text(wanted.plans, json.dumps(plan.plans, indent=1))
    write_text(wanted.dataset, json.dumps({**plan.dataset, "made_by": this.made_by}, ensure_ascii=False))
