"""Choose prompts and cleaning for SAM, or the cleaning for MedSAM, on the validation split."""

from pathlib import Path

from job import fingerprint, job
from samcarry.prompting.cleaning import CleaningSettings
from samcarry.runtime.device import fitting
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import open_embeddings
from samcarry.tuning.gain import initial_dice, read_cases
from samcarry.tuning.results import write_results
from samcarry.tuning.sam_gain import gain_of_medsam, gain_of_sam
from samcarry.tuning.search_spaces import medsam_space, sam_space
from samcarry.tuning.study import tune

with job(snakemake) as this:
    given, params, made = snakemake.input, snakemake.params, snakemake.output
    protocol, tuning = params.protocol, params.tuning
    cleaning = CleaningSettings(**params.default["cleaning"])
    if protocol == "sam":
        space = sam_space(cleaning, **params.default["passes"], max_radius=tuning["max_radius"])
    else:
        space = medsam_space(cleaning, tuning["max_radius"])
    cases = read_cases(given.probabilities, given.masks)
    with open_embeddings(*given.embeddings) as embedding_of:
        embeddings = [embedding_of(case.name) for case in cases]
    sam = load_sam(params.sam["model"], given.checkpoint, params.sam["sha256"], this.device)
    gain_of = {"sam": gain_of_sam, "medsam": gain_of_medsam}[protocol]
    threads = fitting(this.device, cpu=this.threads, gpu=1)
    gain = gain_of(sam, cases, embeddings, threads=threads)
    study = fingerprint(
        protocol, space.distributions, space.default, tuning["seed"], params.code, *map(Path, given)
    )
    journal = Path(made.tuned).with_suffix(".journal")
    tried = tune(journal, study, space, gain, tuning["trials"], tuning["seed"])
    write_results(made.tuned, made.trials, made.answers, protocol, tried, initial_dice(cases))
