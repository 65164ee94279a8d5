# nnU-Net itself. Its three folders (raw, preprocessed, training) are not declared as outputs, because Snakemake
# would delete the checkpoints of a training that was killed.


rule plan_nnunet:
    """nnU-Net's plan for X^n, and its data set with one region a class."""
    input:
        images=prepared("images", subset_shards),
        masks=prepared("masks", subset_shards),
    output:
        plans="results/{dataset}/n{n}/nnunet/plans.json",
        dataset="results/{dataset}/n{n}/nnunet/dataset.json",
    log:
        "results/{dataset}/logs/n{n}/plan_nnunet.log",
    conda:
        "../../envs/nnunet.yaml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=memory(6000),
        runtime=120,
    params:
        planning={
            key: config["nnunet"][key] for key in ("planning_gb", "max_batch_size")
        },
        cases=subset_cases,
        code=code_of("nnunet/plan_nnunet"),
    script:
        "../../scripts/nnunet/plan_nnunet.py"


rule train_nnunet:
    """nnU-Net, trained on all of X^n: with binary cross-entropy, or in `nnunet_default` with its default loss."""
    input:
        plans="results/{dataset}/n{n}/nnunet/plans.json",
        dataset="results/{dataset}/n{n}/nnunet/dataset.json",
    output:
        model="results/{dataset}/n{n}/seed{seed}/{nnunet}/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/{nnunet}/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_nnunet/{nnunet}.log",
    conda:
        "../../envs/nnunet.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(16000),
        runtime=1440,
    params:
        settings=settings_of_nnunet,
        code=code_of("nnunet/train_nnunet"),
    script:
        "../../scripts/nnunet/train_nnunet.py"


rule predict_nnunet:
    """Probability maps of one shard by nnU-Net."""
    input:
        model="results/{dataset}/n{n}/seed{seed}/{nnunet}/model.safetensors",
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
    output:
        probabilities="results/{dataset}/n{n}/seed{seed}/{nnunet}/probabilities/{shard}.nii.gz",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/predict_nnunet/{nnunet}/{shard}.log",
    conda:
        "../../envs/nnunet.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(6000),
        runtime=240,
    params:
        code=code_of("nnunet/predict_nnunet"),
    script:
        "../../scripts/nnunet/predict_nnunet.py"
