"""Draw some cases from best to worst: image, reference, P, prompts, R and the final predictions."""

from job import job
from samcarry.data.native import shapes_of
from samcarry.evaluation.summary import case_dice, read_dice
from samcarry.prompting.prompts import read_prompts
from samcarry.report.figures import STAGES, CaseView, draw_cases, spread_over_ranks
from samcarry.storage.stacks import read_header, read_shards

with job(snakemake):
    given, params = snakemake.input, snakemake.params
    rows = read_dice(given.dice)
    scores = case_dice(rows)
    stages = [stage for stage in STAGES if given.get(stage)]
    ranked_by = ([stage for stage in stages if stage in scores] or list(scores.columns))[-1]
    ranking = scores[ranked_by].dropna().sort_values(ascending=False)
    chosen = spread_over_ranks(list(ranking.index), params.shown)
    classes = read_header(given.masks[0]).classes
    images = read_shards(given.images, chosen)
    masks = {"reference": read_shards(given.masks, chosen, classes)}
    masks |= {stage: read_shards(given[stage], chosen, classes) for stage in stages}
    prompts, _ = read_prompts(*given.prompts, classes=classes)
    shapes = shapes_of(given.get("sizes"))
    views = [
        CaseView(
            case,
            images[case],
            {stage: of_case[case] for stage, of_case in masks.items()},
            prompts[case],
            shapes.get(case),
        )
        for case in chosen
    ]
    draw_cases(snakemake.output.picture, views, classes, ranked_by, params.seed)
