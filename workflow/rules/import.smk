# From annotations of other programs to a data set in the file contract.


rule import_annotations:
    input:
        files=annotation_files,
    output:
        cases=update("results/{dataset}/annotated/cases.csv"),
    log:
        "results/{dataset}/logs/import_annotations.log",
    benchmark:
        "results/{dataset}/benchmarks/import_annotations.tsv"
    conda:
        "../../envs/formats.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=120,
    params:
        form=config["source"]["format"],
        source=config["source"].get(config["source"]["format"]),
        window=config["images"]["window"],
        listing=listing,
        fault=last_fault("import_annotations"),
        classes=config["classes"],
        code=code_of("import/import_annotations"),
    script:
        "../../scripts/import/import_annotations.py"


rule import_cvat:
    # A study whose table knows patient, side and view of each image: the paper's wrist.
    input:
        files=annotation_files,
    output:
        cases=update("results/{dataset}/imported/cases.csv"),
    log:
        "results/{dataset}/logs/import_cvat.log",
    benchmark:
        "results/{dataset}/benchmarks/import_cvat.tsv"
    conda:
        "../../envs/formats.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        cvat=config["source"].get("cvat"),
        window=config["images"]["window"],
        listing=listing,
        fault=last_fault("import_cvat"),
        classes=config["classes"],
        code=code_of("import/import_cvat"),
    script:
        "../../scripts/import/import_cvat.py"
