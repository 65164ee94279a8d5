"""Rows without the classes that are judged absent, and the model file that judges them."""

import csv
import io
import json

from samcarry.predict.models import load_model
from samcarry.storage.checksums import write_checksums
from samcarry.storage.stacks import read_stack

RUN = "results/demo/n3/seed0"
MODEL, TABLE = f"{RUN}/f_theta/present/model.safetensors", "results/demo/table1.md"
TARGETS = (f"{RUN}/dice/unet_present.csv", MODEL, TABLE)


def scores(project, method):
    rows = csv.DictReader(io.StringIO(project.read(f"{RUN}/dice/{method}.csv")))
    return {(row["case"], row["class"]): row for row in rows}


def test_absent_classes_are_removed_where_presence_could_be_fitted(copy_of_finished):
    project = copy_of_finished
    project.configure(presence={"folds": 2}, table={"methods": ["unet", "unet_present"]})
    planned = project.planned(*TARGETS)
    assert {"fit_presence", "judge_presence", "add_presence", "train_f_theta"} <= planned
    outcome = project.run(*TARGETS)
    assert outcome.returncode == 0, outcome.stdout

    # With four labelled cases, there are too few absences: all is kept, and said.
    assert "presence cannot be fitted" in outcome.stdout
    path = project.folder / f"{RUN}/f_theta/presence.json"
    entry = json.loads(path.read_text())
    assert "needs 10 of each" in entry["fault"]
    plain, judged = scores(project, "unet"), scores(project, "unet_present")
    assert {key: row["dice"] for key, row in judged.items()} == {
        key: row["dice"] for key, row in plain.items()
    }
    assert load_model(project.folder / MODEL, "cpu").presence.fault == entry["fault"]
    assert f"presence could not be fitted, so no class is judged absent: {entry['fault']}" in project.read(
        TABLE
    )

    # As if it had been fitted, with a limit that nothing reaches.
    path.write_text(json.dumps({**entry, "fault": "", "absent_below": 1e6, "sure_above": 1e6}))
    write_checksums([path], project.folder / "results/demo")
    outcome = project.run(*TARGETS)
    assert outcome.returncode == 0, outcome.stdout
    judged = scores(project, "unet_present")
    assert {row["predicted_px"] for row in judged.values()} == {"0"}
    assert {float(row["probability"]) for row in judged.values()} == {0.5}
    values = read_stack(project.folder / f"{RUN}/f_theta/present/test-0000.nii.gz").values
    assert values.max() <= 127
    assert load_model(project.folder / MODEL, "cpu").presence.absent_below == 1e6
    assert "presence could not be fitted" not in project.read(TABLE)
