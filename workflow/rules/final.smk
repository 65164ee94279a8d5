# The second network f_φ, trained on pseudo labels.


rule train_f_phi:
    """The second network f_φ on refined pseudo labels (f_phi), on P (f_phi_p), or one of the variants beyond the paper."""
    input:
        images=pseudo_label_images,
        masks=pseudo_labels,
        weights=pseudo_label_weights,
        initial=initial_pseudo_labels,
        start=start_of_second_network,
        statistics="results/{dataset}/n{n}/statistics.json",
    output:
        model="results/{dataset}/n{n}/seed{seed}/{phi}/model.safetensors",
        curve="results/{dataset}/n{n}/seed{seed}/{phi}/training.csv",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/train_{phi}.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["training"]["threads"]
    resources:
        gpu=gpus,
        mem_mb=memory(12000),
        runtime=1440,
    params:
        training=training_of_second_network,
        window=WINDOW,
        mirrored=mirrored_images,
        text_masked=TEXT_MASKED,
        cases=pseudo_label_cases,
        balanced=balanced_cases,
        strong=sees_strong_views,
        unweighted=is_unweighted,
        soft=learns_probabilities,
        code=code_of("initial/train_network"),
    script:
        "../../scripts/initial/train_network.py"
