"""The names of the models; apart from the models, because the Snakefile may not import torch."""

OWN_MODELS = ("tiny", "small")
"""Small enough to be tuned as a whole, and to need little memory."""

VIT_MODELS = ("vit_b", "vit_l", "vit_h")
"""The architectures of the official SAM; MedSAM has the first one."""

SAM2_MODELS = ("sam2.1_tiny", "sam2.1_small", "sam2.1_base_plus", "sam2.1_large")
HQ_MODELS = ("sam_hq_vit_b", "sam_hq_vit_l", "sam_hq_vit_h")
SAM3_MODELS = ("sam3_tracker",)

LATER_MODELS = (*SAM2_MODELS, *HQ_MODELS, *SAM3_MODELS)
"""Architectures after the official SAM, in the package `hub`; their embeddings have several levels."""

EMBEDDING_BYTES = {
    "tiny": 2 * 96 * 32 * 32,
    "small": 2 * 96 * 24 * 24,
    **dict.fromkeys(VIT_MODELS, 2 * 256 * 64 * 64),
    **dict.fromkeys(SAM2_MODELS, 2 * 1024 * 64 * 64),
    **dict.fromkeys(HQ_MODELS, 2 * 768 * 64 * 64),
    **dict.fromkeys(SAM3_MODELS, 2 * 1024 * 72 * 72),
}
"""Size of a stored embedding, which has float16 numbers."""
