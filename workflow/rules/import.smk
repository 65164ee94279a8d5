# Annotations of other programs are imported as a data set in the file contract.


rule import_annotations:
    """The data set made from an export of annotations: images/, labels/, cases.csv, how well two readers of an image agree, and what was left out."""
    input:
        files=imported_files,
    output:
        cases=update("results/{dataset}/annotated/cases.csv"),
        readers=update("results/{dataset}/annotated/readers.csv"),
        left_out=update("results/{dataset}/annotated/left_out.csv"),
    log:
        "results/{dataset}/logs/import_annotations.log",
    conda:
        "../../envs/formats.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=120,
    params:
        form=config["source"]["format"],
        source=config["source"].get(config["source"]["format"]),
        window=WINDOW,
        contents=user_data,
        fault=last_fault("import_annotations"),
        classes=config["classes"],
        code=code_of("import/import_annotations"),
    script:
        "../../scripts/import/import_annotations.py"


rule import_cvat:
    """The data set made from CVAT files and a table of patients, sides and views, as in the paper's wrist study."""
    input:
        files=imported_files,
    output:
        cases=update("results/{dataset}/imported/cases.csv"),
        left_out=update("results/{dataset}/imported/left_out.csv"),
    log:
        "results/{dataset}/logs/import_cvat.log",
    conda:
        "../../envs/formats.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        cvat=config["source"].get("cvat"),
        window=WINDOW,
        contents=user_data,
        fault=last_fault("import_cvat"),
        classes=config["classes"],
        code=code_of("import/import_cvat"),
    script:
        "../../scripts/import/import_cvat.py"
