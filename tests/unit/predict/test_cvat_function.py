import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from samcarry.errors import InputError
from samcarry.predict.arrays import predict_masks
from samcarry.predict.cvat_function import create
from samcarry.predict.models import load_model
from support.tiny_models import save_tiny_model

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)


@pytest.fixture
def model(tmp_path):
    return save_tiny_model(tmp_path / "model.safetensors")


@pytest.fixture
def sdk():
    """The real cvat-sdk, which is not among the requirements."""
    pytest.importorskip("cvat_sdk", reason="cvat-sdk is not installed, so its protocol is not tested")
    from cvat_sdk import masks

    return masks


def test_without_cvat_sdk_one_line_says_what_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "cvat_sdk.auto_annotation", None)
    with pytest.raises(InputError, match="cvat-sdk is not installed"):
        create(str(model))


@pytest.fixture
def imitation(monkeypatch):
    """What is used of cvat-sdk, returning its arguments."""

    def named(*names):
        return {
            name: lambda *given, name=name, **more: (name, *given, *more.items(), *more.values())
            for name in names
        }

    parts = named("DetectionFunctionSpec", "label_spec", "mask", "polygon")
    monkeypatch.setitem(sys.modules, "cvat_sdk", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cvat_sdk.auto_annotation", SimpleNamespace(**parts))
    monkeypatch.setitem(sys.modules, "cvat_sdk.masks", SimpleNamespace(encode_mask=lambda mask: mask))


def context(*, polygons):
    return SimpleNamespace(conv_mask_to_poly=polygons)


def test_each_class_that_is_found_becomes_a_mask_or_polygons(model, imitation):
    function = create(str(model))
    expected = predict_masks(load_model(model), PIXELS)
    assert [label[1:3] for label in function.spec[-1]] == [("Zähne", 0), ("b", 1)]
    found = function.detect(context(polygons=False), Image.fromarray(PIXELS))
    assert [number for _, number, _ in found] == [n for n, mask in enumerate(expected) if mask.any()]
    for _, number, mask in found:
        assert (mask == expected[number]).all()
    polygons = function.detect(context(polygons=True), Image.fromarray(PIXELS))
    assert {shape[0] for shape in polygons} == {"polygon"}
    assert {shape[1] for shape in polygons} == {number for _, number, _ in found}
    assert all(len(shape[2]) % 2 == 0 and isinstance(shape[2][0], float) for shape in polygons)


def test_colours_and_16_bits_are_read_as_from_a_file(model, imitation):
    function = create(str(model))
    grey = function.detect(context(polygons=False), Image.fromarray(PIXELS))
    colour = function.detect(context(polygons=False), Image.fromarray(PIXELS).convert("RGB"))
    deep = function.detect(context(polygons=False), Image.fromarray(PIXELS.astype(np.uint16) * 257))
    for other in (colour, deep):
        assert [each[1] for each in other] == [each[1] for each in grey]
        assert all((a[2] == b[2]).all() for a, b in zip(grey, other, strict=True))


def test_the_real_cvat_sdk_accepts_the_function(model, sdk):
    function = create(str(model))
    expected = predict_masks(load_model(model), PIXELS)
    assert [label.name for label in function.spec.labels] == ["Zähne", "b"]
    for shape in function.detect(context(polygons=False), Image.fromarray(PIXELS)):
        decoded = sdk.decode_mask(shape.points, image_width=30, image_height=20)
        assert (decoded == expected[shape.label_id]).all()
    shapes = function.detect(context(polygons=True), Image.fromarray(PIXELS))
    assert {shape.type.value for shape in shapes} == {"polygon"}
