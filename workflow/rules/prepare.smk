# From a user's folder, an import or the phantom to shards of prepared images and masks.


rule draw_phantoms:
    output:
        cases="results/{dataset}/phantom/cases.csv",
    log:
        "results/{dataset}/logs/draw_phantoms.log",
    benchmark:
        "results/{dataset}/benchmarks/draw_phantoms.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=30,
    params:
        phantom=config["source"]["phantom"],
        code=code_of("prepare/draw_phantoms"),
    script:
        "../../scripts/prepare/draw_phantoms.py"


rule check_sam:
    # A wrong checkpoint has to be told before hours of training, not after.
    input:
        checkpoint=lambda wildcards: sam_entry(wildcards)["file"],
    output:
        verdict="results/{dataset}/embeddings/{sam}/checkpoint.json",
    log:
        "results/{dataset}/logs/check_sam/{sam}.log",
    benchmark:
        "results/{dataset}/benchmarks/check_sam/{sam}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(16000 if BIG_SAM else 4000),
        runtime=30,
    params:
        sam=sam_entry,
        code=code_of("prepare/check_sam"),
    script:
        "../../scripts/prepare/check_sam.py"


checkpoint list_cases:
    # Reads and checks every image and label before any training. A case keeps its shard for good.
    input:
        cases=made_cases,
        sam=sam_check,
    output:
        manifest=update("results/{dataset}/manifest.csv"),
        classes=update("results/{dataset}/classes.txt"),
    log:
        "results/{dataset}/logs/list_cases.log",
    benchmark:
        "results/{dataset}/benchmarks/list_cases.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 4
    resources:
        mem_mb=memory(2000),
        runtime=120,
    params:
        folder=data_folder,
        listing=listing,
        fault=last_fault("list_cases"),
        splits=config["splits"],
        classes=config["classes"],
        window=config["images"]["window"],
        shard_size=config["shard_size"],
        largest_n=max([config["n"], *config["ablation"]["n"]]),
        code=code_of("prepare/list_cases"),
    script:
        "../../scripts/prepare/list_cases.py"


rule prepare_images:
    input:
        images=image_files,
    output:
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
    log:
        "results/{dataset}/logs/prepare_images/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/prepare_images/{shard}.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        images=config["images"],
        cases=lambda wildcards: [row.case for row in rows_of_shard(wildcards)],
        digests=lambda wildcards: [row.image_digest for row in rows_of_shard(wildcards)],
        code=code_of("prepare/prepare_images"),
    script:
        "../../scripts/prepare/prepare_images.py"


rule prepare_masks:
    # Masks of unlabelled cases are made only where full supervision asks for them.
    input:
        labels=label_files,
    output:
        masks="results/{dataset}/prepared/{shard}/masks.nii.gz",
    log:
        "results/{dataset}/logs/prepare_masks/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/prepare_masks/{shard}.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        size=SIZE,
        cases=lambda wildcards: [
            row.case for row in rows_of_shard(wildcards) if row.labels
        ],
        digests=lambda wildcards: [
            row.labels_digest for row in rows_of_shard(wildcards) if row.labels
        ],
        classes=classes,
        code=code_of("prepare/prepare_masks"),
    script:
        "../../scripts/prepare/prepare_masks.py"


rule compute_statistics:
    # Mean, deviation and class weights of X^n, from its cases only.
    input:
        images=lambda wildcards: prepared("images", subset_shards(wildcards)),
        masks=lambda wildcards: prepared("masks", subset_shards(wildcards)),
    output:
        statistics="results/{dataset}/n{n}/statistics.json",
    log:
        "results/{dataset}/logs/n{n}/compute_statistics.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/compute_statistics.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        cases=subset,
        max_positive_weight=config["training"]["max_positive_weight"],
        code=code_of("prepare/compute_statistics"),
    script:
        "../../scripts/prepare/compute_statistics.py"


use rule compute_statistics as compute_full_statistics with:
    input:
        images=lambda wildcards: prepared(
            "images", shards_of("train", "unlabelled", labelled=True)
        ),
        masks=lambda wildcards: prepared(
            "masks", shards_of("train", "unlabelled", labelled=True)
        ),
    output:
        statistics="results/{dataset}/full/statistics.json",
    log:
        "results/{dataset}/logs/full/compute_statistics.log",
    benchmark:
        "results/{dataset}/benchmarks/full/compute_statistics.tsv"
    params:
        cases=full_cases,
        max_positive_weight=config["training"]["max_positive_weight"],
        code=code_of("prepare/compute_statistics"),
