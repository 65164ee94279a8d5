"""Model files: weights and metadata are read as written, and any damage is reported."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from samcarry.errors import DamagedError, InputError
from samcarry.storage.model_files import digest_of, read_model, write_model

WEIGHTS = {"b": torch.arange(6.0).reshape(2, 3).T, "a": torch.ones(2, dtype=torch.float16)}
METADATA = {"classes": ["Ä", "b"], "mean": 0.25, "nested": {"seed": 3}}


def build(weights, metadata):
    return weights


def test_weights_and_metadata_are_read_as_written(tmp_path):
    write_model(tmp_path / "m.safetensors", WEIGHTS, METADATA)
    weights, metadata = read_model(tmp_path / "m.safetensors", "U-Net", build)
    assert metadata == METADATA
    assert weights.keys() == WEIGHTS.keys()
    assert all(torch.equal(weights[name], WEIGHTS[name]) for name in WEIGHTS)


def test_equal_models_give_equal_bytes_in_any_order(tmp_path):
    write_model(tmp_path / "a", WEIGHTS, METADATA)
    write_model(tmp_path / "b", dict(reversed(WEIGHTS.items())), dict(reversed(METADATA.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_digest_depends_on_names_and_values():
    one = {"a": torch.ones(2), "b": torch.zeros(2)}
    assert digest_of(one) == digest_of(dict(reversed(one.items())))
    assert digest_of(one) != digest_of({"a": torch.ones(2), "c": torch.zeros(2)})
    assert digest_of(one) != digest_of({"a": torch.ones(2), "b": torch.tensor([0.0, 1.0])})


def test_a_model_file_without_a_digest_is_refused(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "m", {"samcarry": '{"mean": 0.5}'})
    with pytest.raises(DamagedError, match="it has no checksum"):
        read_model(tmp_path / "m", "U-Net", build)


def test_a_file_of_an_earlier_version_is_read_with_a_note_and_its_weights_are_checked(tmp_path, caplog):
    weights = {"a": torch.ones(2)}
    old = {"mean": 0.5, "weights_sha256": digest_of(weights)}
    save_file(weights, tmp_path / "m", {"samcarry": json.dumps(old)})
    read, metadata = read_model(tmp_path / "m", "U-Net", build)
    assert metadata == {"mean": 0.5}
    assert torch.equal(read["a"], torch.ones(2))
    assert "earlier version" in caplog.text
    save_file({"a": torch.zeros(2)}, tmp_path / "m", {"samcarry": json.dumps(old)})
    with pytest.raises(DamagedError, match="its weights have changed"):
        read_model(tmp_path / "m", "U-Net", build)


def test_every_flipped_bit_is_noticed_in_the_metadata_too(tmp_path):
    path = tmp_path / "m.safetensors"
    write_model(path, WEIGHTS, {**METADATA, 10: "x", 9: (1, 2)})
    content = path.read_bytes()
    unnoticed = []
    for place in range(len(content)):
        for bit in range(8):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
            try:
                read, metadata = read_model(path, "U-Net", build)
            except DamagedError:
                continue
            # Blanks at the end of safetensors' header, for example, mean nothing.
            same = all(torch.equal(read[name], WEIGHTS[name]) for name in WEIGHTS)
            if not same or metadata != {**METADATA, "10": "x", "9": [1, 2]}:
                unnoticed.append((place, bit))
    assert unnoticed == []


def test_an_error_of_the_system_is_no_damage(tmp_path):
    path = tmp_path / "m.safetensors"
    path.mkdir()
    with pytest.raises(InputError, match="Is a directory") as caught:
        read_model(path, "U-Net", build)
    assert not isinstance(caught.value, DamagedError)


@pytest.mark.parametrize("fault", ["missing", "truncated", "flipped", "no metadata", "not built"])
def test_a_bad_model_file_is_reported_in_one_line(tmp_path, fault):
    path = tmp_path / "m.safetensors"
    write_model(path, WEIGHTS, METADATA)
    content = path.read_bytes()
    if fault == "missing":
        path.unlink()
    elif fault == "truncated":
        path.write_bytes(content[:-3])
    elif fault == "flipped":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif fault == "no metadata":
        save_file(load_file(path), path)

    def failing(weights, metadata):
        raise RuntimeError("missing keys:\na\nb")

    message = "there is no such file" if fault == "missing" else "samcarry U-Net model file, or it is damaged"
    with pytest.raises(DamagedError, match=message) as caught:
        read_model(path, "U-Net", failing if fault == "not built" else build)
    assert caught.value.path == str(path)
    assert "\n" not in str(caught.value)


def test_the_cure_of_a_file_from_a_user_is_part_of_the_message(tmp_path):
    with pytest.raises(InputError, match=r"none: .*\. Choose another file\.$") as caught:
        read_model(tmp_path / "none", "U-Net", build, "choose another file")
    assert not isinstance(caught.value, DamagedError)
