# Figures and the report page.


rule draw_cases:
    """Cases from best to worst: image, reference, P, cleaned masks with prompts, R and final predictions."""
    input:
        unpack(case_figure_files),
        manifest="results/{dataset}/manifest.csv",
        dice="results/{dataset}/n{n}/dice.csv",
        images=prepared("images", judged_shards),
        masks=prepared("masks", judged_shards),
    output:
        picture=report(
            "results/{dataset}/n{n}/figures/cases.png",
            caption="../report/cases.rst",
            category="Masks",
        ),
    log:
        "results/{dataset}/logs/n{n}/draw_cases.log",
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=30,
    params:
        seed=FIRST_SEED,
        shown=6,
        code=code_of("report/draw_cases"),
    script:
        "../../scripts/report/draw_cases.py"


rule draw_training:
    """Training curves of all networks and seeds."""
    input:
        curves=training_curves,
    output:
        picture=report(
            "results/{dataset}/n{n}/figures/training.png",
            caption="../report/training.rst",
            category="Training",
        ),
    log:
        "results/{dataset}/logs/n{n}/draw_training.log",
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
    """Dice over the number of labelled images, the paper's Fig. 2."""
    input:
        dice=ablation_dice,
        draws=spread_over_draws,
    output:
        svg=report(
            "results/{dataset}/figures/ablation.svg",
            caption="../report/ablation.rst",
            category="Results",
        ),
        png="results/{dataset}/figures/ablation.png",
    log:
        "results/{dataset}/logs/draw_ablation.log",
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        methods=config["ablation"]["methods"],
        code=code_of("report/draw_ablation"),
    script:
        "../../scripts/report/draw_ablation.py"


rule draw_ranks:
    """How often each method has each rank if patients are drawn again."""
    input:
        ranks="results/{dataset}/ranks.csv",
    output:
        picture=report(
            "results/{dataset}/figures/ranks.png",
            caption="../report/ranks.rst",
            category="Results",
        ),
    log:
        "results/{dataset}/logs/draw_ranks.log",
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        code=code_of("report/draw_ranks"),
    script:
        "../../scripts/report/draw_ranks.py"


rule draw_qualitative:
    """The best, the median and the worst case: reference and methods side by side, the paper's Fig. 3 to 5."""
    input:
        unpack(qualitative_files),
        dice="results/{dataset}/dice.csv",
        images=prepared("images", judged_shards),
        masks=prepared("masks", judged_shards),
    output:
        best=report(
            "results/{dataset}/figures/qualitative_best.png",
            caption="../report/qualitative.rst",
            category="Masks",
        ),
        median=report(
            "results/{dataset}/figures/qualitative_median.png",
            caption="../report/qualitative.rst",
            category="Masks",
        ),
        worst=report(
            "results/{dataset}/figures/qualitative_worst.png",
            caption="../report/qualitative.rst",
            category="Masks",
        ),
    log:
        "results/{dataset}/logs/draw_qualitative.log",
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        methods=METHODS_SHOWN,
        seed=FIRST_SEED,
        code=code_of("report/draw_qualitative"),
    script:
        "../../scripts/report/draw_qualitative.py"


rule draw_tuning:
    """The gain of every tuning trial by the value of each parameter."""
    input:
        trials="results/{dataset}/n{n}/tuned/{refiner}_trials.csv",
    output:
        picture=report(
            "results/{dataset}/n{n}/figures/tuning_{refiner}.png",
            caption="../report/tuning.rst",
            category="Tuning",
        ),
    log:
        "results/{dataset}/logs/n{n}/draw_tuning_{refiner}.log",
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
    """One page that opens offline: results, a gallery, tuned settings, versions, time and memory."""
    input:
        unpack(report_files),
    output:
        page=report(
            "results/{dataset}/report.html",
            caption="../report/page.rst",
            category="Results",
        ),
    log:
        "results/{dataset}/logs/write_report.log",
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=30,
    params:
        n=config["n"],
        seed=FIRST_SEED,
        study=STUDY,
        config=config,
        benchmarks=f"{RESULTS.root}/benchmarks",
        shown=12,
        template=sha256(SCRIPTS / "samcarry/report/page.html.jinja"),
        code=code_of("report/write_report"),
    script:
        "../../scripts/report/write_report.py"
