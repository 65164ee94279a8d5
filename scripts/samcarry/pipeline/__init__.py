"""The only package that knows config keys and the paths of results; the Snakefile imports it."""
