# Masks for other programs, model cards, ONNX files and the model as a page. Nothing here runs unless asked for.


rule export_masks:
    """Masks of one method, or P cleaned, for all splits, at the images' original size, in the formats of export.formats."""
    input:
        predictions=stage_files,
        manifest="results/{dataset}/manifest.csv",
    output:
        record="results/{dataset}/{subset}/seed{seed}/export/{stage}/export.json",
    log:
        "results/{dataset}/logs/{subset}/seed{seed}/export_masks/{stage}.log",
    wildcard_constraints:
        stage="|".join([*(method.id for method in METHODS), "cleaned"]),
    conda:
        "../../envs/formats.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=240,
    params:
        folder=data_folder,
        source_images=source_images,
        formats=config["export"]["formats"],
        window=WINDOW,
        text_masked=TEXT_MASKED,
        code=code_of("export/export_masks"),
    script:
        "../../scripts/export/export_masks.py"


rule write_model_card:
    """The card of a model: data, scores and limits."""
    input:
        model="results/{dataset}/{subset}/seed{seed}/{network}/model.safetensors",
        manifest="results/{dataset}/manifest.csv",
        dice=dice_of_model,
    output:
        card="results/{dataset}/{subset}/seed{seed}/{network}/model_card.md",
    log:
        "results/{dataset}/logs/{subset}/seed{seed}/write_model_card_{network}.log",
    conda:
        "../../envs/onnx.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        method=method_of_model,
        code=code_of("export/write_model_card"),
    script:
        "../../scripts/export/write_model_card.py"


rule export_onnx:
    """A U-Net as ONNX, checked against torch on prepared images."""
    input:
        model="results/{dataset}/{subset}/seed{seed}/{network}/model.safetensors",
        images=prepared("images", shards_for_onnx_check),
    output:
        onnx="results/{dataset}/{subset}/seed{seed}/{network}/model.onnx",
    log:
        "results/{dataset}/logs/{subset}/seed{seed}/export_onnx_{network}.log",
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


rule write_model_page:
    """The model of the main line as a page that draws masks on an image dropped on it; opens offline."""
    input:
        model=model_of_page,
    output:
        page="results/{dataset}/model.html",
    log:
        "results/{dataset}/logs/write_model_page.log",
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        dataset=DATASET,
        code=code_of("export/write_model_page"),
    script:
        "../../scripts/export/write_model_page.py"
