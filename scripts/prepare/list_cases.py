"""Check every image and label, decide splits, order and shards, and write the manifest."""

from job import job
from samcarry.data.cases import find_cases
from samcarry.data.checks import check_cases, digests_of
from samcarry.data.duplicates import find_duplicates
from samcarry.data.hidden_labels import check_numbers, hide_labels
from samcarry.data.left_out import write_left_out
from samcarry.data.manifest import (
    assign_shards,
    manifest_rows,
    order_training_cases,
    previous_shards,
    write_manifest,
)
from samcarry.data.oddities import find_oddities
from samcarry.errors import raise_faults
from samcarry.storage.files import write_text
from samcarry.storage.names import check_names_fit

with job(snakemake) as this:
    params, output = snakemake.params, snakemake.output
    cases, warnings = find_cases(params.folder, **params.splits)
    this.warn(warnings)
    looking = {"window": params.window, "look_for_text": not params.text_masked}
    contents = check_cases(cases, params.classes, **looking, threads=this.threads)
    check_names_fit(this.results, [*(case.case for case in cases), *contents.classes])
    copies = find_duplicates(cases, contents.appearances, **params.duplicates)
    raise_faults(copies.faults)
    cases = [case for case in cases if case.case not in copies.left_out]
    order = order_training_cases(cases, contents.of_case, params.splits["seed"])
    cases, order = hide_labels(cases, order, params.hide_labels_beyond, contents.of_case)
    check_numbers(params.folder, cases, params.n, params.largest_n, params.waiting)
    this.warn(find_oddities(cases, contents.looks, params.size, params.step, params.window))
    previous = previous_shards(output.manifest, this.results, copies.warnings)
    rows = manifest_rows(
        params.folder,
        cases,
        shards=assign_shards(cases, previous, params.shard_size),
        training_order=order,
        classes_of_case=contents.of_case,
        digests=digests_of(cases, threads=this.threads),
    )
    write_manifest(output.manifest, rows)
    write_text(output.classes, "\n".join(contents.classes) + "\n")
    write_left_out(output.left_out, {"a copy of an image of val or test": len(copies.left_out)})
    this.warn(copies.warnings)
    for split in ("train", "val", "test", "unlabelled"):
        this.log.info("%s: %d cases", split, sum(row.split == split for row in rows))
