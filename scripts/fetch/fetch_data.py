"""Fetch the files of a study that are not there."""

import json

from job import job
from samcarry.fetching.data_files import fetch_data
from samcarry.storage.files import write_text

with job(snakemake) as this:
    fetched = fetch_data(snakemake.params.data, snakemake.params.apis)
    content = {"fetched": fetched, "made_by": this.made_by}
    write_text(snakemake.output.list, json.dumps(content, indent=1) + "\n")
