# Going out: masks for other programs, and a model's card and ONNX file. Nothing here runs unless asked for.


rule export_masks:
    # Of every split: a stage is predicted where it was not yet.
    input:
        predictions=stage_files,
        manifest="results/{dataset}/manifest.csv",
    output:
        record="results/{dataset}/n{n}/seed{seed}/export/{stage}/export.json",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/export_masks/{stage}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/export_masks/{stage}.tsv"
    conda:
        "../../envs/formats.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=240,
    params:
        stage=lambda wildcards: wildcards.stage,
        folder=data_folder,
        source_images=source_images,
        formats=config["export"]["formats"],
        window=config["images"]["window"],
        code=code_of("export/export_masks"),
    script:
        "../../scripts/export/export_masks.py"


use rule export_masks as export_full_masks with:
    input:
        predictions=stage_files,
        manifest="results/{dataset}/manifest.csv",
    output:
        record="results/{dataset}/full/seed{seed}/export/export.json",
    log:
        "results/{dataset}/logs/full/seed{seed}/export_masks.log",
    benchmark:
        "results/{dataset}/benchmarks/full/seed{seed}/export_masks.tsv"
    params:
        stage="unet_full",
        folder=data_folder,
        source_images=source_images,
        formats=config["export"]["formats"],
        window=config["images"]["window"],
        code=code_of("export/export_masks"),


rule write_model_card:
    input:
        model="results/{dataset}/n{n}/seed{seed}/{network}/model.safetensors",
        manifest="results/{dataset}/manifest.csv",
        dice=lambda wildcards: (
            f"results/{{dataset}}/n{{n}}/seed{{seed}}/dice/{METHOD_OF[wildcards.network]}.csv"
        ),
    output:
        card="results/{dataset}/n{n}/seed{seed}/{network}/model_card.md",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/write_model_card_{network}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/write_model_card_{network}.tsv"
    conda:
        "../../envs/onnx.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        method=lambda wildcards: METHOD_OF[wildcards.network],
        code=code_of("export/write_model_card"),
    script:
        "../../scripts/export/write_model_card.py"


rule export_onnx:
    # Checked against torch on prepared images: other masks are an error.
    input:
        model="results/{dataset}/n{n}/seed{seed}/{network}/model.safetensors",
        images=lambda wildcards: prepared(
            "images", shards_of(judged())[:1] + shards_of("train")[:1]
        ),
    output:
        onnx="results/{dataset}/n{n}/seed{seed}/{network}/model.onnx",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/export_onnx_{network}.log",
    benchmark:
        "results/{dataset}/benchmarks/n{n}/seed{seed}/export_onnx_{network}.tsv"
    conda:
        "../../envs/onnx.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=30,
    params:
        code=code_of("export/export_onnx"),
    script:
        "../../scripts/export/export_onnx.py"
