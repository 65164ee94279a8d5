"""Case names are treated as text, even if they contain shell, glob or HTML syntax."""

import json
import re

from samcarry.storage.tables import read_table
from support.tiny_project import add_cases, rows_of

NAMES = [
    "-rf",
    "a b'c\"d;touch pwned",
    "$(touch pwned)`touch pwned`",
    "=%s*?[x]",
    "&lt;b&gt; &amp;",
    "ünï-骨-🦴",
    "x" * 200,
    "|&touch pwned",
    "results",
    "~",
]
TARGETS = (
    "n3/summary.md",
    "n3/figures/cases.png",
    "n3/seed0/export/ours_r/export.json",
    "review/index.html",
    "review/task-1/annotations.xml",
    "first/cases.csv",
    "report.html",
    "audit/index.html",
)


def test_the_whole_workflow_runs_with_hostile_case_names(finished, project):
    source, data = finished.folder / "results/demo/phantom", project.folder / "data"
    rows = rows_of(source)
    assert len(rows) == len(NAMES)
    add_cases(data, source, dict(zip(NAMES, rows, strict=True)))

    project.configure(
        source={"format": "folder", "folder": "data"},
        dataset="own",
        ablation={"n": []},
        methods=["unet", "unet_sam", "ours_p", "ours_r"],
        table={"methods": ["unet", "unet_sam", "ours_p", "ours_r"]},
        review={"first": {"k": 2}, "tasks": {"k": 2}},
        export={"formats": ["png", "coco", "cvat", "overlay"]},
        audit={"folds": 2},
    )
    outcome = project.run(*(f"results/own/{path}" for path in TARGETS))
    assert outcome.returncode == 0, outcome.stdout
    assert not list(project.folder.rglob("pwned"))

    root = project.folder / "results/own"
    record = json.loads((root / "n3/seed0/export/ours_r/export.json").read_text())
    assert sorted(case["case"] for case in record["cases"]) == sorted(NAMES)
    judged = {row["case"] for row in read_table(root / "n3/seed0/dice/ours_r.csv", ["case"])}
    assert judged == {name for name, row in zip(NAMES, rows.values(), strict=True) if row["split"] == "test"}
    for table in root.rglob("*.csv"):
        formulas = re.findall(r'(?:^|,)"?(?:=%s|-rf)', table.read_text(encoding="utf-8"), re.MULTILINE)
        assert not formulas, table
    for page in ("report.html", "review/index.html", "audit/index.html"):
        text = (root / page).read_text(encoding="utf-8")
        assert "&lt;b&gt; &amp;" not in text  # a browser would show a different name
