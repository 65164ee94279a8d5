# Every method on the test split: Dice of each case and class, and what it comes to.


rule evaluate:
    input:
        masks=lambda wildcards: prepared("masks", shards_of(judged())),
        predictions=predictions_of,
    output:
        dice="results/{dataset}/n{n}/seed{seed}/dice/{method}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/evaluate/{method}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/evaluate/{method}.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        method=lambda wildcards: wildcards.method,
        code=code_of("evaluate"),
    script:
        "../../scripts/evaluate.py"


use rule evaluate as evaluate_full with:
    input:
        masks=lambda wildcards: prepared("masks", shards_of(judged())),
        predictions=lambda wildcards: [
            f"{RESULTS}/full/seed{wildcards.seed}/probabilities/{shard}.nii.gz"
            for shard in shards_of(judged())
        ],
    output:
        dice="results/{dataset}/full/seed{seed}/dice.csv",
    log:
        "results/{dataset}/logs/full/seed{seed}/evaluate.log",
    benchmark:
        "results/{dataset}/benchmarks/full/seed{seed}/evaluate.tsv"
    params:
        method="unet_full",
        code=code_of("evaluate"),


rule collect_dice:
    input:
        dice=dice_files,
    output:
        dice="results/{dataset}/n{n}/dice.csv",
    log:
        "results/{dataset}/logs/n{n}/collect_dice.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/collect_dice.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_of("collect_dice"),
    script:
        "../../scripts/collect_dice.py"


rule summarise:
    input:
        manifest="results/{dataset}/manifest.csv",
        dice="results/{dataset}/n{n}/dice.csv",
    output:
        summary="results/{dataset}/n{n}/summary.csv",
        differences="results/{dataset}/n{n}/differences.csv",
        page="results/{dataset}/n{n}/summary.md",
    log:
        "results/{dataset}/logs/n{n}/summarise.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/summarise.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        methods=methods_of,
        pairs=PAIRS,
        code=code_of("summarise"),
    script:
        "../../scripts/summarise.py"
