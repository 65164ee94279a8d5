# From annotations of other programs (COCO, Supervisely, LabelMe) to a data set in the file contract.


rule import_annotations:
    input:
        files=annotation_files,
    output:
        cases="results/{dataset}/annotated/cases.csv",
    log:
        "results/{dataset}/logs/import_annotations.log",
    benchmark:
        "results/{dataset}/benchmarks/import_annotations.tsv"
    conda:
        "../../envs/array.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        form=config["source"]["format"],
        source=config["source"].get(config["source"]["format"]),
        listing=listing,
        classes=config["classes"],
        code=code_of("import_annotations"),
    script:
        "../../scripts/import_annotations.py"
