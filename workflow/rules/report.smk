# What a person looks at.


rule draw_cases:
    # Image, reference, P, cleaned masks with prompts, and what of R and final predictions is compared.
    input:
        **{
            stage: lambda wildcards, stage=stage, path=path: [
                f"{RESULTS}/n{wildcards.n}/seed{config['seeds'][0]}/{path.format(shard=shard)}"
                for shard in shards_of(judged())
                if stage in ("unet", "cleaned", "prompts", *methods_of(wildcards))
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
        mem_mb=memory(4000),
        runtime=30,
    params:
        seed=config["seeds"][0],
        shown=6,
        code=code_of("report/draw_cases"),
    script:
        "../../scripts/report/draw_cases.py"


rule draw_training:
    input:
        curves=lambda wildcards: [
            f"{RESULTS}/n{wildcards.n}/seed{seed}/{network}/training.csv"
            for network, method in (
                ("f_theta", None),
                ("f_phi", "ours_r"),
                ("f_phi_p", "ours_p"),
            )
            for seed in config["seeds"]
            if method in (None, *methods_of(wildcards))
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
        mem_mb=memory(2000),
        runtime=30,
    params:
        code=code_of("report/draw_training"),
    script:
        "../../scripts/report/draw_training.py"


rule draw_ablation:
    # Dice over the number of labelled images, the paper's Fig. 2.
    input:
        dice=ablation_dice,
    output:
        svg="results/{dataset}/figures/ablation.svg",
        png="results/{dataset}/figures/ablation.png",
    log:
        "results/{dataset}/logs/draw_ablation.log",
    benchmark:
        "results/{dataset}/benchmarks/draw_ablation.tsv"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        methods={
            method: method_of(method).name for method in config["ablation"]["methods"]
        },
        code=code_of("report/draw_ablation"),
    script:
        "../../scripts/report/draw_ablation.py"


rule draw_qualitative:
    # Best, median and worst case, the paper's Fig. 3 to 5.
    input:
        **{
            method: partial(shown_predictions, method=method)
            for method in METHODS_SHOWN
        },
        dice="results/{dataset}/dice.csv",
        images=lambda wildcards: prepared("images", shards_of(judged())),
        masks=lambda wildcards: prepared("masks", shards_of(judged())),
    output:
        best="results/{dataset}/figures/qualitative_best.png",
        median="results/{dataset}/figures/qualitative_median.png",
        worst="results/{dataset}/figures/qualitative_worst.png",
    log:
        "results/{dataset}/logs/draw_qualitative.log",
    benchmark:
        "results/{dataset}/benchmarks/draw_qualitative.tsv"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        methods={method: method_of(method).name for method in METHODS_SHOWN},
        ranked_by=RANKED_BY,
        seed=config["seeds"][0],
        code=code_of("report/draw_qualitative"),
    script:
        "../../scripts/report/draw_qualitative.py"


rule draw_tuning:
    input:
        trials="results/{dataset}/n{n}/tuned/{refiner}_trials.csv",
    output:
        picture="results/{dataset}/n{n}/figures/tuning_{refiner}.png",
    log:
        "results/{dataset}/logs/n{n}/draw_tuning_{refiner}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/draw_tuning_{refiner}.tsv"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        title=lambda wildcards: f"{wildcards.dataset}, n = {wildcards.n}: tuning of {wildcards.refiner}",
        code=code_of("report/draw_tuning"),
    script:
        "../../scripts/report/draw_tuning.py"


rule write_report:
    # Everything on one page that opens offline.
    input:
        unpack(report_files),
    output:
        page="results/{dataset}/report.html",
    log:
        "results/{dataset}/logs/write_report.log",
    benchmark:
        "results/{dataset}/benchmarks/write_report.tsv"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=30,
    params:
        n=config["n"],
        seed=config["seeds"][0],
        config=config,
        benchmarks=f"{RESULTS}/benchmarks",
        shown=12,
        template=sha256(SCRIPTS / "samcarry/report/page.html.jinja"),
        code=code_of("report/write_report"),
    script:
        "../../scripts/report/write_report.py"
