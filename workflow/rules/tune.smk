# Settings of the refiners, chosen on the validation split: once for each n, on the first seed's f_θ.


rule tune_sam:
    input:
        probabilities=first_seed("{root}/f_theta/probabilities/{shard}.nii.gz"),
        masks=lambda wildcards: prepared("masks", shards_of("val", labelled=True)),
        embeddings=first_seed(
            f"{RESULTS}/embeddings/{config['sam']['model']}/{{shard}}.safetensors"
        ),
        checkpoint=sam_file(config["sam"]["model"]),
    output:
        tuned="results/{dataset}/n{n}/tuned/sam.yaml",
        trials="results/{dataset}/n{n}/tuned/sam_trials.csv",
        answers="results/{dataset}/n{n}/tuned/sam_answers.csv",
    log:
        "results/{dataset}/logs/n{n}/tune_sam.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/tune_sam.tsv"
    conda:
        "../../envs/tune.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(16000 if BIG_SAM else 4000),
        runtime=480,
    params:
        protocol="sam",
        sam=config["sam"]["models"].get(config["sam"]["model"]),
        default={"cleaning": config["cleaning"], "passes": PASSES},
        tuning=config["tuning"],
        code=code_of("tune/tune_sam"),
    script:
        "../../scripts/tune/tune_sam.py"


use rule tune_sam as tune_medsam with:
    input:
        probabilities=first_seed("{root}/f_theta/probabilities/{shard}.nii.gz"),
        masks=lambda wildcards: prepared("masks", shards_of("val", labelled=True)),
        embeddings=first_seed(
            f"{RESULTS}/embeddings/{config['medsam']['model']}/{{shard}}.safetensors"
        ),
        checkpoint=sam_file(config["medsam"]["model"]),
    output:
        tuned="results/{dataset}/n{n}/tuned/medsam.yaml",
        trials="results/{dataset}/n{n}/tuned/medsam_trials.csv",
        answers="results/{dataset}/n{n}/tuned/medsam_answers.csv",
    log:
        "results/{dataset}/logs/n{n}/tune_medsam.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/tune_medsam.tsv"
    params:
        protocol="medsam",
        sam=config["sam"]["models"].get(config["medsam"]["model"]),
        default={"cleaning": config["medsam"]["cleaning"], "passes": MEDSAM_PASSES},
        tuning=config["tuning"],
        code=code_of("tune/tune_sam"),


rule tune_random_walk:
    input:
        probabilities=first_seed("{root}/f_theta/probabilities/{shard}.nii.gz"),
        images=lambda wildcards: prepared("images", shards_of("val", labelled=True)),
        masks=lambda wildcards: prepared("masks", shards_of("val", labelled=True)),
    output:
        tuned="results/{dataset}/n{n}/tuned/random_walk.yaml",
        trials="results/{dataset}/n{n}/tuned/random_walk_trials.csv",
        answers="results/{dataset}/n{n}/tuned/random_walk_answers.csv",
    log:
        "results/{dataset}/logs/n{n}/tune_random_walk.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/tune_random_walk.tsv"
    conda:
        "../../envs/tune.yaml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=memory(3000),
        runtime=480,
    params:
        default=config["random_walk"],
        tuning=config["tuning"],
        code=code_of("tune/tune_random_walk"),
    script:
        "../../scripts/tune/tune_random_walk.py"
