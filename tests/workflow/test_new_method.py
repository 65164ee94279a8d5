"""A new method needs only a record, its rules and their scripts."""

RECORD = """    Method(
        "copycat",
        "Copy of f_θ",
        BEYOND,
        "the masks of f_θ again",
        masks="copycat",
    ),
    Method(
        "unet_full","""
RULE = '''


rule copy_masks:
    """Masks of one shard, copied from f_θ."""
    input:
        "results/{dataset}/n{n}/seed{seed}/f_theta/probabilities/{shard}.nii.gz",
    output:
        "results/{dataset}/n{n}/seed{seed}/copycat/{shard}.nii.gz",
    log:
        "results/{dataset}/logs/n{n}/seed{seed}/copy_masks/{shard}.log",
    script:
        "../../scripts/beyond/copy_masks.py"
'''
SCRIPT = '''"""Masks of one shard, copied from f_θ."""

import shutil

from job import job

with job(snakemake):
    shutil.copy(snakemake.input[0], snakemake.output[0])
'''
METHODS = ["unet", "ours_r", "copycat"]


def test_a_record_and_a_rule_add_a_method_to_table_report_ablation_and_export(copy_of_finished):
    project = copy_of_finished
    records = project.folder / "scripts/samcarry/methods.py"
    text = records.read_text()
    assert text.count('    Method(\n        "unet_full",') == 1
    records.write_text(text.replace('    Method(\n        "unet_full",', RECORD))
    rules = project.folder / "workflow/rules/beyond.smk"
    rules.write_text(rules.read_text() + RULE)
    (project.folder / "scripts/beyond/copy_masks.py").write_text(SCRIPT)
    project.configure(table={"methods": METHODS}, ablation={"n": [2], "methods": METHODS})

    targets = ("report.html", "ablation.csv", "n3/seed0/export/copycat/export.json")
    outcome = project.run(*(f"results/demo/{target}" for target in targets))
    assert outcome.returncode == 0, outcome.stdout

    table = project.read("results/demo/table1.md")
    [row] = [line for line in table.splitlines() if "Copy of f_θ" in line]
    [original] = [line for line in table.splitlines() if "U-Net (f_θ)" in line]
    assert "beyond the paper" in row
    scores, expected = (line.replace("*", "").split("|")[3:8] for line in (row, original))
    assert [cell.strip() for cell in scores] == [cell.strip() for cell in expected]
    assert "Copy of f_θ" in project.read("results/demo/report.html")
    assert "copycat" in project.read("results/demo/ablation.csv")
    assert list((project.folder / "results/demo/n3/seed0/export/copycat/masks").rglob("*.png"))
