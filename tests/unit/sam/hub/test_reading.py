"""Model folders: complete ones are read, others are refused in one clear line; nothing is executed."""

import json

import pytest
import torch
from safetensors.torch import load_file

from samcarry.errors import InputError
from samcarry.sam.checkpoints import load_sam, save_sam
from samcarry.sam.folders import digest_of_checkpoint, digest_of_sums, files_of
from samcarry.storage.files import sha256
from support.hub_models import KINDS, reference, use_small_architectures, write_folder, write_shards

NAME = "sam2.1_tiny"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    use_small_architectures(monkeypatch)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder as transformers writes it."""
    return write_folder(tmp_path_factory.mktemp("made"), reference(NAME)).parent


@pytest.fixture
def folder(made, tmp_path):
    """A copy that a test may damage."""
    copy = tmp_path / "folder"
    copy.mkdir()
    for file in made.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def change(folder, **entries):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def refused(folder, model=NAME):
    """The error message for a folder: one line that names it."""
    with pytest.raises(InputError) as caught:
        load_sam(model, folder / "config.json")
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same(one, other):
    state = other.state_dict()
    return all(torch.equal(tensor, state[name]) for name, tensor in one.state_dict().items())


def test_a_folder_and_its_config_are_the_same(folder):
    assert same(load_sam(NAME, folder), load_sam(NAME, folder / "config.json"))


def test_several_files_of_weights_give_the_same_model(folder, made):
    write_shards(folder, load_file(folder / "model.safetensors"))
    assert same(load_sam(NAME, folder / "config.json"), load_sam(NAME, made))


def test_half_precision_runs_in_single(folder):
    from safetensors.torch import save_file

    state = load_file(folder / "model.safetensors")
    save_file({name: tensor.half() for name, tensor in state.items()}, folder / "model.safetensors")
    assert {weight.dtype for weight in load_sam(NAME, folder).parameters()} == {torch.float32}


def test_a_model_for_videos_is_read_as_one_for_images(tmp_path):
    from transformers import Sam2VideoConfig, Sam2VideoModel

    from samcarry.sam.hub.models import CONFIGS

    torch.manual_seed(0)
    small = {"memory_attention_hidden_size": 32, "memory_encoder_hidden_size": 32}
    model = Sam2VideoModel(Sam2VideoConfig(**CONFIGS[NAME], **small))
    shared = model.shared_image_embedding.positional_embedding
    model.prompt_encoder.shared_embedding.positional_embedding.copy_(shared)
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "sam2_video"
    ours = load_sam(NAME, tmp_path / "config.json")
    assert torch.equal(ours.mask_decoder.iou_token.weight, model.mask_decoder.iou_token.weight)


def test_the_detector_in_a_file_of_sam_3_is_left_out(tmp_path):
    from safetensors.torch import save_file

    file = write_folder(tmp_path, reference("sam3_tracker"))
    loaded = load_sam("sam3_tracker", file)
    state = load_file(tmp_path / "model.safetensors")
    state = {name.replace("tracker_model.detector_model", "detector_model"): t for name, t in state.items()}
    state = {name.replace("tracker_model.tracker_neck", "tracker_neck"): t for name, t in state.items()}
    state["detector_model.text_encoder.weight"] = torch.ones(3)
    save_file(state, tmp_path / "model.safetensors")
    config = json.loads(file.read_text())
    file.write_text(json.dumps({"model_type": "sam3_video", "tracker_config": config}))
    assert same(loaded, load_sam("sam3_tracker", file))


def test_a_tuned_model_is_saved_with_what_describes_it(folder, tmp_path):
    change(
        folder,
        mask_decoder_config={
            **json.loads((folder / "config.json").read_text())["mask_decoder_config"],
            "dynamic_multimask_stability_thresh": 0.5,
        },
    )
    sam = load_sam(NAME, folder)
    assert sam.mask_decoder.stability == (0.05, 0.5)
    save_sam(NAME, tmp_path / "tuned.safetensors", sam, {"started_from": "x"})
    back = load_sam(NAME, tmp_path / "tuned.safetensors")
    assert back.mask_decoder.stability == (0.05, 0.5)
    assert torch.equal(back.mask_decoder.iou_token.weight, sam.mask_decoder.iou_token.weight.half().float())


# ---- the digest of a folder ------------------------------------------------------------------


def test_the_digest_is_that_of_what_sha256sum_prints(folder):
    lines = "".join(f"{sha256(file)}  {file.name}\n" for file in files_of(folder))
    (folder / "sums.txt").write_text(lines)
    assert digest_of_checkpoint(folder / "config.json") == sha256(folder / "sums.txt")
    assert digest_of_sums({file.name: sha256(file) for file in files_of(folder)}) == sha256(
        folder / "sums.txt"
    )
    assert "model.safetensors" in lines


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_another_file_of_weights_or_config_is_noticed(folder, name):
    digest = digest_of_checkpoint(folder)
    load_sam(NAME, folder, digest)
    with (folder / name).open("ab") as stream:
        stream.write(b" ")
    with pytest.raises(InputError, match=digest):
        load_sam(NAME, folder, digest)


# ---- folders that are refused ----------------------------------------------------------------


def test_a_missing_folder_is_reported(tmp_path):
    assert "no such SAM checkpoint" in refused(tmp_path / "none")


def test_a_folder_without_config_is_reported(folder):
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match="is not a model folder, or it is incomplete"):
        load_sam(NAME, folder)


@pytest.mark.parametrize("content", ["<html>Sign in</html>", "", "{", "[1]", '"text"'])
def test_a_web_page_as_config_is_reported(folder, content):
    (folder / "config.json").write_text(content)
    assert "download the whole folder again" in refused(folder)


def test_a_config_that_is_not_text_is_reported(folder):
    (folder / "config.json").write_bytes(b"\xff\xfe\x00")
    assert "not JSON" in refused(folder)


@pytest.mark.parametrize("deep", [False, True])
def test_a_config_that_asks_for_code_is_refused(folder, deep):
    wanted = {"AutoModel": "modeling_mine.MySam"}
    (folder / "modeling_mine.py").write_text(f"open({str(folder / 'executed')!r}, 'w')")
    change(folder, **({"vision_config": {"list": [{"auto_map": wanted}]}} if deep else {"auto_map": wanted}))
    assert "auto_map" in refused(folder)
    assert not (folder / "executed").exists()


@pytest.mark.parametrize("found", ["bert", "sam_hq", None])
def test_a_folder_of_another_family_is_refused(folder, found):
    change(folder, model_type=found)
    message = refused(folder)
    assert f"'{found}'" in message
    assert "'sam2' or 'sam2_video'" in message


@pytest.mark.parametrize("model", [name for name in KINDS if name != NAME])
def test_the_name_of_another_family_is_refused(folder, model):
    assert f"the model '{model}' needs" in refused(folder, model)


@pytest.mark.parametrize("model", ["tiny", "small"])
def test_own_models_are_not_read_from_folders(folder, model):
    assert "set its 'file'" in refused(folder, model)


def test_a_folder_of_another_size_is_reported(folder):
    assert "not the weights of 'sam2.1_small'. They fit 'sam2.1_tiny'" in refused(folder, "sam2.1_small")


def test_a_vit_of_another_form_is_reported(tmp_path):
    folder = write_folder(tmp_path, reference("vit_b")).parent
    config = json.loads((folder / "config.json").read_text())
    change(folder, vision_config={**config["vision_config"], "global_attn_indexes": [0, 2]})
    assert "global_attn_indexes [0, 2], but 'vit_b' has [1, 2]" in refused(folder, "vit_b")


@pytest.mark.parametrize(
    "value",
    [
        {"prompt_encoder_config": {"image_size": "large"}},
        {"mask_decoder_config": {"num_attention_heads": 7}},
        {"vision_config": [1]},
        {"tracker_config": [1]},
    ],
)
def test_a_config_of_nonsense_is_reported(folder, value):
    change(folder, **value)
    assert "download the whole folder again" in refused(folder)


def test_pickled_weights_are_refused_and_not_executed(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    message = refused(folder)
    assert "pytorch_model.bin, a pickle" in message
    assert "model.safetensors" in message


def test_a_folder_without_weights_is_reported(folder):
    (folder / "model.safetensors").unlink()
    assert "no model.safetensors" in refused(folder)


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_torn_download_is_reported(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert "incomplete or damaged" in refused(folder)


def test_a_pointer_of_git_lfs_is_reported(folder):
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert "git lfs pull" in refused(folder)


def test_missing_shards_are_reported(folder):
    files = write_shards(folder, load_file(folder / "model.safetensors"))
    files[1].unlink()
    assert f"1 of its 3 files of weights are missing ({files[1].name})" in refused(folder)


def test_a_shard_that_lacks_a_weight_is_reported(folder):
    files = write_shards(folder, load_file(folder / "model.safetensors"))
    files[1].write_bytes(files[0].read_bytes())
    assert "which the index names" in refused(folder)


def test_an_index_of_another_size_is_reported(folder):
    write_shards(folder, load_file(folder / "model.safetensors"))
    path = folder / "model.safetensors.index.json"
    path.write_text(path.read_text().replace('"total_size": ', '"total_size": 1'))
    assert "but the index says" in refused(folder)


@pytest.mark.parametrize("places", [None, {"weight": "../elsewhere.safetensors"}, {"weight": 3}, ["a"]])
def test_an_index_that_is_none_is_reported(folder, places):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert "not an index of weights" in refused(folder) or "are missing" in refused(folder)


def test_a_weight_that_differs_from_its_copy_is_reported(folder):
    from safetensors.torch import save_file

    state = load_file(folder / "model.safetensors")
    state["shared_image_embedding.positional_embedding"] += 1
    save_file(state, folder / "model.safetensors")
    assert "contradict each other" in refused(folder)
