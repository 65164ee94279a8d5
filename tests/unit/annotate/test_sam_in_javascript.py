"""The page's SAM draws the masks that Python's draws."""

import base64

import numpy as np
import pytest
import torch

from samcarry.annotate.frame import bundle
from samcarry.annotate.parts import as_halves, decoder_weights
from samcarry.evaluation.dice import dice
from samcarry.prompting.prompts import Prompt
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import embed
from samcarry.sam.inputs import input_size
from samcarry.sam.refinement import decode_prompts, full_size
from support.browser import needs_browser
from support.paths import ROOT
from support.random_sams import vit_sam

SIZE = (150, 210)
PROMPTS = 50

# Each prompt is asked in both passes, as `refine` does: a box first, then points and the first answer.
ASK = """([about, weights, embedding, view, prompts]) => {
    const sam = makeSam(about, decodeHalves(weights));
    const image = embeddingTokens(sam, decodeHalves(embedding));
    return prompts.map(({ box, points }) => {
        const first = decodePrompts(sam, image, { ...intoInput(view, [], box), logits: null });
        const asked = { ...intoInput(view, points, null), logits: first.logits };
        const second = decodePrompts(sam, image, asked);
        const mask = (answer) => [...maskOfLogits(sam, answer.logits, view)].join("");
        return { masks: [mask(first), mask(second)], quality: [first.quality, second.quality] };
    });
}"""


@pytest.fixture(scope="module")
def engine(browser):
    """An empty page with the functions of sam.js."""
    page = browser.new_page()
    program = bundle("sam").removeprefix('(() => {\n"use strict";\n').removesuffix("})();\n")
    page.add_script_tag(content=program)
    yield page
    page.close()


def radiograph():
    rng = np.random.default_rng(3)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    image = 70 + 50 * np.sin(x / 17) * np.cos(y / 23) + 70 * (np.hypot(x - 90, y - 70) < 40)
    return (image + rng.integers(0, 25, SIZE)).clip(0, 255).astype(np.uint8)


def random_prompts(count):
    rng = np.random.default_rng(7)
    for _ in range(count):
        x0, y0 = rng.uniform(0, SIZE[1] - 20), rng.uniform(0, SIZE[0] - 20)
        x1, y1 = rng.uniform(x0 + 8, SIZE[1]), rng.uniform(y0 + 8, SIZE[0])
        positive = (rng.uniform(x0, x1), rng.uniform(y0, y1))
        negative = tuple((rng.uniform(0, SIZE[1]), rng.uniform(0, SIZE[0])) for _ in range(rng.integers(4)))
        yield Prompt((x0, y0, x1, y1), positive, negative)


def as_json(prompt):
    points = [{"x": prompt.positive[0], "y": prompt.positive[1], "positive": True}]
    points += [{"x": x, "y": y, "positive": False} for x, y in prompt.negative]
    return {"box": list(prompt.box), "points": points}


def python_answers(sam, embedding, prompt):
    first, one = decode_prompts(sam, embedding, [prompt], "box", SIZE)
    second, two = decode_prompts(sam, embedding, [prompt], "pos+neg", SIZE, first)
    masks = [full_size(sam, logits, SIZE)[0] for logits in (first, second)]
    return masks, [one.item(), two.item()]


def same(mask, text):
    other = np.frombuffer(text.encode(), np.uint8).reshape(SIZE) == ord("1")
    return 1.0 if not mask.any() and not other.any() else dice(mask, other) or 0.0


@needs_browser
@pytest.mark.parametrize("model", ["tiny", "small", "vit"])
def test_masks_in_the_page_equal_those_of_python(engine, model):
    if model == "vit":  # segment-anything's own encoder, four masks, other sizes
        sam = vit_sam()
        sam.prompt_encoder.mask_downscaling[1].eps = 1e-6  # segment-anything's own
        sam.load_state_dict({name: tensor.half().float() for name, tensor in sam.state_dict().items()})
    else:
        sam = load_sam(model, ROOT / f"resources/{model}_sam.safetensors")
    weights = decoder_weights(sam)
    embedding = embed(sam, radiograph())
    rows, columns = input_size(sam, *SIZE)
    view = {"left": 0, "top": 0, "width": SIZE[1], "height": SIZE[0], "rows": rows, "columns": columns}
    prompts = list(random_prompts(10 if model == "vit" else PROMPTS))
    halves = [base64.b64encode(data).decode() for data in (weights.halves, as_halves(embedding))]
    answers = engine.evaluate(ASK, [weights.about, *halves, view, [as_json(prompt) for prompt in prompts]])
    compared = 0
    with torch.inference_mode():
        for prompt, answer in zip(prompts, answers, strict=True):
            masks, quality = python_answers(sam, embedding.float(), prompt)
            assert answer["quality"] == pytest.approx(quality, abs=1e-4)
            for mask, text in zip(masks, answer["masks"], strict=True):
                assert same(mask, text) >= 0.999
                compared += mask.any()
    assert model == "vit" or compared > PROMPTS
