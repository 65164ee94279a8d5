# Likely errors in the given labels, beyond the paper; only made if you ask for it.


rule audit_labels:
    """Likely errors in the given labels, found by networks that did not learn from them, and the same radiograph twice."""
    input:
        unpack(audit_files),
    output:
        page="results/{dataset}/audit/index.html",
        findings="results/{dataset}/audit/findings.csv",
    log:
        "results/{dataset}/logs/audit_labels.log",
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=memory(8000),
        runtime=120,
    params:
        dataset=DATASET,
        predicted=audit_cases,
        kinds=audit_kinds,
        origins=origins_of_cases,
        classes=classes,
        share=config["audit"]["share"],
        shown=config["audit"]["shown"],
        template=sha256(SCRIPTS / "samcarry/audit/page.html.jinja"),
        code=code_of("audit/audit_labels"),
    script:
        "../../scripts/audit/audit_labels.py"
