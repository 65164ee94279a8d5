"""Draw the best, the median and the worst case: reference and methods side by side (Fig. 3 to 5)."""

from job import job
from samcarry.data.native import shapes_of
from samcarry.evaluation.summary import read_dice
from samcarry.methods import method_of
from samcarry.report.figures import CaseView, best_median_worst, draw_qualitative, rank_cases
from samcarry.storage.stacks import read_header, read_shards

with job(snakemake):
    given, params = snakemake.input, snakemake.params
    names = {method: method_of(method).name for method in params.methods}
    ranked_by = params.methods[-1]
    ranking = rank_cases(read_dice(given.dice), ranked_by)
    chosen = best_median_worst(ranking)
    images = read_shards(given.images, list(chosen.values()))
    stacks = {"reference": given.masks} | {method: given[method] for method in params.methods}
    classes = read_header(given.masks[0]).classes
    masks = {stage: read_shards(paths, list(chosen.values()), classes) for stage, paths in stacks.items()}
    shapes = shapes_of(given.get("sizes"))
    for place, case in chosen.items():
        view = CaseView(
            case, images[case], {stage: of[case] for stage, of in masks.items()}, [], shapes.get(case)
        )
        heading = f"{place} of {len(ranking)} cases by {names[ranked_by]}: {case}\n"
        heading += f"seed {params.seed}; Dice in %, mean ± deviation over classes"
        draw_qualitative(snakemake.output[place], view, classes, names, heading)
