# The comparison methods of the paper's Table 1; nnU-Net has a file of its own.


rule train_lraspp:
    """An LR-ASPP head on the frozen image encoder of the configured SAM."""
    input:
        images=prepared("images", subset_shards),
        masks=prepared("masks", subset_shards),
        statistics="results/{dataset}/n{n}/statistics.json",
        checkpoint=sam_file(SAM),
    output:
        model="results/{dataset}/n{n}/seed{seed}/lraspp/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/lraspp/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_lraspp.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(12000, official_sam=24000),
        runtime=480,
    params:
        training=TRAINING,
        cases=subset_cases,
        sam=lambda wildcards: sam_entry(SAM),
        code=code_of("compare/train_lraspp"),
    script:
        "../../scripts/compare/train_lraspp.py"


rule predict_lraspp:
    """Probability maps of one shard by SAM ViT + LR-ASPP, from stored embeddings."""
    input:
        model="results/{dataset}/n{n}/seed{seed}/lraspp/model.safetensors",
        embeddings=embeddings_of_shard,
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
    output:
        probabilities="results/{dataset}/n{n}/seed{seed}/lraspp/probabilities/{shard}.nii.gz",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/predict_lraspp/{shard}.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(6000),
        runtime=60,
    params:
        code=code_of("compare/predict_lraspp"),
    script:
        "../../scripts/compare/predict_lraspp.py"


rule random_walk:
    """Masks of one shard refined by Grady's random walker instead of SAM."""
    input:
        probabilities="results/{dataset}/n{n}/seed{seed}/f_theta/probabilities/{shard}.nii.gz",
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
        tuned=tuned("random_walk"),
    output:
        masks="results/{dataset}/n{n}/seed{seed}/random_walk/{shard}.nii.gz",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/random_walk/{shard}.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=120,
    params:
        random_walk=config["random_walk"],
        code=code_of("compare/random_walk"),
    script:
        "../../scripts/compare/random_walk.py"


rule train_mean_teacher:
    """Mean Teacher, started from f_θ."""
    input:
        images=prepared("images", subset_shards),
        masks=prepared("masks", subset_shards),
        unlabelled=prepared("images", unlabelled_shards),
        statistics="results/{dataset}/n{n}/statistics.json",
        start="results/{dataset}/n{n}/seed{seed}/f_theta/model.safetensors",
    output:
        model="results/{dataset}/n{n}/seed{seed}/mean_teacher/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/mean_teacher/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_mean_teacher.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(12000),
        runtime=1440,
    params:
        training=SECOND_TRAINING,
        window=WINDOW,
        mirrored=mirrored_images,
        text_masked=TEXT_MASKED,
        mean_teacher=MEAN_TEACHER,
        cases=subset_cases,
        unlabelled=unlabelled_cases,
        code=code_of("compare/train_mean_teacher"),
    script:
        "../../scripts/compare/train_mean_teacher.py"


rule train_mean_teacher_sam:
    """Mean Teacher that uses an unlabelled image only if SAM agrees with the teacher on it."""
    input:
        images=prepared("images", subset_shards),
        masks=prepared("masks", subset_shards),
        unlabelled=prepared("images", unlabelled_shards),
        statistics="results/{dataset}/n{n}/statistics.json",
        embeddings=embeddings(unlabelled_shards),
        checkpoint=sam_file(SAM),
        start="results/{dataset}/n{n}/seed{seed}/f_theta/model.safetensors",
    output:
        model="results/{dataset}/n{n}/seed{seed}/mean_teacher_sam/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/mean_teacher_sam/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_mean_teacher_sam.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(12000, official_sam=16000),
        runtime=1440,
    params:
        training=SECOND_TRAINING,
        window=WINDOW,
        mirrored=mirrored_images,
        text_masked=TEXT_MASKED,
        mean_teacher=MEAN_TEACHER,
        sam=lambda wildcards: sam_entry(SAM),
        agreement=config["mean_teacher"]["agreement"],
        cases=subset_cases,
        unlabelled=unlabelled_cases,
        code=code_of("compare/train_mean_teacher_sam"),
    script:
        "../../scripts/compare/train_mean_teacher_sam.py"
