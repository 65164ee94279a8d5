"""Train nnU-Net as planned; a killed training resumes from nnU-Net's own checkpoint."""

import shutil
from pathlib import Path

from job import fingerprint, job
from samcarry.baselines.nnunet.environment import Plan
from samcarry.baselines.nnunet.training import NnunetSettings, save_nnunet, train, write_curve
from samcarry.storage.checksums import check_folder
from samcarry.storage.texts import read_json

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    plan, folder = Plan(read_json(given.plans), read_json(given.dataset)), Path(given.plans).parent
    check_folder(folder / "preprocessed", this.results, remake=given.plans)
    settings, seed = NnunetSettings(**params.settings), int(snakemake.wildcards.seed)
    work = Path(snakemake.output.model).with_name("training")
    trained = train(
        plan,
        settings,
        folder,
        work,
        seed=seed,
        device=this.device,
        threads=this.threads,
        workers=this.threads - 1 if this.device == "cuda" else 0,
        fingerprint=fingerprint(settings, seed, params.code, plan),
    )
    write_curve(snakemake.output.curve, trained)
    save_nnunet(snakemake.output.model, trained.weights, plan, settings, {"made_by": this.made_by})
    shutil.rmtree(work)
