# f_φ: a fresh network on the pseudo labels, and the one that all labels give.


rule train_f_phi:
    # f_phi learns from R, f_phi_p from P; both from scratch, with the statistics of X^n.
    input:
        images=lambda wildcards: prepared("images", shards_of("unlabelled")),
        masks=pseudo_labels,
        statistics="results/{dataset}/n{n}/statistics.json",
    output:
        model="results/{dataset}/n{n}/seed{seed}/{phi}/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/{phi}/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_{phi}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/train_{phi}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(12000),
        runtime=480,
    params:
        training=TRAINING,
        window=config["images"]["window"],
        cases=lambda wildcards: [
            row.case for row in manifest() if row.split == "unlabelled"
        ],
        code=code_of("initial/train_network"),
    script:
        "../../scripts/initial/train_network.py"


rule train_f_full:
    # Full supervision: the training cases and the labels that hide among the unlabelled ones.
    input:
        images=lambda wildcards: prepared(
            "images", shards_of("train", "unlabelled", labelled=True)
        ),
        masks=lambda wildcards: prepared(
            "masks", shards_of("train", "unlabelled", labelled=True)
        ),
        statistics="results/{dataset}/full/statistics.json",
    output:
        model="results/{dataset}/full/seed{seed}/model.safetensors",
        curve="results/{dataset}/full/seed{seed}/training.csv",
    log:
        "results/{dataset}/logs/full/seed{seed}/train_f_full.log",
    benchmark:
        "results/{dataset}/benchmarks/full/seed{seed}/train_f_full.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(12000),
        runtime=480,
    params:
        training=TRAINING,
        window=config["images"]["window"],
        cases=full_cases,
        code=code_of("initial/train_network"),
    script:
        "../../scripts/initial/train_network.py"


use rule predict as predict_f_full with:
    input:
        model="results/{dataset}/full/seed{seed}/model.safetensors",
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
    output:
        probabilities="results/{dataset}/full/seed{seed}/probabilities/{shard}.nii.gz",
    log:
        "results/{dataset}/logs/full/seed{seed}/predict/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/full/seed{seed}/predict/{shard}.tsv"
