# samcarry: a few labelled radiographs in, a good segmentation model out.
#
#   snakemake --cores 8 --resources gpu=1                            the main line of config.yaml
#   snakemake results/demo/n5/dice.csv --cores 8 --resources gpu=1   one ablation subset X^5
#   snakemake results/demo/table1.md --cores 8 --resources gpu=1     the paper's Table 1, all methods
#   snakemake results/demo/report.html --cores 8 --resources gpu=1   everything on one page
#   snakemake --cores 8 --resources gpu=1 --configfile config/own-data.yaml
#
# A target comes first: --resources and --configfile take all that follows them.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")

# The folder of this file, also if another workflow uses this one as a module, or runs it in another folder.
HERE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))


include: "workflow/common/terminal.smk"


# A config with the key `preset` is complete; others are merged over the demo's.
WITHOUT_DEMO = "preset" in config
DEMO = "config.yaml" if Path("config.yaml").exists() else str(HERE / "config.yaml")
if not WITHOUT_DEMO:

    configfile: DEMO


include: "workflow/common/setup.smk"
include: "workflow/common/fetch.smk"
include: "workflow/common/cases.smk"
include: "workflow/common/methods.smk"
include: "workflow/common/confidence.smk"
include: "workflow/common/presence.smk"
include: "workflow/common/pages.smk"
include: "workflow/common/paper.smk"
include: "workflow/common/audit.smk"
# In the order in which the data flow.
include: "workflow/rules/fetch.smk"
include: "workflow/rules/import.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/initial.smk"
include: "workflow/rules/tune.smk"
include: "workflow/rules/adapt.smk"
include: "workflow/rules/refine.smk"
include: "workflow/rules/final.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/nnunet.smk"
include: "workflow/rules/beyond.smk"
include: "workflow/rules/presence.smk"
include: "workflow/rules/confidence.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/paper.smk"
include: "workflow/rules/review.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/export.smk"


rule all:
    default_target: True
    input:
        expand(
            "results/{dataset}/n{n}/{product}",
            dataset=config["dataset"],
            n=config["n"],
            product=[
                "dice.csv",
                "summary.md",
                "figures/cases.png",
                "figures/training.png",
            ],
        ),
        models_of_main_line(),


rule ablation:
    input:
        expand(
            "results/{dataset}/n{n}/{product}",
            dataset=config["dataset"],
            n=config["ablation"]["n"],
            product=["dice.csv", "summary.md"],
        ),
        expand(
            "results/{dataset}/{product}",
            dataset=config["dataset"],
            product=["ablation.csv", "figures/ablation.svg"],
        ),


rule fetch:
    input:
        fetched_checkpoints,
        fetched_data,


onstart:
    check_clock()
    claim_results(DATASET)
    watch_claim(DATASET)
    say_embedding_sizes()


onsuccess:
    report_success()
