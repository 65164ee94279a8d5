"""Choose prompts and cleaning for SAM, or the cleaning for MedSAM, on the validation split."""

from pathlib import Path

from job import fingerprint, job
from samcarry.prompting.cleaning import CleaningSettings
from samcarry.runtime.device import batch_size_for
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import open_embeddings
from samcarry.tuning.objective import initial_dice, read_cases
from samcarry.tuning.results import write_results
from samcarry.tuning.sam_objective import medsam_objective, sam_objective
from samcarry.tuning.search_spaces import medsam_space, sam_space
from samcarry.tuning.study import tune

with job(snakemake) as this:
    given, params, made = snakemake.input, snakemake.params, snakemake.output
    refiner, tuning = snakemake.wildcards.refiner, params.tuning
    cleaning = CleaningSettings(**params.cleaning)
    if refiner == "sam":
        space, gain_of = sam_space(cleaning, **params.passes, max_radius=tuning["max_radius"]), sam_objective
    else:
        space, gain_of = medsam_space(cleaning, tuning["max_radius"]), medsam_objective
    cases = read_cases(given.probabilities, given.masks)
    with open_embeddings(*given.embeddings) as embedding_of:
        embeddings = [embedding_of(case.name) for case in cases]
    sam = load_sam(params.sam["model"], given.checkpoint, params.sam["sha256"], this.device)
    threads = batch_size_for(this.device, cpu=this.threads, gpu=1)
    gain = gain_of(sam, cases, embeddings, threads=threads)
    origin = fingerprint(
        refiner, space.distributions, space.default, tuning["seed"], params.code, *map(Path, given)
    )
    journal = Path(made.tuned).with_suffix(".journal")
    tried = tune(journal, origin, space, gain, tuning["trials"], tuning["seed"])
    write_results(made.tuned, made.trials, made.answers, refiner, tried, initial_dice(cases))
