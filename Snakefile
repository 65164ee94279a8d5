# samcarry: a few labelled radiographs in, a good segmentation model out.
#
#   snakemake --cores 8 --resources gpu=1                            the main line of config.yaml
#   snakemake --cores 8 --resources gpu=1 results/demo/n5/dice.csv   one ablation subset X^5
#   snakemake --cores 8 --resources gpu=1 results/demo/table1.md     the paper's Table 1, all methods
#   snakemake --cores 8 --resources gpu=1 results/demo/report.html   everything on one page
#   snakemake --cores 8 --resources gpu=1 --configfile config/own-data.yaml
from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


# In the order in which the data flow.
include: "workflow/rules/common.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/initial.smk"
include: "workflow/rules/tune.smk"
include: "workflow/rules/refine.smk"
include: "workflow/rules/final.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/nnunet.smk"
include: "workflow/rules/beyond.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


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


rule ablation:
    input:
        expand(
            "results/{dataset}/n{n}/{product}",
            dataset=config["dataset"],
            n=config["ablation"]["n"],
            product=["dice.csv", "summary.md"],
        ),


onsuccess:
    report_success()
