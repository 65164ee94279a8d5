"""A bundle gives the masks of `samcarry predict`, pixel by pixel, with parts of MONAI only."""

import json
from importlib.metadata import version

import numpy as np
import pytest
import torch
from PIL import Image
from tifffile import imwrite

from samcarry.cli import main
from samcarry.errors import InputError
from samcarry.images.grey import read_grey
from samcarry.images.preparation import preparation
from samcarry.images.training_look import measure_look
from samcarry.networks.unet import Ensemble, UNet, save_unet
from samcarry.predict import bundle
from samcarry.predict.arrays import predict_grey
from samcarry.predict.models import load_model
from support.deep_images import write_png
from support.tiny_models import METADATA, save_tiny_model

NAMES = ["Müller_Erna", "0815-left", "data/clinic", "/home/jane"]
ABOUT = {
    "cases": NAMES[:2],
    "made_by": {
        "rule": "train_f_phi",
        "wildcards": {"seed": "7"},
        "inputs": {"/home/jane/x.json": "data/clinic"},
    },
}
# The rules of MONAI's specification of bundles for metadata.json.
TENSOR = {
    "type": "object",
    "required": [
        *("type", "format", "num_channels", "spatial_shape", "dtype", "value_range", "is_patch_data"),
        "channel_def",
    ],
    "properties": {
        "type": {"enum": ["image", "series", "tuples", "probabilities"]},
        "format": {"enum": ["magnitude", "classes"]},
        "num_channels": {"type": "integer", "minimum": 1},
        "spatial_shape": {
            "type": "array",
            "items": {"type": "integer", "minimum": 1},
            "minItems": 2,
            "maxItems": 2,
        },
        "dtype": {"const": "float32"},
        "value_range": {"type": "array", "items": {"type": "number"}},
        "is_patch_data": {"type": "boolean"},
        "channel_def": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
TEXTS = ("schema", "version", "monai_version", "pytorch_version", "numpy_version", "task", "description")
VERSIONS = {"type": "object", "additionalProperties": {"type": "string"}}
RULES = {
    "type": "object",
    "required": [
        *TEXTS,
        *("authors", "copyright", "changelog", "network_data_format"),
        *("required_packages_version", "optional_packages_version"),
    ],
    "properties": {
        **{name: {"type": "string", "minLength": 1} for name in (*TEXTS, "authors", "copyright")},
        "changelog": VERSIONS,
        "required_packages_version": VERSIONS,
        "optional_packages_version": VERSIONS,
        "network_data_format": {
            "type": "object",
            "properties": {
                name: {"type": "object", "minProperties": 1, "additionalProperties": TENSOR}
                for name in ("inputs", "outputs")
            },
            "required": ["inputs", "outputs"],
        },
    },
}


@pytest.fixture
def images(tmp_path):
    """Images of several kinds, one in a subfolder."""
    folder = tmp_path / "images"
    (folder / "monday").mkdir(parents=True)
    draw = np.random.default_rng(0)

    def grey(height, width, top):
        small = Image.fromarray(draw.integers(0, 256, (height // 8 + 1, width // 8 + 1), dtype=np.uint8))
        return np.asarray(small.resize((width, height))).astype(float) / 255 * top

    colour = np.stack([grey(33, 64, 255) for _ in range(3)], axis=-1)
    turned = Image.Exif()
    turned[0x112] = 6
    Image.fromarray(grey(50, 70, 255).astype(np.uint8)).save(folder / "monday/a.png")
    Image.fromarray(grey(50, 70, 65535).astype(np.uint16)).save(folder / "b.png")
    Image.fromarray(colour.astype(np.uint8)).save(folder / "c.PNG")
    Image.fromarray(grey(40, 90, 255).astype(np.uint8)).save(folder / "d.jpg", exif=turned)
    Image.fromarray(grey(60, 20, 255).astype(np.uint8)).save(folder / "e.tif", tiffinfo={274: 6})
    Image.fromarray(grey(40, 30, 65535).astype(np.uint16)).save(folder / "f.tiff", tiffinfo={262: 0})
    Image.fromarray(np.full((9, 8), 7, np.uint8)).save(folder / "g.png")
    return folder


def write(model, out):
    assert main(["bundle", str(model), str(out)]) == 0
    return out


def parser_of(folder, **options):
    """The configs of a bundle as MONAI reads them."""
    monai = pytest.importorskip("monai.bundle", reason="MONAI is not installed, so bundles are not run")
    parser = monai.ConfigParser()
    parser.read_config(folder / "configs/inference.json")
    parser.read_meta(folder / "configs/metadata.json")
    for name, value in {"bundle_root": str(folder), **options}.items():
        parser[name] = value
    return parser


@pytest.mark.filterwarnings("ignore")  # of MONAI's imports
@pytest.mark.parametrize(
    ("about", "laterality"),
    [
        ({}, None),
        ({"window": None}, None),
        *(({"preparation": preparation("right")}, side) for side in ("left", "right")),
    ],
)
def test_its_masks_are_those_of_predict(tmp_path, images, about, laterality):
    model = save_tiny_model(tmp_path / "model.safetensors", **about)
    folder = write(model, tmp_path / "bundle")
    options = {"laterality": laterality} if laterality else {}
    out = tmp_path / "masks"
    parser = parser_of(folder, dataset_dir=str(images), output_dir=str(out), device="cpu", **options)
    prepare, network, finish = (
        parser.get_parsed_content(name) for name in ("preprocessing", "network_def", "postprocessing")
    )
    network.load_state_dict(torch.load(folder / "models/model.pt", weights_only=True))
    ours, drawn = load_model(model, "cpu"), 0
    for item in parser.get_parsed_content("datalist"):
        data = prepare(item)
        with torch.inference_mode():
            finish({**data, "pred": network.eval()(data["image"][None])[0]})
        path = item["image"]
        grey = read_grey(path, ours.window)
        for name, mask in zip(
            ours.classes, predict_grey(ours, grey, False, laterality == "right").masks, strict=True
        ):
            part = images.__class__(path).relative_to(images).with_suffix("")
            theirs = np.asarray(Image.open(out / part / f"{part.name}_{name}.png"))
            np.testing.assert_array_equal(theirs, mask * np.uint8(255), err_msg=f"{path} {name}")
            drawn += mask.any()
    assert drawn > 7


def _frames(path):
    pages = [Image.fromarray(np.zeros((9, 8), np.uint8))] * 2
    pages[0].save(path, save_all=True, append_images=pages[1:])


REFUSED = {
    "fraction.tif": (
        lambda path: Image.fromarray(np.linspace(0, 1, 72, dtype=np.float32).reshape(9, 8)).save(path),
        None,
        "not integers from 0 to 65535",
    ),
    "negative.tif": (
        lambda path: Image.fromarray(np.arange(-9, 63, dtype=np.int32).reshape(9, 8)).save(path),
        None,
        "not integers from 0 to 65535",
    ),
    "large.tif": (
        lambda path: Image.fromarray(np.full((9, 8), 65536, np.int32)).save(path),
        None,
        "not integers from 0 to 65535",
    ),
    "nan.tif": (
        lambda path: Image.fromarray(np.full((9, 8), np.nan, np.float32)).save(path),
        (0.5, 99.5),
        "NaN or infinite",
    ),
    "pages.tif": (_frames, None, "several frames"),
    "deep.png": (lambda path: write_png(path, np.full((9, 8, 3), 300), 16), None, "16 bits each"),
    "deep.tif": (
        lambda path: imwrite(path, np.full((3, 9, 8), 300, np.uint16), photometric="rgb"),
        None,
        "16 bits each",
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_what_predict_refuses(tmp_path, name):
    make, window, said = REFUSED[name]
    folder = write(save_tiny_model(tmp_path / "model.safetensors", window=window), tmp_path / "bundle")
    make(tmp_path / name)
    with pytest.raises(InputError, match=said):
        read_grey(tmp_path / name, window)
    read = parser_of(folder, dataset_dir=str(tmp_path)).get_parsed_content("read")
    with Image.open(tmp_path / name) as image, pytest.raises(ValueError, match=said) as caught:
        read(image)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")


@pytest.mark.filterwarnings("ignore")
def test_monai_runs_it_as_one_command(tmp_path, images):
    pytest.importorskip("ignite", reason="pytorch-ignite is not installed, so monai.bundle run is not called")
    from monai.bundle import run

    folder = write(save_tiny_model(tmp_path / "model.safetensors"), tmp_path / "bundle")
    run(
        config_file=str(folder / "configs/inference.json"),
        meta_file=str(folder / "configs/metadata.json"),
        bundle_root=str(folder),
        dataset_dir=str(images),
        output_dir=str(tmp_path / "masks"),
    )
    assert len([*(tmp_path / "masks").rglob("*.png")]) == 14


@pytest.mark.filterwarnings("ignore")
def test_no_side_is_guessed(tmp_path):
    model = save_tiny_model(tmp_path / "model.safetensors", preparation=preparation("right"))
    parser = parser_of(write(model, tmp_path / "bundle"), dataset_dir=str(tmp_path))
    with pytest.raises(RuntimeError) as error:
        parser.get_parsed_content("mirror")
    assert "add --laterality left or right" in str(error.value.__cause__)


def test_its_metadata_keep_monais_rules(tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    folder = write(save_tiny_model(tmp_path / "model.safetensors", **ABOUT), tmp_path / "bundle")
    found = json.loads((folder / "configs/metadata.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, RULES)
    (image,) = found["network_data_format"]["inputs"].values()
    (pred,) = found["network_data_format"]["outputs"].values()
    assert image["spatial_shape"] == pred["spatial_shape"] == [16, 32]
    assert pred["channel_def"] == {"0": "Zähne", "1": "b"}
    assert found["monai_version"] == bundle.MONAI == version("monai")


def test_it_names_what_it_lacks_and_nobody(tmp_path, capsys):
    draw = np.random.default_rng(0)
    look = measure_look([draw.integers(0, 256, (6, 16, 32), np.uint8)])
    model = save_tiny_model(tmp_path / "model.safetensors", training_look=look, **ABOUT)
    folder = write(model, tmp_path / "bundle")
    printed = capsys.readouterr().err
    assert "not in the bundle: images unlike the training images are neither named nor refused" in printed
    page = (folder / "docs/README.md").read_text(encoding="utf-8")
    assert "Images unlike the training images are neither named nor refused." in page
    assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*.*")) == [
        *("configs/inference.json", "configs/metadata.json", "docs/README.md", "models/model.pt"),
    ]
    for file in (file for file in folder.rglob("*") if file.is_file()):
        assert not [name for name in (*NAMES, str(tmp_path)) if name.encode() in file.read_bytes()], file


def _ensemble(path):
    save_unet(path, Ensemble([UNet(2, 4, 2), UNet(2, 4, 2)]), METADATA)


def _damaged(path):
    save_tiny_model(path).write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_ensemble, "this is an ensemble"),
        (_damaged, "damaged"),
        (lambda path: None, "model file not found"),
        (lambda path: save_tiny_model(path, preparation=preparation(None, True)), "images.mask_text"),
        (lambda path: save_tiny_model(path, classes=["$x", "b"]), "rename the class"),
    ],
)
def test_a_model_that_it_cannot_hold_is_refused_in_one_line(tmp_path, capsys, make, said):
    make(tmp_path / "model.safetensors")
    assert main(["bundle", str(tmp_path / "model.safetensors"), str(tmp_path / "bundle")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "model.safetensors: " in line
    assert said in line
    assert not (tmp_path / "bundle").exists()


def test_an_existing_folder_is_kept(tmp_path, capsys):
    (tmp_path / "bundle").mkdir()
    model = save_tiny_model(tmp_path / "model.safetensors")
    assert main(["bundle", str(model), str(tmp_path / "bundle")]) == 1
    assert capsys.readouterr().err == f"{tmp_path / 'bundle'}: already exists; choose another folder\n"
    assert main(["bundle", str(tmp_path / "model.onnx"), str(tmp_path / "new")]) == 1
    assert "ONNX" in capsys.readouterr().err
