"""Write the folder of a paper: texts, tables, checklists, figures, and the data that they follow from."""

from pathlib import Path

from job import job
from samcarry import __version__
from samcarry.paper.folder import Run, Size, write_paper
from samcarry.paper.sbom import bill_of_materials
from samcarry.paper.settings import settings_of
from samcarry.presence.faults import add_notes, not_fitted
from samcarry.report.provenance import model_metadata, versions_of
from samcarry.storage.checksums import seal_folder
from samcarry.storage.texts import read_text

with job(snakemake) as this:
    given, params = snakemake.input, snakemake.params
    folder = Path(snakemake.output.page).parent
    versions = versions_of([model_metadata(path)["made_by"] for path in given.models])
    unfitted = not_fitted(zip(params.judged, given.presences, strict=True))
    run = Run(
        manifest=Path(given.manifest),
        dice=Path(given.dice),
        classes=read_text(given.classes).splitlines(),
        curves={method: [Path(path) for path in given[f"curves_{method}"]] for method in params.trained},
        sizes=[Size(*size, Path(path)) for size, path in zip(params.sizes, given.sizes, strict=True)],
        readers=Path(given.readers[0]) if given.readers else None,
        left_out=[Path(path) for path in given.left_out],
        figures={key: Path(given[key][0]) for key in params.figures},
        settings=settings_of(params.config, given.tuned, versions, __version__),
        evaluation={**params.evaluation, "notes": add_notes(params.evaluation["notes"], unfitted)},
        packages=[package for package in versions if package != "samcarry"],
        workflow=Path(params.root) / "Snakefile",
        sbom=bill_of_materials(Path(params.root)),
    )
    this.log.info("fingerprint of the folder: %s", write_paper(folder, run))
    seal_folder(folder, this.results)
