"""Images added to a finished study rerun only their own shards and the networks trained on them."""

import re
from pathlib import Path

from support.tiny_project import add_cases, rows_of

SETTINGS = {
    "source": {"format": "folder", "folder": "data"},
    "dataset": "own",
    "shard_size": 2,
    "ablation": {"n": []},
    "methods": ["ours_r"],
}


def files_by_shard(root: Path) -> dict[Path, int]:
    """The modification times of model files and of all files that belong to a shard."""
    return {
        path.relative_to(root): path.stat().st_mtime_ns
        for path in root.rglob("*")
        if path.is_file()
        and (shard_of(path) or path.name == "model.safetensors")
        and not {"logs", "benchmarks"} & set(path.relative_to(root).parts)
    }


def shard_of(path: Path) -> str | None:
    found = re.search(r"(?:train|val|test|unlabelled)-\d{4}", str(path))
    return found[0] if found else None


def test_images_added_to_a_finished_study_recompute_the_last_shard_and_new_ones(finished, project):
    source, data = finished.folder / "results/demo/phantom", project.folder / "data"
    rows = rows_of(source)
    add_cases(data, source, {name: name for name in rows})
    unlabelled = [name for name, row in rows.items() if row["split"] == "unlabelled"]
    add_cases(data, source, {"z": unlabelled[0]})
    project.configure(**SETTINGS)
    outcome = project.run("results/own/n3/summary.md")
    assert outcome.returncode == 0, outcome.stdout
    before = files_by_shard(project.folder / "results/own")
    assert {"unlabelled-0000", "unlabelled-0001", "unlabelled-0002"} <= {shard_of(path) for path in before}

    add_cases(
        data, source, {"a": unlabelled[1], "b": unlabelled[2]}
    )  # first by name, but still in the last shards
    outcome = project.run("results/own/n3/summary.md")
    assert outcome.returncode == 0, outcome.stdout
    after = files_by_shard(project.folder / "results/own")
    changed = {path for path, time in after.items() if before.get(path) != time}
    of_f_phi = {path for path in changed if "f_phi" in path.parts}
    assert {shard_of(path) for path in of_f_phi} == {None, "test-0000"}  # the model and its predictions
    assert {shard_of(path) for path in changed - of_f_phi} == {"unlabelled-0002", "unlabelled-0003"}
