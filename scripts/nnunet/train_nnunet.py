"""Train nnU-Net with BCE as planned; a killed training resumes from nnU-Net's own checkpoint."""

import json
import shutil
from pathlib import Path

from job import fingerprint, job
from samcarry.baselines.nnunet.environment import Plan
from samcarry.baselines.nnunet.training import NnunetSettings, save_nnunet, train

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    plan = Plan(json.loads(Path(given.plans).read_text()), json.loads(Path(given.dataset).read_text()))
    settings, seed = NnunetSettings(**params.settings), int(snakemake.wildcards.seed)
    work = Path(snakemake.output.model).with_name("training")
    weights = train(
        plan,
        settings,
        Path(given.plans).parent,
        work,
        seed=seed,
        device=this.device,
        threads=this.threads,
        workers=this.threads - 1 if this.device == "cuda" else 0,
        fingerprint=fingerprint(settings, seed, params.code, plan),
    )
    save_nnunet(snakemake.output.model, weights, plan, settings, {"made_by": this.made_by})
    shutil.rmtree(work)
