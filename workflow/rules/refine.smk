# P is cleaned, turned into prompts, and redrawn by SAM: R.


rule clean:
    input:
        probabilities="results/{dataset}/n{n}/seed{seed}/f_theta/probabilities/{shard}.nii.gz",
        tuned=tuned("sam"),
    output:
        masks="results/{dataset}/n{n}/seed{seed}/cleaned/{shard}.nii.gz",
        prompts="results/{dataset}/n{n}/seed{seed}/prompts/{shard}.json",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/clean/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/clean/{shard}.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=60,
    params:
        cleaning=config["cleaning"],
        code=code_of("refine/clean"),
    script:
        "../../scripts/refine/clean.py"


rule embed:
    # Depends on the image and the SAM alone: shared by every n and seed.
    input:
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
        checkpoint=lambda wildcards: sam_entry(wildcards)["file"],
    output:
        embeddings="results/{dataset}/embeddings/{sam}/{shard}.safetensors",
    log:
        "results/{dataset}/logs/embed_{sam}/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/embed_{sam}/{shard}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(16000 if BIG_SAM else 4000),
        runtime=240,
    params:
        sam=sam_entry,
        precision=config["precision"],
        code=code_of("refine/embed"),
    script:
        "../../scripts/refine/embed.py"


rule refine:
    input:
        embeddings=embeddings_of,
        prompts="results/{dataset}/n{n}/seed{seed}/prompts/{shard}.json",
        checkpoint=sam_file(config["sam"]["model"]),
        tuned=tuned("sam"),
    output:
        masks="results/{dataset}/n{n}/seed{seed}/refined/{shard}.nii.gz",
        quality="results/{dataset}/n{n}/seed{seed}/refined/{shard}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/refine/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/refine/{shard}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(16000 if BIG_SAM else 4000),
        runtime=240,
    params:
        sam=config["sam"]["models"][config["sam"]["model"]],
        size=SIZE,
        passes=PASSES,
        code=code_of("refine/refine"),
    script:
        "../../scripts/refine/refine.py"
