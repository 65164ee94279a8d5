"""Check that the SAM checkpoint exists, is intact and has the named architecture."""

import json

from job import job
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.folders import digest_of_checkpoint
from samcarry.storage.files import write_text

with job(snakemake) as this:
    entry, checkpoint = snakemake.params.sam, snakemake.input.checkpoint
    sam = load_sam(entry["model"], checkpoint, entry["sha256"])
    verdict = {
        "model": entry["model"],
        "file": checkpoint,
        "sha256": entry["sha256"] or digest_of_checkpoint(checkpoint),
        "parameters": sum(tensor.numel() for tensor in sam.parameters()),
        "made_by": this.made_by,
    }
    write_text(snakemake.output.verdict, json.dumps(verdict, indent=1) + "\n")
