"""What all readers of annotations owe: a damaged file ends in a line, never in a traceback."""

import json
import random
import re

import numpy as np
import pytest

from samcarry.errors import InputError
from samcarry.formats.coco import read_coco
from samcarry.formats.labelme import read_labelme
from samcarry.formats.rasterise import draw
from samcarry.formats.supervisely import read_supervisely
from support.coco_files import annotation, document
from support.labelme_files import pack as pack_png
from support.labelme_files import shape
from support.supervisely_files import bitmap, pack, polygon

MASK = np.eye(3, dtype=bool)
GOOD = {
    read_coco: document(
        annotation(),
        annotation({"counts": [1, 2, 27], "size": [5, 6]}, 2),
        annotation({"counts": "12k0", "size": [5, 6]}, 3, category_id=4),
    ),
    read_supervisely: {
        "size": {"height": 5, "width": 6},
        "objects": [polygon(interior=[[[1, 1], [2, 1], [2, 2]]]), bitmap(pack(MASK), (1, 1), id=2)],
    },
    read_labelme: {
        "imagePath": "a.png",
        "imageHeight": 5,
        "imageWidth": 6,
        "shapes": [
            shape([[1, 1], [4, 1], [4, 3]]),
            shape([[1, 1], [2, 2]], "circle"),
            shape([[1, 1], [3, 3]], "mask", mask=pack_png(MASK)),
        ],
    },
}
ODD = (None, True, -1, 0, 3, 1e308, float("nan"), 10**30, 10**400, "", "../a", "ä\0", [], [[]], {}, {"a": 1})


def mutated(content: dict, rng: random.Random) -> bytes:
    """The document with an odd value at some place, or its text with some bytes changed or cut off."""
    content = json.loads(json.dumps(content))
    if rng.random() < 0.5:
        place = content
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = rng.choice(keys)
            if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.2:
                break
            place = place[key]
        place[key] = rng.choice(ODD)
        return json.dumps(content).encode()
    text = bytearray(json.dumps(content).encode())
    for _ in range(rng.randint(1, 3)):
        text[rng.randrange(len(text))] = rng.choice((rng.randrange(256), *b'0123456789{}[]",:-'))
    return bytes(text[: rng.randrange(len(text))] if rng.random() < 0.2 else text)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("read", GOOD, ids=lambda read: read.__name__)
def test_mutated_files_are_read_or_refused_in_lines_that_name_the_file(tmp_path, read):
    rng = random.Random(0)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(GOOD[read]))
    (good,) = read(path)
    assert sum(mask.any() for mask in draw(good, 5, 6, []).values()) > 0
    refused = 0
    for _ in range(500):
        path.write_bytes(mutated(GOOD[read], rng))
        try:
            faults: list[str] = []
            for entry in read(path):
                draw(entry, 5, 6, faults)
        except InputError as error:
            faults += str(error).splitlines()
        assert all(re.match(rf"{path}: .+; .+", fault) for fault in faults), faults
        refused += bool(faults)
    assert 200 < refused < 500


@pytest.mark.parametrize("read", GOOD, ids=lambda read: read.__name__)
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"images": [', "no JSON, damaged or truncated"),
        ('{"a": "ä"}'.encode("latin-1"), "no UTF-8"),
        (b'{"a":' + b"[" * 200_000, "nested too deep"),
        (b'{"a":' * 200_000, "nested too deep"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "no JSON"),
        (b"[]", "no JSON object"),
    ],
)
def test_a_file_that_is_no_json_object(tmp_path, read, content, fault):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: ")
    assert fault in line


@pytest.mark.parametrize("read", GOOD, ids=lambda read: read.__name__)
def test_a_byte_order_mark_is_no_fault_and_a_missing_file_is(tmp_path, read):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(GOOD[read]), encoding="utf-8-sig")
    assert len(read(path)) == 1
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.json")
