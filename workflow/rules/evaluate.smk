# Scores of every method on held-out cases, tables and statistics.


rule measure_images:
    """Height and width of the evaluated images, and the size of their pixels in mm where it is known."""
    input:
        manifest="results/{dataset}/manifest.csv",
        images=judged_images,
    output:
        sizes="results/{dataset}/sizes.csv",
    log:
        "results/{dataset}/logs/measure_images.log",
    conda:
        "../../envs/formats.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        folder=data_folder,
        source_images=source_images,
        cases=lambda wildcards: [row.case for row in judged_rows(wildcards)],
        noted=lambda wildcards: [row.spacing for row in judged_rows(wildcards)],
        digests=lambda wildcards: [row.image_digest for row in judged_rows(wildcards)],
        spacing=config["evaluation"]["spacing"],
        code=code_of("evaluate/measure_images"),
    script:
        "../../scripts/evaluate/measure_images.py"


rule evaluate:
    """Scores of one method and seed, by case and class: Dice, distances and areas."""
    input:
        unpack(references),
        predictions=predictions,
        judged=judged_classes,
    output:
        dice="results/{dataset}/{subset}/seed{seed}/dice/{method}.csv",
    log:
        "results/{dataset}/logs/{subset}/seed{seed}/evaluate/{method}.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=60,
    params:
        n=n_of,
        digests=reference_digests,
        tolerance=config["evaluation"]["surface_tolerance"],
        code=code_of("evaluate/evaluate"),
    script:
        "../../scripts/evaluate/evaluate.py"


rule collect_dice:
    """Scores of all methods and seeds of one subset X^n."""
    input:
        dice=dice_files,
    output:
        dice="results/{dataset}/n{n}/dice.csv",
    log:
        "results/{dataset}/logs/n{n}/collect_dice.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        n=n_of,
        code=code_of("evaluate/collect_dice"),
    script:
        "../../scripts/evaluate/collect_dice.py"


rule summarise:
    """Methods side by side, with paired differences and their intervals."""
    input:
        unpack(summary_curves),
        presences=lambda wildcards: [file for _, file in summary_presences(wildcards)],
        manifest="results/{dataset}/manifest.csv",
        dice="results/{dataset}/n{n}/dice.csv",
    output:
        summary="results/{dataset}/n{n}/summary.csv",
        differences="results/{dataset}/n{n}/differences.csv",
        page="results/{dataset}/n{n}/summary.md",
    log:
        "results/{dataset}/logs/n{n}/summarise.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        methods=methods_of,
        trained=lambda wildcards: list(summary_curves(wildcards)),
        judged=lambda wildcards: [method for method, _ in summary_presences(wildcards)],
        pairs=lambda wildcards: pairs_of(config, methods_of(wildcards)),
        primary=lambda wildcards: primary_of(config, methods_of(wildcards)),
        margin=config["evaluation"]["margin"],
        at=config["evaluation"]["at"],
        notes=lambda wildcards: reading_notes(config, methods_of(wildcards)),
        code=code_of("evaluate/summarise"),
    script:
        "../../scripts/evaluate/summarise.py"


use rule collect_dice as collect_table_dice with:
    input:
        dice=table_dice,
    output:
        dice="results/{dataset}/dice.csv",
    log:
        "results/{dataset}/logs/collect_table_dice.log",
    params:
        n=config["n"],
        code=code_of("evaluate/collect_dice"),


rule write_tables:
    """The paper's Table 1, scores and detection by class, differences between every two methods, and how stable ranks are."""
    input:
        unpack(table_curves),
        presences=lambda wildcards: [file for _, file in table_presences(wildcards)],
        manifest="results/{dataset}/manifest.csv",
        dice="results/{dataset}/dice.csv",
        draws=spread_over_draws,
        readers=readers_file(config),
    output:
        csv="results/{dataset}/table1.csv",
        md="results/{dataset}/table1.md",
        tex="results/{dataset}/table1.tex",
        per_class="results/{dataset}/per_class.csv",
        differences="results/{dataset}/differences.csv",
        per_group="results/{dataset}/per_group.csv",
        ranks="results/{dataset}/ranks.csv",
        detection="results/{dataset}/detection.csv",
        agreement="results/{dataset}/agreement.csv",
    log:
        "results/{dataset}/logs/write_tables.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        methods=config["table"]["methods"],
        trained=lambda wildcards: list(table_curves(wildcards)),
        judged=lambda wildcards: [method for method, _ in table_presences(wildcards)],
        primary=primary_of(config, config["table"]["methods"]),
        margin=config["evaluation"]["margin"],
        notes=lambda wildcards: method_notes(config, judged_split(manifest())),
        paper=config["table"]["paper"],
        tolerance=config["evaluation"]["surface_tolerance"],
        at=config["evaluation"]["at"],
        code=code_of("evaluate/write_tables"),
    script:
        "../../scripts/evaluate/write_tables.py"


rule collect_draws:
    """How much the Dice of each method depends on which cases were labelled, for all sizes n that are drawn again."""
    input:
        dice=draws_dice,
    output:
        draws="results/{dataset}/draws.csv",
    log:
        "results/{dataset}/logs/collect_draws.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        draws=lambda wildcards: [subset.draw for subset in subsets_drawn(wildcards)],
        methods=list(
            dict.fromkeys([*config["methods"], *config["ablation"]["methods"]])
        ),
        code=code_of("evaluate/collect_draws"),
    script:
        "../../scripts/evaluate/collect_draws.py"


rule collect_ablation:
    """Dice of each method over the subsets X^n, the numbers of Fig. 2."""
    input:
        manifest="results/{dataset}/manifest.csv",
        dice=ablation_dice,
        draws=spread_over_draws,
    output:
        ablation="results/{dataset}/ablation.csv",
    log:
        "results/{dataset}/logs/collect_ablation.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        methods=config["ablation"]["methods"],
        code=code_of("evaluate/collect_ablation"),
    script:
        "../../scripts/evaluate/collect_ablation.py"


rule collect_label_curve:
    """How much more Dice more labels are expected to give, with intervals: learning curves over the sizes n and draws."""
    input:
        manifest="results/{dataset}/manifest.csv",
        dice=dice_compared,
    output:
        curve="results/{dataset}/label_curve.csv",
    log:
        "results/{dataset}/logs/collect_label_curve.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=60,
    params:
        draws=lambda wildcards: [subset.draw for subset in subsets_compared(wildcards)],
        methods=config["ablation"]["methods"],
        code=code_of("evaluate/collect_label_curve"),
    script:
        "../../scripts/evaluate/collect_label_curve.py"
