"""Tune a SAM on the labelled cases of one subset, and keep the state that refines validation cases best."""

import tempfile
from pathlib import Path

from job import job
from samcarry.adaptation.adapt import AdaptationSettings, adapt, write_scores
from samcarry.adaptation.labelled_images import labelled_image, read_predicted
from samcarry.adaptation.model_card import write_card
from samcarry.adaptation.rehearsal import hold_out, mean_dice, read_rehearsal
from samcarry.data.case_images import image_reader, label_reader
from samcarry.networks.training_loop import write_curve
from samcarry.prompting.cleaning import CleaningSettings
from samcarry.sam.checkpoints import load_sam, save_sam
from samcarry.sam.folders import digest_of_checkpoint
from samcarry.sam.own_models import OWN_MODELS
from samcarry.sam.zoom import ZoomSettings
from training_job import checkpoint_of

with job(snakemake) as this, tempfile.TemporaryDirectory(dir=snakemake.resources.tmpdir) as scratch:
    given, params, made = snakemake.input, snakemake.params, snakemake.output
    entry, seed, settings = params.sam, int(snakemake.wildcards.seed), AdaptationSettings(**params.training)
    cleaning, asking = CleaningSettings(**params.cleaning), ZoomSettings(**params.asking)
    image_of = image_reader(given.images, **params.images)
    labels_of = label_reader(given.labels, params.classes, params.labels)
    p_of = read_predicted(given.cross_fitted, params.cross_fitted, params.classes)
    images = {case: labelled_image(image_of(case), labels_of(case), p_of.get(case)) for case in params.cases}
    rehearsal = read_rehearsal(given.probabilities, given.masks, image_of, cleaning)
    rehearsal = rehearsal or hold_out(images, seed, params.size, cleaning)
    this.log.info("tuning on %d cases, scored on %d, on %s", len(images), len(rehearsal), this.device)
    sam = load_sam(entry["model"], given.checkpoint, entry["sha256"], this.device)
    checkpoint = checkpoint_of(snakemake)
    tuned, curve, scores = adapt(
        sam,
        list(images.values()),
        (lambda state: mean_dice(state, rehearsal, asking, settings.precision)) if rehearsal else None,
        settings,
        whole=entry["model"] in OWN_MODELS,
        seed=seed,
        checkpoint=checkpoint,
        scratch=Path(scratch),
    )
    base = {"model": entry["model"], "file": entry["file"], "sha256": digest_of_checkpoint(given.checkpoint)}
    write_curve(made.curve, curve)
    write_scores(made.scores, scores)
    write_card(made.card, base, list(images), params.classes, scores)
    save_sam(entry["model"], made.model, tuned, {"started_from": base["sha256"]})
    checkpoint.path.unlink(missing_ok=True)
