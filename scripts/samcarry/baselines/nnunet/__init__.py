"""nnU-Net itself (nnunetv2) as a comparison method."""
