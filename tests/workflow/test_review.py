"""Review on tiny phantoms: what to label first, where to look, annotation tasks and corrections."""

import csv
import io
import os
import re

import numpy as np
from PIL import Image

TARGETS = [
    "results/demo/first/cases.csv",
    "results/demo/review/index.html",
    "results/demo/review/task-2/annotations.xml",
    "results/demo/review/evidence.csv",
]
# Another ranking and larger tasks.
REVIEWED_AGAIN = {
    "source": {
        "phantom": {"counts": {"train": 3, "val": 1, "test": 2, "unlabelled": 12}, "height": 64, "width": 64}
    },
    "review": {"reasons": ["size"], "tasks": {"k": 5}},
}


def rows(project, path):
    return list(csv.DictReader(io.StringIO(project.read(path))))


def files(folder):
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()
    }


def test_every_unlabelled_case_is_ranked_and_the_page_shows_them_worst_first(reviewed):
    doubt = rows(reviewed, "results/demo/review/doubt.csv")
    assert len(doubt) == 12
    assert [float(row["doubt"]) for row in doubt] == sorted((float(r["doubt"]) for r in doubt), reverse=True)
    page = reviewed.read("results/demo/review/index.html")
    assert re.findall(r'data-name="([^"]+)"', page) == [row["case"] for row in doubt]
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)


def test_tasks_take_the_most_doubtful_and_share_no_case(reviewed):
    doubt = [row["case"] for row in rows(reviewed, "results/demo/review/doubt.csv")]
    tasks = [
        [row["case"] for row in rows(reviewed, f"results/demo/review/task-{t}/cases.csv")] for t in (1, 2)
    ]
    assert tasks == [doubt[:3], doubt[3:6]]


def test_the_first_images_are_listed_and_shown(reviewed):
    assert len(rows(reviewed, "results/demo/first/cases.csv")) == 4
    assert np.asarray(Image.open(reviewed.folder / "results/demo/first/contact_sheet.png")).std() > 10


def test_evidence_evaluates_every_reason(reviewed):
    assert len(rows(reviewed, "results/demo/review/evidence.csv")) == 8


def test_ranking_and_review_page_do_not_read_hidden_labels(reviewed):
    plan = reviewed.run("-n", *TARGETS, "--forcerun", "prepare_images", "prepare_masks").stdout
    readers = {
        rule
        for rule, inputs in re.findall(r"(?:rule|checkpoint) (\w+):\n +input: (.*)\n", plan)
        if re.search(r"unlabelled-\d+/masks", inputs)
    }
    assert readers == {"judge_doubt"}


def test_cases_of_a_returned_task_join_training_and_no_other_case_moves(returned):
    before = {row["case"]: row for row in rows(returned, "results/demo/manifest.csv")}
    source, task = (returned.folder / f"results/demo/{name}" for name in ("phantom", "review/task-1"))
    untouched = [files(source), files(task)]
    outcome = returned.run("results/demo/n6/statistics.json")
    assert outcome.returncode == 0, outcome.stdout
    after = {row["case"]: row for row in rows(returned, "results/demo/manifest.csv")}
    joined = [row["case"] for row in rows(returned, "results/demo/review/task-1/cases.csv")]
    moved = {case for case in before if before[case]["split"] != after[case]["split"]}
    assert moved == set(joined)
    assert [(after[case]["split"], after[case]["order"]) for case in joined] == [
        ("train", "3"), ("train", "4"), ("train", "5")
    ]  # fmt: skip
    assert all(before[case]["order"] == after[case]["order"] for case in before if case not in joined)
    assert [files(source), files(task)] == untouched


def test_a_new_ranking_does_not_change_a_task_even_with_forcerun(returned):
    task = returned.folder / "results/demo/review/task-1"
    (task / "annotations.xml").write_text("somebody's work")
    before = files(task)
    returned.configure(**REVIEWED_AGAIN)
    outcome = returned.run(
        "results/demo/review/task-1/annotations.xml", "--forcerun", "export_task", "rank_doubt"
    )
    assert outcome.returncode == 0, outcome.stdout
    assert files(task) == before


def test_a_task_takes_the_cases_that_were_sent_from_the_page_and_no_others(returned):
    third, *_, last = [row["case"] for row in rows(returned, "results/demo/review/doubt.csv")][6:]
    (returned.folder / "review.csv").write_text(
        f"case,class,mark\n{third},,wrong\n{last},,send to CVAT\n", encoding="utf-8-sig"
    )
    returned.configure(**REVIEWED_AGAIN | {"review": {"tasks": {"k": 5, "marks": "review.csv"}}})
    sheet = "results/demo/review/task-3/cases.csv"
    outcome = returned.run(sheet)
    assert outcome.returncode == 0, outcome.stdout
    assert [row["case"] for row in rows(returned, sheet)] == [last]


def test_a_correction_of_a_labelled_case_is_refused_in_one_line(returned):
    xml = returned.folder / "back.xml"
    labelled = next(r["case"] for r in rows(returned, "results/demo/manifest.csv") if r["split"] == "train")
    xml.write_text(re.sub(r'name="p\d+_\d+\.png"', f'name="{labelled}.png"', xml.read_text(), count=1))
    outcome = returned.run("results/demo/manifest.csv")
    assert outcome.returncode != 0
    assert "already labelled (in train)" in outcome.stdout
    assert "Traceback" not in outcome.stdout


def test_a_correction_replaced_by_an_older_one_is_applied_again(returned):
    xml, target = returned.folder / "back.xml", "results/demo/manifest.csv"
    outcome = returned.run(target)
    assert outcome.returncode == 0, outcome.stdout
    text = xml.read_text()
    for content, planned in (
        (
            text.replace("</annotations>", "<!-- another -->\n</annotations>"),
            {"apply_corrections", "list_cases"},
        ),
        (text, set()),
    ):
        xml.write_text(content)
        os.utime(xml, (10**9, 10**9))
        assert returned.planned(target) == planned
