# How sure models may be: ensembles, calibration, and promised against achieved coverage.


rule join_seeds:
    """The networks of all seeds as one network, which predicts the mean of their probabilities."""
    input:
        models=members_of_ensemble,
    output:
        model="results/{dataset}/n{n}/seed{seed}/{ensemble}/model.safetensors",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/join_seeds_{ensemble}.log",
    wildcard_constraints:
        ensemble="|".join(method.network for method in METHODS if method.ensemble_of),
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        code=code_of("confidence/join_seeds"),
    script:
        "../../scripts/confidence/join_seeds.py"


rule calibrate:
    """A model file with temperatures, scores of validation patients, and what its network was shown."""
    input:
        unpack(calibration_files),
        model="results/{dataset}/{subset}/seed{seed}/{network}/model.safetensors",
        learned=learned_images,
    output:
        model="results/{dataset}/{subset}/seed{seed}/{network}/calibrated.safetensors",
    log:
        "results/{dataset}/logs/{subset}/seed{seed}/calibrate_{network}.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(6000),
        runtime=60,
    params:
        cases=calibration_cases,
        about=calibration_about,
        learned=learned_cases,
        measurements=config["measurements"],
        code=code_of("confidence/calibrate"),
    script:
        "../../scripts/confidence/calibrate.py"


rule assess_confidence:
    """Calibration of one method and promised against achieved coverage, for every seed."""
    input:
        unpack(assessed_files),
        probabilities=assessed_probabilities,
    output:
        calibration="results/{dataset}/{subset}/confidence/{method}/calibration.csv",
        reliability="results/{dataset}/{subset}/confidence/{method}/reliability.csv",
        coverage="results/{dataset}/{subset}/confidence/{method}/coverage.csv",
    log:
        "results/{dataset}/logs/{subset}/assess_confidence/{method}.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=120,
    params:
        seeds=lambda wildcards: seeds_of(wildcards.method),
        shards=assessed_shards,
        about=assessed_about,
        split=lambda wildcards: judged_split(manifest()),
        coverages=config["confidence"]["coverages"],
        code=code_of("confidence/assess_confidence"),
    script:
        "../../scripts/confidence/assess_confidence.py"


rule collect_confidence:
    """Calibration and coverage of all methods with probabilities."""
    input:
        calibration=assessments("calibration"),
        reliability=assessments("reliability"),
        coverage=assessments("coverage"),
    output:
        calibration="results/{dataset}/calibration.csv",
        reliability="results/{dataset}/reliability.csv",
        coverage="results/{dataset}/coverage.csv",
    log:
        "results/{dataset}/logs/collect_confidence.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        code=code_of("confidence/collect_confidence"),
    script:
        "../../scripts/confidence/collect_confidence.py"


rule draw_reliability:
    """Reliability diagrams: what was predicted with some probability, and how often it was true."""
    input:
        reliability="results/{dataset}/reliability.csv",
    output:
        picture="results/{dataset}/figures/reliability.png",
    log:
        "results/{dataset}/logs/draw_reliability.log",
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        code=code_of("confidence/draw_reliability"),
    script:
        "../../scripts/confidence/draw_reliability.py"
