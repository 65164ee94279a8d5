# The annotator's loop: what to label first, where to look next, and corrections that come back.


rule choose_first:
    # Needs images alone: no label, no manifest.
    input:
        cases=made_cases,
        checkpoint=sam_file(config["sam"]["model"]),
    output:
        cases="results/{dataset}/first/cases.csv",
        sheet="results/{dataset}/first/contact_sheet.png",
    log:
        "results/{dataset}/logs/choose_first.log",
    benchmark:
        "results/{dataset}/benchmarks/choose_first.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(16000 if BIG_SAM else 4000),
        runtime=480,
    params:
        folder=data_folder,
        listing=listing,
        images=config["images"],
        patient_pattern=config["splits"]["patient_pattern"],
        sam=config["sam"]["models"].get(config["sam"]["model"]),
        first=config["review"]["first"],
        precision=config["precision"],
        code=code_of("review/choose_first"),
    script:
        "../../scripts/review/choose_first.py"


rule apply_corrections:
    # A data set of its own, beside the user's, which is only read.
    input:
        cases=source_cases,
        corrections=config["corrections"],
    output:
        cases=update("results/{dataset}/corrected/cases.csv"),
    log:
        "results/{dataset}/logs/apply_corrections.log",
    benchmark:
        "results/{dataset}/benchmarks/apply_corrections.tsv"
    conda:
        "../../envs/formats.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=120,
    params:
        folder=source_folder,
        listing=listing,
        fault=last_fault("apply_corrections"),
        splits=config["splits"],
        classes=config["classes"],
        window=config["images"]["window"],
        replace_labels=config["corrections_replace"],
        code=code_of("review/apply_corrections"),
    script:
        "../../scripts/review/apply_corrections.py"


rule measure_doubt:
    input:
        probabilities=lambda wildcards: [
            f"{RESULTS}/n{wildcards.n}/seed{seed}/f_theta/probabilities/{wildcards.shard}.nii.gz"
            for seed in dict.fromkeys([int(wildcards.seed), *config["seeds"]])
        ],
        refined="results/{dataset}/n{n}/seed{seed}/refined/{shard}.nii.gz",
        quality="results/{dataset}/n{n}/seed{seed}/refined/{shard}.csv",
        masks=lambda wildcards: prepared("masks", subset_shards(wildcards)),
    output:
        measures="results/{dataset}/n{n}/seed{seed}/doubt/{shard}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/measure_doubt/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/measure_doubt/{shard}.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        cases=subset,
        code=code_of("review/measure_doubt"),
    script:
        "../../scripts/review/measure_doubt.py"


rule rank_doubt:
    input:
        measures=of_first_seed("doubt", ".csv"),
    output:
        doubt="results/{dataset}/review/doubt.csv",
        classes="results/{dataset}/review/classes.csv",
    log:
        "results/{dataset}/logs/rank_doubt.log",
    benchmark:
        "results/{dataset}/benchmarks/rank_doubt.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        reasons=config["review"]["reasons"],
        code=code_of("review/rank_doubt"),
    script:
        "../../scripts/review/rank_doubt.py"


rule write_review:
    # One page, worst first; its size depends on review.shown alone.
    input:
        doubt="results/{dataset}/review/doubt.csv",
        classes="results/{dataset}/review/classes.csv",
        names="results/{dataset}/classes.txt",
        images=lambda wildcards: prepared("images", shards_of("unlabelled")),
        refined=of_first_seed("refined"),
        probabilities=of_first_seed("f_theta/probabilities"),
    output:
        page="results/{dataset}/review/index.html",
    log:
        "results/{dataset}/logs/write_review.log",
    benchmark:
        "results/{dataset}/benchmarks/write_review.tsv"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        dataset=DATASET,
        n=config["n"],
        seed=config["seeds"][0],
        shown=config["review"]["shown"],
        template=sha256(SCRIPTS / "samcarry/review/page.html.jinja"),
        code=code_of("review/write_review"),
    script:
        "../../scripts/review/write_review.py"


rule export_task:
    # Somebody may be at work with a task: no change of its inputs makes it anew, and its script replaces no file.
    input:
        doubt=ancient("results/{dataset}/review/doubt.csv"),
        manifest=ancient("results/{dataset}/manifest.csv"),
        names=ancient("results/{dataset}/classes.txt"),
        refined=ancient(of_first_seed("refined")),
        earlier=ancient(earlier_tasks),
    output:
        cases=update("results/{dataset}/review/task-{round}/cases.csv"),
        images=update("results/{dataset}/review/task-{round}/images.zip"),
        annotations=update("results/{dataset}/review/task-{round}/annotations.xml"),
    log:
        "results/{dataset}/logs/export_task_{round}.log",
    benchmark:
        "results/{dataset}/benchmarks/export_task_{round}.tsv"
    conda:
        "../../envs/formats.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        folder=data_folder,
        window=config["images"]["window"],
        k=config["review"]["tasks"]["k"],
        code=code_of("review/export_task"),
    script:
        "../../scripts/review/export_task.py"


rule judge_doubt:
    # Where hidden labels tell the true error of R. No rule that trains or ranks reads them.
    input:
        doubt="results/{dataset}/review/doubt.csv",
        masks=lambda wildcards: prepared(
            "masks", shards_of("unlabelled", labelled=True)
        ),
        refined=of_first_seed("refined", labelled=True),
    output:
        table="results/{dataset}/review/evidence.csv",
        picture="results/{dataset}/review/evidence.png",
    log:
        "results/{dataset}/logs/judge_doubt.log",
    benchmark:
        "results/{dataset}/benchmarks/judge_doubt.tsv"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        reasons=config["review"]["reasons"],
        code=code_of("review/judge_doubt"),
    script:
        "../../scripts/review/judge_doubt.py"


rule train_corrected:
    # f_θ on X^n and ten more cases, whose hidden labels stand for an annotator's corrections.
    input:
        doubt="results/{dataset}/review/doubt.csv",
        images=lambda wildcards: prepared(
            "images", shards_of("train", "unlabelled", labelled=True)
        ),
        masks=lambda wildcards: prepared(
            "masks", shards_of("train", "unlabelled", labelled=True)
        ),
    output:
        model="results/{dataset}/review/gain/seed{seed}/{draw}/model.safetensors",
    log:
        "results/{dataset}/logs/review/seed{seed}/train_corrected_{draw}.log",
    benchmark:
        "results/{dataset}/benchmarks/review/seed{seed}/train_corrected_{draw}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(12000),
        runtime=480,
    params:
        training=TRAINING,
        window=config["images"]["window"],
        max_positive_weight=config["training"]["max_positive_weight"],
        cases=lambda wildcards: subset(SimpleNamespace(n=config["n"])),
        hidden=lambda wildcards: [
            row.case for row in manifest() if row.labels and row.split == "unlabelled"
        ],
        k=10,
        code=code_of("review/train_corrected"),
    script:
        "../../scripts/review/train_corrected.py"


rule measure_gain:
    input:
        models=gain_models,
        images=lambda wildcards: prepared("images", shards_of(judged())),
        masks=lambda wildcards: prepared("masks", shards_of(judged())),
    output:
        gain="results/{dataset}/review/gain.csv",
    log:
        "results/{dataset}/logs/measure_gain.log",
    benchmark:
        "results/{dataset}/benchmarks/measure_gain.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(6000),
        runtime=60,
    params:
        models=GAIN_NETWORKS,
        n=config["n"],
        precision=config["precision"],
        code=code_of("review/measure_gain"),
    script:
        "../../scripts/review/measure_gain.py"
