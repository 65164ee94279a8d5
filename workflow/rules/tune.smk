# The refiners' settings are chosen on the validation split: once for each n, on the first seed's f_θ.


rule tune_sam:
    """The prompts and cleaning that Optuna chose for SAM, the cleaning for MedSAM, or the way to ask SAM on crops, with all trials and what they show."""
    input:
        probabilities=per_shard(
            "f_theta/probabilities", validation_shards, seed=FIRST_SEED
        ),
        masks=prepared("masks", validation_shards),
        embeddings=embeddings_tuned,
        images=images_seen(validation_shards),
        checkpoint=checkpoint_of,
    output:
        tuned="results/{dataset}/n{n}/tuned/{refiner}.yaml",
        trials="results/{dataset}/n{n}/tuned/{refiner}_trials.csv",
        answers="results/{dataset}/n{n}/tuned/{refiner}_answers.csv",
    log:
        "results/{dataset}/logs/n{n}/tune_{refiner}.log",
    wildcard_constraints:
        refiner="|".join(STUDIES),
    conda:
        "../../envs/tune.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(4000, official_sam=16000),
        runtime=480,
    params:
        sam=sam_of,
        cleaning=cleaning_of,
        asking=asking_of_study,
        originals=originals_seen(validation_shards),
        precision=config["precision"],
        tuning=config["tuning"],
        code=code_of("tune/tune_sam"),
    script:
        "../../scripts/tune/tune_sam.py"


rule tune_random_walk:
    """The erosions and sigma that Optuna chose for the random walk, with all trials and what they show."""
    input:
        probabilities=per_shard(
            "f_theta/probabilities", validation_shards, seed=FIRST_SEED
        ),
        images=prepared("images", validation_shards),
        masks=prepared("masks", validation_shards),
    output:
        tuned="results/{dataset}/n{n}/tuned/random_walk.yaml",
        trials="results/{dataset}/n{n}/tuned/random_walk_trials.csv",
        answers="results/{dataset}/n{n}/tuned/random_walk_answers.csv",
    log:
        "results/{dataset}/logs/n{n}/tune_random_walk.log",
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
