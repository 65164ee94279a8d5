# f_θ: the network that the few labels give, and its predictions P.


rule train_f_theta:
    input:
        images=lambda wildcards: prepared("images", subset_shards(wildcards)),
        masks=lambda wildcards: prepared("masks", subset_shards(wildcards)),
        statistics="results/{dataset}/n{n}/statistics.json",
    output:
        model="results/{dataset}/n{n}/seed{seed}/f_theta/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/f_theta/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_f_theta.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/train_f_theta.tsv"
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
        cases=subset,
        code=code_of("initial/train_network"),
    script:
        "../../scripts/initial/train_network.py"


rule predict:
    input:
        model="results/{dataset}/n{n}/seed{seed}/{network}/model.safetensors",
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
    output:
        probabilities="results/{dataset}/n{n}/seed{seed}/{network}/probabilities/{shard}.nii.gz",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/predict_{network}/{shard}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/predict_{network}/{shard}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(6000),
        runtime=60,
    params:
        precision=config["precision"],
        code=code_of("initial/predict"),
    script:
        "../../scripts/initial/predict.py"
