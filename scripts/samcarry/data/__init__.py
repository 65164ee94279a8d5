"""The data set on disk: its folder layout, cases, splits, input checks and manifest."""
