"""A folder with everything for a paper about a run, which can be checked without the run."""
