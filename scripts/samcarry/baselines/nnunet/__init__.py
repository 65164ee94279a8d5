"""nnU-Net itself (nnunetv2) as a comparison method (paper §3.1).

The submodules import nnunetv2 inside functions, after setting the environment variables that it reads at
import. Only `trainer` imports it at the top.
"""
