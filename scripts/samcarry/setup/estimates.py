"""Rough estimates of the time and disk that a run will take, from what was measured."""

from samcarry.pipeline.config import Config, embedding_sizes

# An iteration on an H200 with the paper's settings, and one on a CPU with those of config/small_machine.yaml:
GPU_PIXELS, _GPU_WIDTH, _GPU_BATCH, _GPU_SECONDS = 384 * 224, 64, 16, 0.048
CPU_PIXELS, _CPU_WIDTH, _CPU_BATCH, _CPU_SECONDS = 112 * 224, 10, 2, 0.15
_CPU_CROP = 0.22  # seconds of a CPU for each crop that the small SAM is tuned on


def training_seconds(config: Config, *, on_gpu: bool) -> tuple[float, int]:
    """Seconds of all trainings of the main line, one after the other, and their number."""
    training = config["training"]
    pixels = config["images"]["height"] * config["images"]["width"] * training["batch_size"]
    if on_gpu:
        each = _GPU_SECONDS * pixels / (GPU_PIXELS * _GPU_BATCH) * (training["width"] / _GPU_WIDTH) ** 1.5
    else:
        each = _CPU_SECONDS * pixels / (CPU_PIXELS * _CPU_BATCH) * (training["width"] / _CPU_WIDTH) ** 1.5
    second = config["f_phi"]["iterations"] or training["iterations"]
    methods = config["methods"]
    lengths = {"f_theta": training["iterations"]}  # in iterations
    if "unet_full" in methods:
        lengths["unet_full"] = training["iterations"]
    if any("best" in method or method.startswith("fixmatch") for method in methods):
        lengths["fixmatch"] = 2 * second  # as many unlabelled images in each batch
    for method in methods:
        if method.startswith("ours_") or method.startswith("best_"):
            lengths[method] = second
        elif method.startswith("mean_teacher"):
            lengths[method] = 2 * second
    seconds = {name: each * length for name, length in lengths.items()}
    if any("best" in method or "adapted" in method for method in methods):
        adapt = config["adapt"]
        # On a CPU, a step of SAM takes as long whatever the size of the U-Net is.
        of_step = 4 * each if on_gpu else adapt["batch_size"] * _CPU_CROP
        seconds["adapted"] = adapt["steps"] * of_step
    seeds = len(config["seeds"])
    return seeds * sum(seconds.values()), seeds * len(seconds)


def disk_gigabytes(config: Config, images: int, classes: int) -> float:
    """GB of disk that the main line takes, roughly; `images` and `classes` are their numbers."""
    pixels = config["images"]["height"] * config["images"]["width"]
    stacks = len(config["methods"]) * len(config["seeds"])
    masks = 0.1 * pixels * classes * images * stacks  # bytes of compressed probabilities
    models = 3e6 * (config["training"]["width"] / 10) ** 2 * stacks
    prepared = pixels * images * (1 + 0.1 * classes)
    embeddings = images * sum(embedding_sizes(config).values())
    return float(masks + models + prepared + embeddings) / 1e9
