"""Fetching of the files of a study, each resumed, verified and placed at once."""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samcarry.errors import InputError
from samcarry.fetching.archives import unpack
from samcarry.fetching.download import Remote, download
from samcarry.fetching.progress import saying
from samcarry.fetching.repositories import figshare_files, kaggle_file
from samcarry.storage.disk import make_folder
from samcarry.storage.reading import reading

log = logging.getLogger(__name__)


def fetch_data(entries: Mapping[str, Mapping[str, Any]], apis: Mapping[str, str]) -> dict[str, list[dict]]:
    """Fetch all files that are not there yet: single files first, because they may list the rest.

    Args:
        entries: the config's `fetch.data`.
        apis: the addresses of the APIs of 'figshare' and 'kaggle'.

    Returns:
        What was fetched by each entry: address, digest and size of each file; nothing for what was there.

    Raises:
        InputError: see `download`, `unpack` and `repositories`.
    """
    singles_first = sorted(entries, key=lambda name: bool(entries[name]["unpack"]))
    return {name: _fetch(name, entries[name], apis) for name in singles_first}


def _fetch(name: str, entry: Mapping[str, Any], apis: Mapping[str, str]) -> list[dict]:
    waiting = {
        pattern: Path(folder) for pattern, folder in entry["unpack"].items() if not Path(folder).exists()
    }
    file = Path(entry["file"]) if entry["file"] else None
    if not waiting and (file is None or file.exists()):
        log.info("%s: is there already", name)
        return []
    remotes = _remotes(entry, apis)
    _announce(name, remotes)
    if file is not None:
        [remote] = remotes.values()
        download(remote, file, saying(name))
    else:
        _fetch_archives(name, entry, remotes, waiting)
    return [
        {"file": each, "url": remote.url, "digest": remote.digest, "bytes": remote.size}
        for each, remote in remotes.items()
    ]


def _remotes(entry: Mapping[str, Any], apis: Mapping[str, str]) -> dict[str, Remote]:
    """The files on servers that an entry stands for, by name."""
    if entry["url"]:
        return {entry["url"].rpartition("/")[2]: Remote(entry["url"], f"sha256:{entry['sha256']}")}
    if entry["kaggle"]:
        return {f"{entry['kaggle'].replace('/', '_')}.zip": kaggle_file(entry["kaggle"], apis["kaggle"])}
    found = figshare_files(entry["figshare"], entry["name"], apis["figshare"])
    if entry["file"] and len(found) > 1:
        raise InputError(
            f"{entry['figshare']}: {len(found)} files fit {entry['name']!r}, but only one can become "
            f"{entry['file']}: correct `name` in the config"
        )
    return found


def _announce(name: str, remotes: Mapping[str, Remote]) -> None:
    sizes = [remote.size for remote in remotes.values() if remote.size is not None]
    if sizes:
        log.info(
            "%s: %d files, %.2f GB to download, of which at most %.2f GB are on the disk at once",
            *(name, len(remotes), sum(sizes) / 1e9, max(sizes) / 1e9),
        )


def _fetch_archives(
    name: str, entry: Mapping[str, Any], remotes: Mapping[str, Remote], waiting: Mapping[str, Path]
) -> None:
    """Download archives one after the other, and unpack the wanted files of each; it is removed then.

    A folder gets its name when all archives are unpacked. Until then, it has a hidden name that depends on
    the entry, with a mark for each finished archive, so that a killed job goes on with the next one.
    """
    names = _names_in(entry["only"])
    key = hashlib.sha256(json.dumps([dict(entry), sorted(names)], sort_keys=True).encode()).hexdigest()[:8]
    folders = {pattern: folder.with_name(f".{folder.name}.{key}.part") for pattern, folder in waiting.items()}
    done = next(iter(folders.values())) / ".done"
    written = 0
    for each, remote in remotes.items():
        if (done / each).exists():
            continue
        archive = done.parent.with_name(f".{name}-{each}")
        if not archive.exists():  # what is there was verified before it got its name
            download(remote, archive, saying(each))
        for pattern, folder in folders.items():
            # What a killed job left of this archive is written again.
            place = folder.with_name(f"{folder.name}.new")
            shutil.rmtree(place, ignore_errors=True)
            make_folder(place)
            written += unpack(archive, place, pattern, lambda file: not names or Path(file).stem in names)
            _move_into(place, folder)
        make_folder(done)
        (done / each).touch()
        archive.unlink()
        log.info("%s: unpacked", each)
    if names:
        log.info("%s: %d files are unpacked that %s name", name, written, " and ".join(entry["only"]))
    shutil.rmtree(done, ignore_errors=True)
    for pattern, folder in folders.items():
        folder.rename(waiting[pattern])


def _move_into(place: Path, folder: Path) -> None:
    """Move the files of one folder into another."""
    make_folder(folder)
    for file in place.iterdir():
        file.replace(folder / file.name)
    place.rmdir()


def _names_in(files: list[str]) -> set[str]:
    """All words in text files that may be names of images, without suffix."""
    found: set[str] = set()
    for file in files:
        with reading(file, by_rule=False):
            text = Path(file).read_text(encoding="utf-8", errors="replace")
        found.update(re.findall(r"[\w-]+", text))
    return found
