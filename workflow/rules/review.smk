# The annotator's loop: what to label first, which masks are doubtful, and corrections.


rule choose_first:
    """The images worth labelling first; needs images only, no label and no manifest."""
    input:
        cases=made_cases,
        fetched=fetched_data,
        checkpoint=sam_file(SAM),
    output:
        cases="results/{dataset}/first/cases.csv",
        sheet="results/{dataset}/first/contact_sheet.png",
    log:
        "results/{dataset}/logs/choose_first.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(4000, official_sam=16000),
        runtime=480,
    params:
        folder=data_folder,
        contents=all_user_data,
        images=config["images"],
        patient_pattern=config["splits"]["patient_pattern"],
        sam=lambda wildcards: sam_entry(SAM),
        first=config["review"]["first"],
        precision=config["precision"],
        code=code_of("review/choose_first"),
    script:
        "../../scripts/review/choose_first.py"


rule write_first_annotator:
    """The images worth labelling first as a page to label them on, with SAM in it. The page is never replaced."""
    input:
        cases=until_made(FIRST_PAGE, "results/{dataset}/first/cases.csv"),
        checkpoint=until_made(FIRST_PAGE, sam_file(SAM)),
    output:
        page=update("results/{dataset}/first/annotate.html"),
    log:
        "results/{dataset}/logs/write_first_annotator.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(4000, official_sam=16000),
        runtime=480,
    params:
        folder=data_folder,
        dataset=DATASET,
        classes=config["classes"],
        window=WINDOW,
        text_masked=TEXT_MASKED,
        sam=lambda wildcards: sam_entry(SAM),
        precision=config["precision"],
        code=code_of("review/write_first_annotator"),
    script:
        "../../scripts/review/write_first_annotator.py"


rule apply_corrections:
    """A data set with the corrections, beside the user's, which is only read."""
    input:
        cases=source_cases,
        fetched=fetched_data,
        corrections=config["corrections"],
    output:
        cases=update("results/{dataset}/corrected/cases.csv"),
    log:
        "results/{dataset}/logs/apply_corrections.log",
    conda:
        "../../envs/formats.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=120,
    params:
        folder=source_data,
        source_images=source_images,
        contents=all_user_data,
        fault=last_fault("apply_corrections"),
        splits=SPLITTING,
        classes=config["classes"],
        window=WINDOW,
        replace_labels=config["corrections_replace"],
        code=code_of("review/apply_corrections"),
    script:
        "../../scripts/review/apply_corrections.py"


rule measure_doubt:
    """Measures of doubt of one shard, by case and class."""
    input:
        probabilities=probabilities_of_all_seeds,
        refined="results/{dataset}/n{n}/seed{seed}/refined/{shard}.nii.gz",
        quality="results/{dataset}/n{n}/seed{seed}/refined/{shard}.csv",
        masks=prepared("masks", subset_shards),
    output:
        measures="results/{dataset}/n{n}/seed{seed}/doubt/{shard}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/measure_doubt/{shard}.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        cases=subset_cases,
        code=code_of("review/measure_doubt"),
    script:
        "../../scripts/review/measure_doubt.py"


rule rank_doubt:
    """The unlabelled cases and classes, the most doubtful masks first."""
    input:
        measures=of_main("doubt", unlabelled_shards, ".csv"),
    output:
        doubt="results/{dataset}/review/doubt.csv",
        classes="results/{dataset}/review/classes.csv",
    log:
        "results/{dataset}/logs/rank_doubt.log",
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
    """One page with the most doubtful cases, on which they are marked; its size depends on review.shown."""
    input:
        doubt="results/{dataset}/review/doubt.csv",
        classes="results/{dataset}/review/classes.csv",
        names="results/{dataset}/classes.txt",
        manifest=ancient("results/{dataset}/manifest.csv"),
        refined=of_main("refined", unlabelled_shards),
        probabilities=of_main("f_theta/probabilities", unlabelled_shards),
    output:
        page="results/{dataset}/review/index.html",
    log:
        "results/{dataset}/logs/write_review.log",
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        folder=data_folder,
        window=WINDOW,
        text_masked=TEXT_MASKED,
        size=SIZE,
        dataset=DATASET,
        n=config["n"],
        seed=FIRST_SEED,
        shown=config["review"]["shown"],
        task=config["review"]["tasks"]["url"],
        template=sha256(SCRIPTS / "samcarry/review/page.html.jinja"),
        code=code_of("review/write_review"),
    script:
        "../../scripts/review/write_review.py"


rule export_task:
    """The most doubtful cases, or those marked for it, as a CVAT task with R as starting annotation. Files of a task are never replaced."""
    input:
        doubt=until_made(TASK, "results/{dataset}/review/doubt.csv"),
        manifest=until_made(TASK, "results/{dataset}/manifest.csv"),
        names=until_made(TASK, "results/{dataset}/classes.txt"),
        refined=until_made(TASK, of_main("refined", unlabelled_shards)),
        earlier=until_made(TASK, earlier_tasks),
    output:
        cases=update("results/{dataset}/review/task-{task}/cases.csv"),
        images=update("results/{dataset}/review/task-{task}/images.zip"),
        annotations=update("results/{dataset}/review/task-{task}/annotations.xml"),
    log:
        "results/{dataset}/logs/export_task_{task}.log",
    conda:
        "../../envs/formats.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        folder=data_folder,
        source_images=source_images,
        window=WINDOW,
        text_masked=TEXT_MASKED,
        k=config["review"]["tasks"]["k"],
        marks=config["review"]["tasks"]["marks"],
        code=code_of("review/export_task"),
    script:
        "../../scripts/review/export_task.py"


rule write_annotator:
    """A task as a page to correct its masks on, with SAM in it. The page is never replaced."""
    input:
        cases=until_made(TASK_PAGE, TASK),
        manifest=until_made(TASK_PAGE, "results/{dataset}/manifest.csv"),
        names=until_made(TASK_PAGE, "results/{dataset}/classes.txt"),
        refined=until_made(TASK_PAGE, of_main("refined", unlabelled_shards)),
        checkpoint=until_made(TASK_PAGE, sam_file(SAM)),
    output:
        page=update("results/{dataset}/review/task-{task}/annotate.html"),
    log:
        "results/{dataset}/logs/write_annotator_{task}.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(4000, official_sam=16000),
        runtime=480,
    params:
        folder=data_folder,
        dataset=DATASET,
        window=WINDOW,
        text_masked=TEXT_MASKED,
        sam=lambda wildcards: sam_entry(SAM),
        precision=config["precision"],
        code=code_of("review/write_annotator"),
    script:
        "../../scripts/review/write_annotator.py"


rule judge_doubt:
    """How well the ranking finds the worst masks, where hidden labels show the true error."""
    input:
        doubt="results/{dataset}/review/doubt.csv",
        masks=prepared("masks", hidden_shards),
        refined=of_main("refined", hidden_shards),
    output:
        table="results/{dataset}/review/evidence.csv",
        picture="results/{dataset}/review/evidence.png",
    log:
        "results/{dataset}/logs/judge_doubt.log",
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
    """f_θ on X^n and ten more cases, whose hidden labels stand for an annotator's corrections."""
    input:
        doubt="results/{dataset}/review/doubt.csv",
        images=prepared("images", labelled_shards),
        masks=prepared("masks", labelled_shards),
    output:
        model="results/{dataset}/review/gain/seed{seed}/{draw}/model.safetensors",
    log:
        "results/{dataset}/logs/review/seed{seed}/train_corrected_{draw}.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(12000),
        runtime=480,
    params:
        training=TRAINING,
        window=WINDOW,
        mirrored=mirrored_images,
        text_masked=TEXT_MASKED,
        max_positive_weight=config["training"]["max_positive_weight"],
        cases=main_cases,
        hidden=cases_with_hidden_labels,
        k=GAIN_CASES,
        code=code_of("review/train_corrected"),
    script:
        "../../scripts/review/train_corrected.py"


rule measure_gain:
    """What corrections of doubtful cases gain, against random ones."""
    input:
        models=gain_models,
        images=prepared("images", judged_shards),
        masks=prepared("masks", judged_shards),
    output:
        gain="results/{dataset}/review/gain.csv",
    log:
        "results/{dataset}/logs/measure_gain.log",
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
