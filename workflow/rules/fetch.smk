# Checkpoints and files of a study are fetched from public servers, if the config allows it and they are missing.
# No digest of the code is among the parameters: other code would fetch the same files.


rule fetch_checkpoint:
    """A SAM checkpoint, from the address in the config."""
    output:
        checkpoint="{file}",
    log:
        f"results/{DATASET}/logs/fetch_checkpoint/{{file}}.log",
    wildcard_constraints:
        file="(" + "|".join(map(re.escape, FETCHED)) + ")" if FETCHED else "(?!)",
    localrule: True
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=720,
        network=1,
    params:
        source=fetched_source,
    script:
        "../../scripts/fetch/fetch_checkpoint.py"


checkpoint fetch_data:
    """The list of the study's files that were fetched, with addresses, digests and sizes."""
    output:
        list="results/{dataset}/fetched.json",
    log:
        "results/{dataset}/logs/fetch_data.log",
    localrule: True
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=1440,
        network=1,
    params:
        data=config["fetch"]["data"],
        apis={key: config["fetch"][key] for key in ("figshare", "kaggle")},
    script:
        "../../scripts/fetch/fetch_data.py"
