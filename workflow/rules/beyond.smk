# Beyond the paper: rows that a config switches on by their ids.


rule weigh:
    input:
        initial="results/{dataset}/n{n}/seed{seed}/f_theta/probabilities/{shard}.nii.gz",
        refined="results/{dataset}/n{n}/seed{seed}/refined/{shard}.nii.gz",
        quality="results/{dataset}/n{n}/seed{seed}/refined/{shard}.csv",
    output:
        weights="results/{dataset}/n{n}/seed{seed}/weights/{shard}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/weigh/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/weigh/{shard}.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=240,
    params:
        code=code_of("beyond/weigh"),
    script:
        "../../scripts/beyond/weigh.py"


use rule train_f_phi as train_f_phi_weighted with:
    input:
        images=lambda wildcards: prepared("images", shards_of("unlabelled")),
        masks=of_unlabelled("refined"),
        weights=of_unlabelled("weights", ".csv"),
        statistics="results/{dataset}/n{n}/statistics.json",
    output:
        model="results/{dataset}/n{n}/seed{seed}/f_phi_weighted/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/f_phi_weighted/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_f_phi_weighted.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/train_f_phi_weighted.tsv"
    params:
        training=TRAINING,
        window=config["images"]["window"],
        cases=unlabelled_cases,
        code=code_of("initial/train_network"),


use rule train_f_phi as train_f_phi_warm with:
    input:
        images=lambda wildcards: prepared(
            "images", shards_of("unlabelled") + subset_shards(wildcards)
        ),
        masks=lambda wildcards: of_unlabelled("refined")(wildcards)
        + prepared("masks", subset_shards(wildcards)),
        start="results/{dataset}/n{n}/seed{seed}/f_theta/model.safetensors",
        statistics="results/{dataset}/n{n}/statistics.json",
    output:
        model="results/{dataset}/n{n}/seed{seed}/f_phi_warm/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/f_phi_warm/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_f_phi_warm.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/train_f_phi_warm.tsv"
    params:
        training=TRAINING,
        window=config["images"]["window"],
        cases=lambda wildcards: unlabelled_cases(wildcards) + subset(wildcards),
        code=code_of("initial/train_network"),


use rule clean as clean_round2 with:
    input:
        probabilities="results/{dataset}/n{n}/seed{seed}/f_phi/probabilities/{shard}.nii.gz",
        tuned=tuned("sam"),
    output:
        masks="results/{dataset}/n{n}/seed{seed}/round2/cleaned/{shard}.nii.gz",
        prompts="results/{dataset}/n{n}/seed{seed}/round2/prompts/{shard}.json",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/clean_round2/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/clean_round2/{shard}.tsv"


use rule refine as refine_round2 with:
    input:
        embeddings=embeddings_of,
        prompts="results/{dataset}/n{n}/seed{seed}/round2/prompts/{shard}.json",
        checkpoint=sam_file(config["sam"]["model"]),
        tuned=tuned("sam"),
    output:
        masks="results/{dataset}/n{n}/seed{seed}/round2/refined/{shard}.nii.gz",
        quality="results/{dataset}/n{n}/seed{seed}/round2/refined/{shard}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/refine_round2/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/refine_round2/{shard}.tsv"


use rule train_f_phi as train_f_phi_round2 with:
    input:
        images=lambda wildcards: prepared("images", shards_of("unlabelled")),
        masks=of_unlabelled("round2/refined"),
        statistics="results/{dataset}/n{n}/statistics.json",
    output:
        model="results/{dataset}/n{n}/seed{seed}/round2/f_phi/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/round2/f_phi/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_f_phi_round2.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/train_f_phi_round2.tsv"
    params:
        training=TRAINING,
        window=config["images"]["window"],
        cases=unlabelled_cases,
        code=code_of("initial/train_network"),


use rule predict as predict_round2 with:
    input:
        model="results/{dataset}/n{n}/seed{seed}/round2/f_phi/model.safetensors",
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
    output:
        probabilities="results/{dataset}/n{n}/seed{seed}/round2/f_phi/probabilities/{shard}.nii.gz",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/predict_round2/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/predict_round2/{shard}.tsv"


rule extract_tolerant_prompts:
    input:
        masks="results/{dataset}/n{n}/seed{seed}/cleaned/{shard}.nii.gz",
        probabilities="results/{dataset}/n{n}/seed{seed}/f_theta/probabilities/{shard}.nii.gz",
    output:
        prompts="results/{dataset}/n{n}/seed{seed}/tolerant/prompts/{shard}.json",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/extract_tolerant_prompts/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/extract_tolerant_prompts/{shard}.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=240,
    params:
        code=code_of("beyond/extract_tolerant_prompts"),
    script:
        "../../scripts/beyond/extract_tolerant_prompts.py"


rule refine_tolerant:
    input:
        embeddings=embeddings_of,
        prompts="results/{dataset}/n{n}/seed{seed}/tolerant/prompts/{shard}.json",
        probabilities="results/{dataset}/n{n}/seed{seed}/f_theta/probabilities/{shard}.nii.gz",
        checkpoint=sam_file(config["sam"]["model"]),
        tuned=tuned("sam"),
    output:
        masks="results/{dataset}/n{n}/seed{seed}/tolerant/refined/{shard}.nii.gz",
        quality="results/{dataset}/n{n}/seed{seed}/tolerant/refined/{shard}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/refine_tolerant/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/refine_tolerant/{shard}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(16000 if BIG_SAM else 4000),
        runtime=240,
    params:
        sam=config["sam"]["models"].get(config["sam"]["model"]),
        size=SIZE,
        passes=PASSES,
        code=code_of("beyond/refine_tolerant"),
    script:
        "../../scripts/beyond/refine_tolerant.py"


use rule train_f_phi as train_f_phi_tolerant with:
    input:
        images=lambda wildcards: prepared("images", shards_of("unlabelled")),
        masks=of_unlabelled("tolerant/refined"),
        statistics="results/{dataset}/n{n}/statistics.json",
    output:
        model="results/{dataset}/n{n}/seed{seed}/tolerant/f_phi/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/tolerant/f_phi/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_f_phi_tolerant.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/train_f_phi_tolerant.tsv"
    params:
        training=TRAINING,
        window=config["images"]["window"],
        cases=unlabelled_cases,
        code=code_of("initial/train_network"),


use rule predict as predict_tolerant with:
    input:
        model="results/{dataset}/n{n}/seed{seed}/tolerant/f_phi/model.safetensors",
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
    output:
        probabilities="results/{dataset}/n{n}/seed{seed}/tolerant/f_phi/probabilities/{shard}.nii.gz",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/predict_tolerant/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/predict_tolerant/{shard}.tsv"


rule train_fixmatch:
    input:
        images=lambda wildcards: prepared("images", subset_shards(wildcards)),
        masks=lambda wildcards: prepared("masks", subset_shards(wildcards)),
        unlabelled=lambda wildcards: prepared("images", shards_of("unlabelled")),
        statistics="results/{dataset}/n{n}/statistics.json",
        start="results/{dataset}/n{n}/seed{seed}/f_theta/model.safetensors",
    output:
        model="results/{dataset}/n{n}/seed{seed}/fixmatch/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/fixmatch/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_fixmatch.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/train_fixmatch.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(12000),
        runtime=240,
    params:
        training=TRAINING,
        window=config["images"]["window"],
        fixmatch=config["fixmatch"],
        cases=subset,
        unlabelled=unlabelled_cases,
        code=code_of("beyond/train_fixmatch"),
    script:
        "../../scripts/beyond/train_fixmatch.py"
