"""Train Mean Teacher from f_θ on labelled and unlabelled cases, maybe with SAM's selection."""

import contextlib
import tempfile
from dataclasses import asdict
from pathlib import Path

from job import checkpoint_beside, job
from samcarry.baselines.mean_teacher import MeanTeacherSettings, train_mean_teacher
from samcarry.networks.statistics import read_statistics
from samcarry.networks.training_data import gather, gather_unlabelled
from samcarry.networks.training_loop import TrainingSettings, write_curve
from samcarry.networks.unet import load_unet, save_unet
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import open_embeddings
from samcarry.sam.selection import select_by_sam
from samcarry.storage.stacks import pairs_of, read_stack

with (
    job(snakemake) as this,
    tempfile.TemporaryDirectory(dir=snakemake.resources.tmpdir) as scratch,
    contextlib.ExitStack() as files,
):
    given, params = snakemake.input, snakemake.params
    statistics = read_statistics(given.statistics)
    settings = TrainingSettings(**params.training)
    few = gather(pairs_of(given.images, given.masks), params.cases, Path(scratch, "few"))
    many = gather_unlabelled(
        map(read_stack, given.unlabelled), params.unlabelled, len(statistics.classes), Path(scratch, "many")
    )
    select = None
    if given.embeddings:
        sam = load_sam(params.sam["model"], given.checkpoint, params.sam["sha256"], this.device)
        embedding_of = files.enter_context(open_embeddings(*given.embeddings))
        select = select_by_sam(sam, embedding_of, params.unlabelled, params.agreement)
    model, seed = snakemake.output.model, int(snakemake.wildcards.seed)
    checkpoint = checkpoint_beside(
        model, settings, params.mean_teacher, params.agreement, seed, params.code, *map(Path, given)
    )
    network, curve = train_mean_teacher(
        few, many, statistics, settings, MeanTeacherSettings(**params.mean_teacher),
        start=load_unet(given.start, this.device)[0], seed=seed, device=this.device,
        checkpoint=checkpoint, select=select,
    )  # fmt: skip
    write_curve(snakemake.output.curve, curve)
    fed = {"size": few.images.shape[1:], "window": params.window}
    about = {**asdict(statistics), **fed, "made_by": this.made_by}
    save_unet(model, network, about)
    checkpoint.path.unlink(missing_ok=True)
