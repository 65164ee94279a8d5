# SAM learns from the n labels, for the rows that ask a tuned SAM.


rule adapt_sam:
    """A SAM tuned on the labelled cases of one subset: the state that refines P of the validation cases best, or the untuned SAM if that is better."""
    input:
        images=images_adapted,
        labels=labels_adapted,
        masks=prepared("masks", validation_shards),
        probabilities=per_shard("f_theta/probabilities", validation_shards),
        cross_fitted=cross_fitted,
        checkpoint=lambda wildcards: sam_file(STUDIES["zoom"].sam),
    output:
        model="results/{dataset}/n{n}/seed{seed}/adapted/sam.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/adapted/training.csv",
        scores="results/{dataset}/n{n}/seed{seed}/adapted/scores.csv",
        card="results/{dataset}/n{n}/seed{seed}/adapted/model_card.md",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/adapt_sam.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(8000, official_sam=24000),
        runtime=480,
    params:
        sam=lambda wildcards: sam_entry(STUDIES["zoom"].sam),
        training=ADAPTATION,
        cleaning=STUDIES["zoom"].cleaning,
        asking=asking_of_tuned_sam,
        cases=subset_cases,
        cross_fitted=cross_fitted_cases,
        images=originals_adapted,
        labels=label_digests_adapted,
        size=SIZE,
        classes=classes,
        code=code_of("adapt/adapt_sam"),
    script:
        "../../scripts/adapt/adapt_sam.py"
