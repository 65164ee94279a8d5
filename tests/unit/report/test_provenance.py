"""Provenance: sums over jobs, versions that differ, and damaged models."""

import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from samcarry.errors import DamagedError
from samcarry.report.provenance import model_table, stack_table, time_and_memory, versions_of

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def measure(folder, path, seconds, memory, cpu="1.0"):
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f"{HEAD}{seconds}\t0:00:01\t{memory}\t1\t1\t1\t0\t0\t50\t{cpu}\n")


@pytest.mark.parametrize("keep", [0, 1, 20, -1])
def test_a_table_of_time_that_is_cut_is_left_out_with_a_warning(tmp_path, caplog, keep):
    header = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"
    text = f"{header}\n12.5\t0:00:12\t100.0\t-\t-\t-\t0.00\t0.00\t0.00\t11.25\n"
    (tmp_path / "clean.tsv").write_text(text)
    (tmp_path / "refine.tsv").write_text(text[:keep])
    table = time_and_memory(tmp_path)
    assert list(table["step"]) == ["clean"]
    assert list(table["seconds"]) == [12.5]
    assert "refine.tsv: is damaged" in caplog.text


def test_jobs_of_a_step_are_summed_whatever_their_n_seed_and_shard(tmp_path):
    measure(tmp_path, "n5/seed0/refine/test-0000.tsv", 10, 300)
    measure(tmp_path, "n43/seed1/refine/val-0000.tsv", 20, 900)
    measure(tmp_path, "full/seed0/train_f_full.tsv", 60, 500)
    measure(tmp_path, "list_cases.tsv", 1, 80)
    table = time_and_memory(tmp_path).set_index("step")
    assert list(table.index) == ["train_f_full", "refine", "list_cases"]  # the longest first
    assert table.loc["refine", ["jobs", "seconds", "memory_mb"]].tolist() == [2, 30, 900]


def test_jobs_too_short_to_be_measured_count_without_memory(tmp_path):
    measure(tmp_path, "n5/clean/a.tsv", 0.1, "NA", "NA")
    measure(tmp_path, "n5/clean/b.tsv", 0.2, "-", "-")
    (row,) = time_and_memory(tmp_path).to_dict("records")
    assert row["jobs"] == 2
    assert row["seconds"] == pytest.approx(0.3)
    assert np.isnan(row["memory_mb"])


def test_no_measurements_are_an_empty_table(tmp_path):
    assert time_and_memory(tmp_path / "none").empty


def test_versions_that_differ_are_all_listed():
    records = [{"versions": {"torch": "2.14", "numpy": "2.4"}}, {"versions": {"torch": "2.13"}}, {}]
    assert versions_of(records) == {"numpy": "2.4", "torch": "2.13 and 2.14"}


def test_a_model_has_a_hash_and_a_rule(tmp_path):
    metadata = {"cases": ["a", "b"], "made_by": {"rule": "train_f_phi", "params": {"code": "abc"}}}
    path = tmp_path / "model.safetensors"
    save_file({"w": np.zeros(2, np.float32)}, path, {"samcarry": json.dumps(metadata)})
    (row,) = model_table([path]).to_dict("records")
    assert (row["rule"], row["cases"], row["code"]) == ("train_f_phi", 2, "abc")
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_is_not_a_model_is_named(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(DamagedError, match=r"model\.safetensors"):
        model_table([tmp_path / "model.safetensors"])


def test_settings_of_a_stack_exclude_code_and_cases():
    made_by = {
        "rule": "clean",
        "params": {"code": "abc", "cases": ["a"], "radius": 2},
        "inputs": {"p": "f" * 64},
    }
    (row,) = stack_table([("x.nii.gz", made_by)]).to_dict("records")
    assert (row["rule"], row["settings"], row["code"]) == ("clean", '{"radius": 2}', "abc")
    assert row["inputs"] == "p ffffffffffff"
