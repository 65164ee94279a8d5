# Whether a class is in an image at all, beyond the paper: a judgement fitted on labelled cases, and masks without absent classes.


rule fit_presence:
    """How to judge from the probabilities of one network whether a class is there, fitted on X^n and validation cases."""
    input:
        predictions=presence_predictions,
        masks=presence_masks,
    output:
        presence="results/{dataset}/n{n}/seed{seed}/{network}/presence.json",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/fit_presence_{network}.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        cases=subset_cases,
        predicted=presence_cases,
        folds=presence_folds,
        classes=classes,
        limits={key: config["presence"][key] for key in ("dice_loss", "undecided_loss")},
        code=code_of("presence/fit_presence"),
    script:
        "../../scripts/presence/fit_presence.py"


rule judge_presence:
    """Probabilities of one shard in which classes that are judged absent are empty, and the judgement of each class."""
    input:
        probabilities="results/{dataset}/n{n}/seed{seed}/{network}/probabilities/{shard}.nii.gz",
        presence="results/{dataset}/n{n}/seed{seed}/{network}/presence.json",
    output:
        probabilities="results/{dataset}/n{n}/seed{seed}/{network}/present/{shard}.nii.gz",
        judged="results/{dataset}/n{n}/seed{seed}/{network}/present/{shard}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/judge_presence_{network}/{shard}.log",
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=60,
    params:
        code=code_of("presence/judge_presence"),
    script:
        "../../scripts/presence/judge_presence.py"


rule judge_refined:
    """R of one shard without the classes that are judged absent in P, and weights of 0 for undecided classes."""
    input:
        refined="results/{dataset}/n{n}/seed{seed}/{chain}refined/{shard}.nii.gz",
        judged=judgement_of_chain,
    output:
        masks="results/{dataset}/n{n}/seed{seed}/{chain}judged/{shard}.nii.gz",
        weights="results/{dataset}/n{n}/seed{seed}/{chain}judged/{shard}.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/judge_refined/{chain}{shard}.log",
    wildcard_constraints:
        chain="|".join(CHAINS),
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=60,
    params:
        code=code_of("presence/judge_refined"),
    script:
        "../../scripts/presence/judge_refined.py"


rule add_presence:
    """A model file with its presence step, which `samcarry predict` applies."""
    input:
        model="results/{dataset}/n{n}/seed{seed}/{network}/{file}.safetensors",
        presence="results/{dataset}/n{n}/seed{seed}/{network}/presence.json",
    output:
        model="results/{dataset}/n{n}/seed{seed}/{network}/present/{file}.safetensors",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/add_presence_{network}_{file}.log",
    wildcard_constraints:
        file="model|calibrated",
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        code=code_of("presence/add_presence"),
    script:
        "../../scripts/presence/add_presence.py"
