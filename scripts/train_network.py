"""Train a U-Net: f_θ on labels, f_φ on pseudo labels, or the fully supervised one."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from job import fingerprint, job
from samcarry.shards import gather, pairs_of
from samcarry.subset import SubsetStatistics
from samcarry.training import TrainingSettings, train, write_curve
from samcarry.unet import save_unet

CHECKPOINT_SECONDS = 20.0  # a killed training loses no more than this

with job(snakemake) as this, tempfile.TemporaryDirectory(dir=snakemake.resources.tmpdir) as scratch:
    given, params = snakemake.input, snakemake.params
    statistics = SubsetStatistics(**json.loads(Path(given.statistics).read_text()))
    settings = TrainingSettings(**params.training)
    data = gather(pairs_of(given.images, given.masks), params.cases, Path(scratch))
    this.log.info("training on %d cases with %d threads on %s", len(data.images), this.threads, this.device)
    model = Path(snakemake.output.model)
    checkpoint = model.with_name("checkpoint.pt")
    seed = int(snakemake.wildcards.seed)
    network, curve = train(
        data,
        statistics,
        settings,
        seed=seed,
        device=this.device,
        checkpoint=checkpoint,
        checkpoint_seconds=CHECKPOINT_SECONDS,
        fingerprint=fingerprint(settings, seed, params.cases, params.code, *map(Path, given)),
    )
    about = {**asdict(statistics), "size": data.images.shape[1:], "made_by": this.made_by}
    write_curve(snakemake.output.curve, curve)
    save_unet(model, network, about)
    checkpoint.unlink(missing_ok=True)
