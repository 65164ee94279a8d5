"""The U-Net, its training data, training and prediction (paper §3.1)."""
