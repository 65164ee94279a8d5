# What a person looks at.


rule draw_cases:
    # Image, reference, P, cleaned masks with prompts, R and the final predictions, side by side.
    input:
        **{
            stage: lambda wildcards, stage=stage, path=path: [
                f"{RESULTS}/n{wildcards.n}/seed{config['seeds'][0]}/{path.format(shard=shard)}"
                for shard in shards_of(judged())
            ]
            for stage, path in {
                "unet": "f_theta/probabilities/{shard}.nii.gz",
                "cleaned": "cleaned/{shard}.nii.gz",
                "prompts": "prompts/{shard}.json",
                "unet_sam": "refined/{shard}.nii.gz",
                "ours_p": "f_phi_p/probabilities/{shard}.nii.gz",
                "ours_r": "f_phi/probabilities/{shard}.nii.gz",
            }.items()
        },
        manifest="results/{dataset}/manifest.csv",
        dice="results/{dataset}/n{n}/dice.csv",
        images=lambda wildcards: prepared("images", shards_of(judged())),
        masks=lambda wildcards: prepared("masks", shards_of(judged())),
    output:
        picture="results/{dataset}/n{n}/figures/cases.png",
    log:
        "results/{dataset}/logs/n{n}/draw_cases.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/draw_cases.tsv"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        seed=config["seeds"][0],
        shown=6,
        code=code_of("draw_cases"),
    script:
        "../../scripts/draw_cases.py"


rule draw_training:
    input:
        curves=lambda wildcards: [
            f"{RESULTS}/n{wildcards.n}/seed{seed}/{network}/training.csv"
            for network in ("f_theta", "f_phi", "f_phi_p")
            for seed in config["seeds"]
        ]
        + [
            f"{RESULTS}/full/seed{seed}/training.csv"
            for seed in config["seeds"]
            if "unet_full" in methods_of(wildcards) and has_hidden_labels(manifest())
        ],
    output:
        picture="results/{dataset}/n{n}/figures/training.png",
    log:
        "results/{dataset}/logs/n{n}/draw_training.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/draw_training.tsv"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_of("draw_training"),
    script:
        "../../scripts/draw_training.py"
