# From P to R: cleaning, prompts, SAM. A chain is the main line (no folder of its own), or one of CHAINS, such as zoom/.


rule clean:
    """Cleaned masks of one shard, and the boxes and points that prompt SAM (paper §2.1)."""
    input:
        probabilities=probabilities_of_chain,
        tuned=tuned_cleaning,
    output:
        masks="results/{dataset}/n{n}/seed{seed}/{chain}cleaned/{shard}.nii.gz",
        prompts="results/{dataset}/n{n}/seed{seed}/{chain}prompts/{shard}.json",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/clean/{chain}{shard}.log",
    wildcard_constraints:
        chain="|".join(CHAINS),
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=60,
    params:
        cleaning=cleaning_of,
        code=code_of("refine/clean"),
    script:
        "../../scripts/refine/clean.py"


rule embed:
    """Image embeddings of one shard by one SAM. They depend on the image and the SAM only, so every n and seed shares them."""
    input:
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
        checkpoint=lambda wildcards: sam_file(wildcards.sam),
    output:
        embeddings=STORED("results/{dataset}/embeddings/{sam}/{shard}.safetensors"),
    log:
        "results/{dataset}/logs/embed_{sam}/{shard}.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(4000, official_sam=16000),
        runtime=240,
    params:
        sam=lambda wildcards: sam_entry(wildcards.sam),
        precision=config["precision"],
        code=code_of("refine/embed"),
    script:
        "../../scripts/refine/embed.py"


rule refine:
    """Refined pseudo labels R of one shard, and SAM's own estimate of their IoU."""
    input:
        embeddings=embeddings_seen(this_shard),
        images=images_seen(this_shard),
        probabilities=probabilities_seen,
        prompts="results/{dataset}/n{n}/seed{seed}/{chain}prompts/{shard}.json",
        checkpoint=checkpoint_of,
        tuned=tuned(),
    output:
        masks="results/{dataset}/n{n}/seed{seed}/{chain}refined/{shard}.nii.gz",
        quality="results/{dataset}/n{n}/seed{seed}/{chain}refined/{shard}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/refine/{chain}{shard}.log",
    wildcard_constraints:
        chain="|".join(CHAINS),
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(4000, official_sam=16000),
        runtime=240,
    params:
        sam=sam_of,
        size=SIZE,
        study=study_name,
        asking=asking_of_study,
        originals=originals_seen(this_shard),
        precision=config["precision"],
        code=code_of("refine/refine"),
    script:
        "../../scripts/refine/refine.py"
