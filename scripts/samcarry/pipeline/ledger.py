"""The files of a job: its inputs are checked, its outputs get checksums, and leftovers are removed.

Rules hand files to each other, and between two jobs a disk or a person may change them. So a job accepts a
file of the results only with the content that the job that wrote it has left.
"""

import base64
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from samcarry.errors import DamagedError
from samcarry.storage.checksums import FOLDER as CHECKSUMS
from samcarry.storage.checksums import (
    check,
    check_folder,
    checksum_file,
    is_sealed,
    seal_folder,
    write_checksums,
)
from samcarry.storage.disk import clear_leftovers
from samcarry.storage.files import sha256
from samcarry.storage.reading import reading

DATA_SETS = ("phantom", "imported", "annotated", "corrected")
"""Folders in the results folder that a rule writes as a whole data set; it declares some of their tables."""

EDITED_BY_PEOPLE = ("review/task-*/*.xml", "review/task-*/*.zip", "first/*.xml")
"""Files in the results folder that a person may add or change."""

UNFINISHED = Path(".snakemake/incomplete")
"""Where Snakemake marks files that are being written: one file each, whose name is theirs in base64."""


def check_input(path: str | Path, results: str | Path) -> str:
    """The SHA-256 of an input; one that a job wrote has to be as this job has left it.

    The cases.csv of a data set that a rule made stands for all its files.

    Args:
        path: the input.
        results: the results folder of the data set.

    Raises:
        DamagedError: a file of the results has changed, or no finished job wrote it.
        InputError: the operating system cannot read it.
    """
    path = Path(path)
    if not path.is_relative_to(results) or _edited_by_people(path, results):
        with reading(path, by_rule=False):
            return sha256(path)
    data_set = next((folder for folder in path.parents if _is_data_set(folder, results)), None)
    if data_set is None:
        return check(path, results)
    try:
        if path == data_set / "cases.csv":
            check_folder(data_set, results)
        return check(path, results)
    except DamagedError as error:
        raise error.with_remake(data_set / "cases.csv") from error


def seal_unsealed(results: str | Path) -> list[Path]:
    """Write the checksums of all files of a results folder that have none; return these files and folders.

    For results of earlier versions; the files are taken as they are.
    """
    root = Path(results)
    folders = [*(root / name for name in DATA_SETS), *root.glob("n*/nnunet/preprocessed")]
    sealed = [folder for folder in folders if folder.is_dir() and not checksum_file(folder, root).exists()]
    for folder in sealed:
        seal_folder(folder, root)
    files = [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and path.relative_to(root).parts[0] not in ("logs", "benchmarks", CHECKSUMS)
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and not any(folder in path.parents and path.name != "cases.csv" for folder in folders)
        and not checksum_file(path, root).exists()
    ]
    write_checksums(files, root)
    return [*sealed, *files]


def versions_of(paths: Iterable[str]) -> dict[str, tuple[int, int]]:
    """What changes when a file is written again, for those files that exist."""
    status = {path: Path(path).stat() for path in paths if Path(path).exists()}
    return {path: (about.st_ino, about.st_mtime_ns) for path, about in status.items()}


def seal_outputs(paths: Iterable[str], before: Mapping[str, tuple[int, int]], results: str | Path) -> None:
    """Write the checksums of the files that a job has written; those that it has only kept keep theirs.

    Args:
        paths: the outputs of the job.
        before: their versions (see `versions_of`) when the job started.
        results: the results folder of the data set.
    """
    now = versions_of(paths)
    sealed = {path for path in before if checksum_file(path, results).exists()}
    written = [path for path in paths if path not in sealed or before[path] != now.get(path)]
    for folder in {Path(path).parent for path in written}:
        if _is_data_set(folder, results):
            seal_folder(folder, results)
    write_checksums(written, results)


def unfinished_files(marks: Path = UNFINISHED) -> list[str]:
    """The files that Snakemake marks as being written; those of a killed run stay marked."""
    names = []
    for mark in sorted(marks.rglob("*")) if marks.is_dir() else ():
        if mark.is_file():
            coded = str(mark.relative_to(marks)).replace("@", "").replace("/", "")
            try:
                names.append(base64.b64decode(coded.encode(), altchars=b"-_").decode())
            except (ValueError, UnicodeDecodeError):
                continue
    return names


def unknown_results(manifest: str | Path, snakemake: Path = UNFINISHED.parent) -> str:
    """A line if there is a manifest that Snakemake does not know: it would miss changes of the config.

    It takes results without a record for finished, whatever the config says. A job that was killed between
    its end and its record is still marked as unfinished.

    Args:
        manifest: the manifest of the data set.
        snakemake: Snakemake's folder.
    """
    records = (
        record_path(folder, manifest) for folder in (snakemake / "metadata", snakemake / UNFINISHED.name)
    )
    if not Path(manifest).exists() or any(record.exists() for record in records):
        return ""
    folder = Path(manifest).parent
    return (
        f"{folder}: Snakemake does not know how these results were made, and would not notice changes of "
        f"the config: put back {snakemake} of the folder where they were made, or move {folder} away; if the "
        "file system ignores upper and lower case, they may be those of another data set: choose another "
        "`dataset`"
    )


def record_path(folder: Path, path: str | Path) -> Path:
    """Where Snakemake keeps what it knows of a file: its name in base64, cut into folders if it is long.

    Args:
        folder: .snakemake/metadata, or another folder of such records.
        path: the file, as Snakemake names it.
    """
    most = 254
    coded = base64.urlsafe_b64encode(str(path).encode()).decode()
    parts = [coded[start : start + most] for start in range(0, len(coded), most)]
    return Path(folder, *(f"@{part}" for part in parts[:-1]), parts[-1])


def remove_unsealed(results: str | Path, marks: Path = UNFINISHED) -> list[Path]:
    """Remove the files of killed jobs that were written but never sealed, so that Snakemake makes them again.

    Snakemake reads its marks before it knows all jobs, and takes some of these files for finished ones.
    A file that was sealed before is kept, because results of its earlier content would look current.

    Args:
        results: the results folder of the data set.
        marks: where Snakemake marks files that are being written.

    Returns:
        The files that were removed.
    """
    files = [Path(path) for path in unfinished_files(marks) if Path(path).is_relative_to(results)]
    removed = [path for path in files if path.is_file() and not is_sealed(path, results)]
    for path in removed:
        path.unlink()
    return removed


def clear_leftovers_of(outputs: Iterable[str], results: str | Path) -> list[Path]:
    """Remove the unfinished files that killed jobs left where a job writes; return what was removed."""
    made = [Path(path) for path in outputs]
    places = [*made, *(path.parent for path in made), *(checksum_file(path, results) for path in made)]
    return [path for folder in {place.parent for place in places} for path in clear_leftovers(folder)]


def _is_data_set(folder: Path, results: str | Path) -> bool:
    return folder in [Path(results, name) for name in DATA_SETS]


def _edited_by_people(path: Path, results: str | Path) -> bool:
    name = path.relative_to(results).as_posix()
    return any(fnmatchcase(name, pattern) for pattern in EDITED_BY_PEOPLE)
