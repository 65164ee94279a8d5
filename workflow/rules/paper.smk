# A folder for a paper about the run, which `samcarry verify` checks alone. Nothing here runs unless asked for.


rule write_paper:
    """A draft of a paper from the run's own numbers: texts, Table 1, checklists, figures, and data without images to recompute them."""
    input:
        unpack(paper_files),
    output:
        page="results/{dataset}/paper/index.html",
        digests="results/{dataset}/paper/digests.json",
    log:
        "results/{dataset}/logs/write_paper.log",
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        config=config,
        trained=lambda wildcards: list(table_curves(wildcards)),
        judged=lambda wildcards: [method for method, _ in table_presences(wildcards)],
        sizes=paper_sizes,
        evaluation=paper_evaluation,
        figures=paper_figures_shown,
        root=str(HERE),
        code=code_of("paper/write_paper"),
    script:
        "../../scripts/paper/write_paper.py"
