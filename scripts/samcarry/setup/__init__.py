"""Before and beside a run: writing a config, checking config and data, and saying how far a run is."""
