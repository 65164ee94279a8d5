# Images, labels and SAM checkpoints are checked; prepared images and masks are written in shards.


rule draw_phantoms:
    """The demo's data set: drawn radiographs with labels, images/, labels/ and cases.csv."""
    output:
        cases="results/{dataset}/phantom/cases.csv",
    log:
        "results/{dataset}/logs/draw_phantoms.log",
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
    """The verdict on a SAM checkpoint: it exists, is intact and has the named architecture."""
    input:
        checkpoint=lambda wildcards: sam_file(wildcards.sam),
    output:
        verdict="results/{dataset}/embeddings/{sam}/checkpoint.json",
    log:
        "results/{dataset}/logs/check_sam/{sam}.log",
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000, official_sam=16000),
        runtime=30,
    params:
        sam=lambda wildcards: sam_entry(wildcards.sam),
        code=code_of("prepare/check_sam"),
    script:
        "../../scripts/prepare/check_sam.py"


checkpoint list_cases:
    """All cases with patient, split, shard, order and digests, and the classes; every file was checked. A case keeps its shard."""
    input:
        cases=made_cases,
        fetched=fetched_data,
        sam=sam_check,
    output:
        manifest=update("results/{dataset}/manifest.csv"),
        classes=update("results/{dataset}/classes.txt"),
        left_out=update("results/{dataset}/left_out.csv"),
    log:
        "results/{dataset}/logs/list_cases.log",
    conda:
        "../../envs/array.yaml"
    threads: 4
    resources:
        mem_mb=memory(2000),
        runtime=120,
    params:
        folder=data_folder,
        contents=all_user_data,
        making=making,
        fault=last_fault("list_cases"),
        splits=SPLITTING,
        duplicates=DUPLICATES,
        classes=config["classes"],
        window=WINDOW,
        shard_size=config["shard_size"],
        text_masked=TEXT_MASKED,
        size=SIZE,
        step=2 ** config["training"]["depth"],
        hide_labels_beyond=config["splits"]["hide_labels_beyond"],
        waiting=methods_on_unlabelled(config),
        n=config["n"],
        largest_n=max([config["n"], *config["ablation"]["n"]]),
        code=code_of("prepare/list_cases"),
    script:
        "../../scripts/prepare/list_cases.py"


rule prepare_images:
    """Images of one shard at network size, as one NIfTI stack."""
    input:
        images=image_files,
    output:
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
    log:
        "results/{dataset}/logs/prepare_images/{shard}.log",
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
    """Masks of one shard at network size, as one NIfTI stack. Those of unlabelled cases are made only for full supervision."""
    input:
        labels=label_files,
    output:
        masks="results/{dataset}/prepared/{shard}/masks.nii.gz",
    log:
        "results/{dataset}/logs/prepare_masks/{shard}.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        size=SIZE,
        cases=lambda wildcards: [row.case for row in labelled_rows_of_shard(wildcards)],
        digests=lambda wildcards: [
            row.labels_digest for row in labelled_rows_of_shard(wildcards)
        ],
        classes=classes,
        code=code_of("prepare/prepare_masks"),
    script:
        "../../scripts/prepare/prepare_masks.py"


rule compute_statistics:
    """Mean and deviation of grey values and class weights, from the labelled cases of one subset only."""
    input:
        images=prepared("images", subset_shards),
        masks=prepared("masks", subset_shards),
    output:
        statistics="results/{dataset}/{subset}/statistics.json",
    log:
        "results/{dataset}/logs/{subset}/compute_statistics.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        cases=subset_cases,
        max_positive_weight=config["training"]["max_positive_weight"],
        code=code_of("prepare/compute_statistics"),
    script:
        "../../scripts/prepare/compute_statistics.py"
