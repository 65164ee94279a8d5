"""Train an LR-ASPP head on the frozen image encoder of the configured SAM."""

import tempfile
from dataclasses import asdict
from pathlib import Path

from job import checkpoint_beside, job
from samcarry.baselines.lraspp import save_lraspp, train_lraspp
from samcarry.networks.statistics import read_statistics
from samcarry.networks.training_data import gather
from samcarry.networks.training_loop import TrainingSettings, write_curve
from samcarry.sam.checkpoints import load_sam
from samcarry.storage.files import sha256
from samcarry.storage.stacks import pairs_of

with job(snakemake) as this, tempfile.TemporaryDirectory(dir=snakemake.resources.tmpdir) as scratch:
    given, params = snakemake.input, snakemake.params
    statistics = read_statistics(given.statistics)
    settings = TrainingSettings(**params.training)
    sam = load_sam(params.sam["model"], given.checkpoint, params.sam["sha256"], this.device)
    data = gather(pairs_of(given.images, given.masks), params.cases, Path(scratch))
    model, seed = snakemake.output.model, int(snakemake.wildcards.seed)
    checkpoint = checkpoint_beside(model, settings, seed, params.cases, params.code, *map(Path, given))
    network, curve = train_lraspp(
        data, statistics, settings, sam, seed=seed, device=this.device, checkpoint=checkpoint
    )
    encoder = {"model": params.sam["model"], "sha256": sha256(given.checkpoint)}
    about = {**asdict(statistics), "size": data.images.shape[1:], "sam": encoder, "made_by": this.made_by}
    write_curve(snakemake.output.curve, curve)
    save_lraspp(model, network, about)
    checkpoint.path.unlink(missing_ok=True)
