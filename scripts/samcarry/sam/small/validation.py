"""Held-out images for the small SAM: drawn scenes with other seeds, and genuine sources never trained on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from samcarry.sam.small.objects import image_files, read_picture
from samcarry.sam.small.scores import Question
from samcarry.sam.small.xray_scenes import draw_xray_scene
from samcarry.sam.tiny.scenes import draw_scene
from samcarry.sam.tiny.scores import HELD_OUT_SEED


def scene_questions(count: int, objects: int = 3) -> Iterator[Question]:
    """`count` drawn scenes of each kind: with X-ray physics, and those of the tiny SAM."""
    for index in range(count):
        rng = np.random.default_rng([HELD_OUT_SEED, index])
        scene = draw_xray_scene(rng, 320, 320)
        chosen = rng.permutation(len(scene.masks))[:objects]
        yield Question("xray_scenes", scene.image, scene.masks[chosen], scene.missing[:2])
        plain = draw_scene(rng, 320, 320, objects)
        yield Question("plain_scenes", plain.image, plain.masks, plain.masks[:0])


def source_questions(
    folder: Path, sources: tuple[str, ...], images: int, objects: int = 4
) -> Iterator[Question]:
    """Some `images` of each genuine source, spread over the source, and some objects of each."""
    for source, files in image_files(folder, sources).items():
        places = np.linspace(0, len(files) - 1, min(images, len(files))).round().astype(int)
        for place in places:
            rng = np.random.default_rng([HELD_OUT_SEED, int(place)])
            picture = read_picture(rng, files[place], complete=False)
            if picture is not None:
                grey = (picture.image @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
                yield Question(source, grey, picture.masks[:objects], picture.missing)
