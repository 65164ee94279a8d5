"""Choose the erosions and sigma of the random walk on the validation split."""

from pathlib import Path

from job import fingerprint, job
from samcarry.storage.stacks import read_shards
from samcarry.tuning.objective import in_random_order, initial_dice, random_walk_objective, read_cases
from samcarry.tuning.results import write_results
from samcarry.tuning.search_spaces import random_walk_space
from samcarry.tuning.study import tune

with job(snakemake) as this:
    given, params, made, tuning = snakemake.input, snakemake.params, snakemake.output, snakemake.params.tuning
    limits = (tuning[f"max_{name}"] for name in ("background_erosion", "mask_erosion", "sigma"))
    space = random_walk_space(params.default, *limits)
    cases = in_random_order(read_cases(given.probabilities, given.masks), tuning["seed"])
    images = read_shards(given.images, [case.name for case in cases])
    gain = random_walk_objective(cases, [images[case.name] for case in cases])
    chosen = (tuning["seed"], tuning["pruning"])
    study = fingerprint(space.distributions, space.default, chosen, params.code, *map(Path, given))
    journal = Path(made.tuned).with_suffix(".journal")
    tried = tune(journal, study, space, gain, tuning["trials"], *chosen)
    write_results(made.tuned, made.trials, made.answers, "random_walk", tried, initial_dice(cases))
