# Rows beyond the paper, which a config switches on by their ids; variants of f_φ are in final.smk.


rule weigh:
    """Weights of the pseudo labels of one shard, by case and class: SAM's own estimate times the agreement of P and R."""
    input:
        initial="results/{dataset}/n{n}/seed{seed}/f_theta/probabilities/{shard}.nii.gz",
        refined="results/{dataset}/n{n}/seed{seed}/refined/{shard}.nii.gz",
        quality="results/{dataset}/n{n}/seed{seed}/refined/{shard}.csv",
    output:
        weights="results/{dataset}/n{n}/seed{seed}/weights/{shard}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/weigh/{shard}.log",
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


rule extract_tolerant_prompts:
    """Boxes and points of one shard that tolerate errors in P, after SAMRefiner."""
    input:
        masks="results/{dataset}/n{n}/seed{seed}/cleaned/{shard}.nii.gz",
        probabilities="results/{dataset}/n{n}/seed{seed}/f_theta/probabilities/{shard}.nii.gz",
    output:
        prompts="results/{dataset}/n{n}/seed{seed}/tolerant/prompts/{shard}.json",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/extract_tolerant_prompts/{shard}.log",
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
    """Masks of one shard refined from tolerant prompts, with P as the first mask prompt."""
    input:
        embeddings=embeddings_of_shard,
        prompts="results/{dataset}/n{n}/seed{seed}/tolerant/prompts/{shard}.json",
        probabilities="results/{dataset}/n{n}/seed{seed}/f_theta/probabilities/{shard}.nii.gz",
        checkpoint=sam_file(SAM),
        tuned=tuned("sam"),
    output:
        masks="results/{dataset}/n{n}/seed{seed}/tolerant/refined/{shard}.nii.gz",
        quality="results/{dataset}/n{n}/seed{seed}/tolerant/refined/{shard}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/refine_tolerant/{shard}.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(4000, official_sam=16000),
        runtime=240,
    params:
        sam=lambda wildcards: sam_entry(SAM),
        size=SIZE,
        passes=PASSES,
        code=code_of("beyond/refine_tolerant"),
    script:
        "../../scripts/beyond/refine_tolerant.py"


rule train_fixmatch:
    """A U-Net trained by weak-to-strong consistency, started from f_θ."""
    input:
        images=prepared("images", subset_shards),
        masks=prepared("masks", subset_shards),
        unlabelled=prepared("images", unlabelled_shards),
        statistics="results/{dataset}/n{n}/statistics.json",
        start="results/{dataset}/n{n}/seed{seed}/f_theta/model.safetensors",
    output:
        model="results/{dataset}/n{n}/seed{seed}/fixmatch/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/fixmatch/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_fixmatch.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(12000),
        runtime=1440,
    params:
        training=SECOND_TRAINING,
        window=WINDOW,
        mirrored=mirrored_images,
        text_masked=TEXT_MASKED,
        fixmatch=config["fixmatch"],
        cases=subset_cases,
        unlabelled=unlabelled_cases,
        code=code_of("beyond/train_fixmatch"),
    script:
        "../../scripts/beyond/train_fixmatch.py"
