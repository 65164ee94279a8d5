# The comparison methods of the paper's Table 1; nnU-Net has a file of its own.


rule train_lraspp:
    # An LR-ASPP head on the frozen image encoder of the configured SAM.
    input:
        images=lambda wildcards: prepared("images", subset_shards(wildcards)),
        masks=lambda wildcards: prepared("masks", subset_shards(wildcards)),
        statistics="results/{dataset}/n{n}/statistics.json",
        checkpoint=sam_file(config["sam"]["model"]),
    output:
        model="results/{dataset}/n{n}/seed{seed}/lraspp/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/lraspp/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_lraspp.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/train_lraspp.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(24000 if BIG_SAM else 12000),
        runtime=480,
    params:
        training=TRAINING,
        cases=subset,
        sam=config["sam"]["models"].get(config["sam"]["model"]),
        code=code_of("compare/train_lraspp"),
    script:
        "../../scripts/compare/train_lraspp.py"


rule predict_lraspp:
    input:
        model="results/{dataset}/n{n}/seed{seed}/lraspp/model.safetensors",
        embeddings=embeddings_of,
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
    output:
        probabilities="results/{dataset}/n{n}/seed{seed}/lraspp/probabilities/{shard}.nii.gz",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/predict_lraspp/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/predict_lraspp/{shard}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(6000),
        runtime=60,
    params:
        code=code_of("compare/predict_lraspp"),
    script:
        "../../scripts/compare/predict_lraspp.py"


use rule clean as clean_for_medsam with:
    input:
        probabilities="results/{dataset}/n{n}/seed{seed}/f_theta/probabilities/{shard}.nii.gz",
        tuned=tuned("medsam"),
    output:
        masks="results/{dataset}/n{n}/seed{seed}/medsam/cleaned/{shard}.nii.gz",
        prompts="results/{dataset}/n{n}/seed{seed}/medsam/prompts/{shard}.json",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/clean_for_medsam/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/clean_for_medsam/{shard}.tsv"
    params:
        cleaning=config["medsam"]["cleaning"],
        code=code_of("refine/clean"),


use rule refine as refine_by_medsam with:
    input:
        embeddings=partial(embeddings_of, model=config["medsam"]["model"]),
        prompts="results/{dataset}/n{n}/seed{seed}/medsam/prompts/{shard}.json",
        checkpoint=sam_file(config["medsam"]["model"]),
        tuned=[],
    output:
        masks="results/{dataset}/n{n}/seed{seed}/medsam/refined/{shard}.nii.gz",
        quality="results/{dataset}/n{n}/seed{seed}/medsam/refined/{shard}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/refine_by_medsam/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/refine_by_medsam/{shard}.tsv"
    params:
        sam=config["sam"]["models"].get(config["medsam"]["model"]),
        size=SIZE,
        passes=MEDSAM_PASSES,
        code=code_of("refine/refine"),


rule random_walk:
    # Grady's random walker instead of SAM.
    input:
        probabilities="results/{dataset}/n{n}/seed{seed}/f_theta/probabilities/{shard}.nii.gz",
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
        tuned=tuned("random_walk"),
    output:
        masks="results/{dataset}/n{n}/seed{seed}/random_walk/{shard}.nii.gz",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/random_walk/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/random_walk/{shard}.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=120,
    params:
        random_walk=config["random_walk"],
        code=code_of("compare/random_walk"),
    script:
        "../../scripts/compare/random_walk.py"


rule train_mean_teacher:
    input:
        images=lambda wildcards: prepared("images", subset_shards(wildcards)),
        masks=lambda wildcards: prepared("masks", subset_shards(wildcards)),
        unlabelled=lambda wildcards: prepared("images", shards_of("unlabelled")),
        statistics="results/{dataset}/n{n}/statistics.json",
        start="results/{dataset}/n{n}/seed{seed}/f_theta/model.safetensors",
        embeddings=[],
        checkpoint=[],
    output:
        model="results/{dataset}/n{n}/seed{seed}/mean_teacher/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/mean_teacher/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_mean_teacher.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/train_mean_teacher.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(16000 if BIG_SAM else 12000),
        runtime=960,
    params:
        training=TRAINING,
        window=config["images"]["window"],
        mean_teacher={
            key: config["mean_teacher"][key] for key in ("alpha", "consistency_weight")
        },
        sam=None,
        agreement=None,
        cases=subset,
        unlabelled=unlabelled_cases,
        code=code_of("compare/train_mean_teacher"),
    script:
        "../../scripts/compare/train_mean_teacher.py"


use rule train_mean_teacher as train_mean_teacher_sam with:
    input:
        images=lambda wildcards: prepared("images", subset_shards(wildcards)),
        masks=lambda wildcards: prepared("masks", subset_shards(wildcards)),
        unlabelled=lambda wildcards: prepared("images", shards_of("unlabelled")),
        statistics="results/{dataset}/n{n}/statistics.json",
        start="results/{dataset}/n{n}/seed{seed}/f_theta/model.safetensors",
        embeddings=lambda wildcards: [
            f"{RESULTS}/embeddings/{config['sam']['model']}/{shard}.safetensors"
            for shard in shards_of("unlabelled")
        ],
        checkpoint=sam_file(config["sam"]["model"]),
    output:
        model="results/{dataset}/n{n}/seed{seed}/mean_teacher_sam/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/mean_teacher_sam/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_mean_teacher_sam.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/train_mean_teacher_sam.tsv"
    params:
        training=TRAINING,
        window=config["images"]["window"],
        mean_teacher={
            key: config["mean_teacher"][key] for key in ("alpha", "consistency_weight")
        },
        sam=config["sam"]["models"].get(config["sam"]["model"]),
        agreement=config["mean_teacher"]["agreement"],
        cases=subset,
        unlabelled=unlabelled_cases,
        code=code_of("compare/train_mean_teacher"),
