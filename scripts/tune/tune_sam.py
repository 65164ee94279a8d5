"""Choose prompts and cleaning for SAM, the cleaning for MedSAM, or how to ask SAM on crops."""

from pathlib import Path

from job import fingerprint, job
from samcarry.data.case_images import image_reader
from samcarry.prompting.cleaning import CleaningSettings
from samcarry.runtime.device import batch_size_for
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import open_embeddings
from samcarry.tuning.objective import in_random_order, initial_dice, read_cases
from samcarry.tuning.results import write_results
from samcarry.tuning.sam_objective import medsam_objective, sam_objective
from samcarry.tuning.search_spaces import fuse_weights, medsam_space, sam_space, zoom_space
from samcarry.tuning.study import tune
from samcarry.tuning.zoom_objective import zoom_objective

with job(snakemake) as this:
    given, params, made = snakemake.input, snakemake.params, snakemake.output
    refiner, tuning, originals = snakemake.wildcards.refiner, params.tuning, params.originals
    cleaning, asking = CleaningSettings(**params.cleaning), params.asking
    cases = in_random_order(read_cases(given.probabilities, given.masks), tuning["seed"])
    sam = load_sam(params.sam["model"], given.checkpoint, params.sam["sha256"], this.device)
    threads = batch_size_for(this.device, cpu=this.threads, gpu=1)
    with open_embeddings(*given.embeddings) as embedding_of:
        embeddings = [embedding_of(case.name) for case in cases if given.embeddings]
    if given.images:
        image_of = image_reader(given.images, **originals)
        how = {"rounds": asking["rounds"], "precision": params.precision, "threads": threads}
        gain = zoom_objective(sam, cases, image_of, cleaning, fuse_weights(asking["fuse"]), **how)
        space = zoom_space(asking, three_masks=sam.mask_decoder.num_mask_tokens > 1)
    elif asking:
        gain = sam_objective(sam, cases, embeddings, threads=threads)
        space = sam_space(cleaning, asking["first"], asking["second"], tuning["max_radius"])
    else:
        gain = medsam_objective(sam, cases, embeddings, threads=threads)
        space = medsam_space(cleaning, tuning["max_radius"])
    chosen = (tuning["seed"], tuning["pruning"])
    settings = (refiner, space.distributions, space.default, chosen, asking, cleaning, originals)
    origin = fingerprint(*settings, params.precision, params.code, *map(Path, given))
    journal = Path(made.tuned).with_suffix(".journal")
    tried = tune(journal, origin, space, gain, tuning["trials"], *chosen)
    write_results(made.tuned, made.trials, made.answers, refiner, tried, initial_dice(cases))
