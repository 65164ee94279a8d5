# The first network f_θ, and the probability maps of all U-Nets.


rule train_f_theta:
    """The first network f_θ, trained on the labelled cases of one subset; with `full`, full supervision."""
    input:
        images=prepared("images", subset_shards),
        masks=prepared("masks", subset_shards),
        statistics="results/{dataset}/{subset}/statistics.json",
    output:
        model="results/{dataset}/{subset}/seed{seed}/f_theta/model.safetensors",
        curve="results/{dataset}/{subset}/seed{seed}/f_theta/training.csv",
    log:
        "results/{dataset}/logs/{subset}/seed{seed}/train_f_theta.log",
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
        cases=subset_cases,
        code=code_of("initial/train_network"),
    script:
        "../../scripts/initial/train_network.py"


rule predict:
    """Probability maps of one shard by one U-Net, 8 bits a value; those of f_θ are the initial pseudo labels P."""
    input:
        model="results/{dataset}/{subset}/seed{seed}/{network}/model.safetensors",
        images="results/{dataset}/prepared/{shard}/images.nii.gz",
    output:
        probabilities="results/{dataset}/{subset}/seed{seed}/{network}/probabilities/{shard}.nii.gz",
    log:
        "results/{dataset}/logs/{subset}/seed{seed}/predict_{network}/{shard}.log",
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
