"""Fetch a checkpoint from the address in the config."""

from pathlib import Path

from job import job
from samcarry.fetching.download import Remote, download
from samcarry.fetching.progress import saying

with job(snakemake) as this:
    file, source = Path(snakemake.output.checkpoint), snakemake.params.source
    this.log.info("fetching %s from %s", file, source["url"])
    download(Remote(source["url"], f"sha256:{source['sha256']}"), file, saying(file.name))
