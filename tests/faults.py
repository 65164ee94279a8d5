"""Fault injection in whole runs: `make faults`, or python tests/faults.py --seed 1 --kills 25.

Every fault has to lead to a message. The command in the message, after an unlock if there is a lock, then has
to give the same files as an undisturbed run, byte for byte. Prints a table: fault, tries, survived.
"""

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
from PIL import Image

from samcarry.storage.files import sha256
from support.campaign import RESULTS, Campaign, completed, contents, differences, start_campaign
from support.damages import damage

# What lies beyond the main line, whose kinds of files are damaged in a campaign of their own.
BEYOND = ("unet", "unet_present", "unet_ensemble", "fixmatch", "ours_best")
PAGES = ("audit/index.html", "figures/reliability.png", "review/index.html", "report.html")


# ---- interrupted runs ---------------------------------------------------------------------------


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes of the jobs that a run has started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if any(".snakemake/scripts" in word for word in child.cmdline())
        ]
    return []


def interrupt(process: subprocess.Popen[str], how: str, chance: random.Random) -> None:
    """Kill or interrupt Snakemake, one of its jobs, or all of its processes."""
    if how == "kill -9 of a job":
        victims = workers_of(process)
        if victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                chance.choice(victims).kill()
    elif how == "kill -9 of all":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        number = {"kill -9 of Snakemake": signal.SIGKILL, "SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}
        process.send_signal(number[how])


INTERRUPTIONS = ("kill -9 of Snakemake", "kill -9 of a job", "kill -9 of all", "SIGINT", "SIGTERM")


def interrupted(
    campaign: Campaign, number: int, most_per_run: int = 5, targets: tuple[str, ...] = ()
) -> None:
    """Interrupt runs at random moments, several times each; each has to end as if undisturbed."""
    expected = contents(campaign.reference)
    left = number
    while left > 0:
        project = campaign.fresh("interrupted")
        done: list[str] = []
        while len(done) < min(most_per_run, left):
            process = project.start(*targets)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=campaign.chance.uniform(0.02, 0.6) * campaign.seconds)
            if process.poll() is None:
                done.append(campaign.chance.choice(INTERRUPTIONS))
                interrupt(process, done[-1], campaign.chance)
            elif not done:
                break  # finished before the first interruption: start another run
            process.wait(timeout=20 * campaign.seconds + 60)
            if process.returncode == 0:
                break
            project.run("--unlock")
        problem = completed(project, expected, *targets)
        for how in done:
            campaign.count(how, problem)
        left -= len(done)


def two_at_once(campaign: Campaign) -> None:
    """A second Snakemake in the same folder stops with a message and does not disturb the first one."""
    project = campaign.fresh("two")
    first = project.start()
    locks = project.folder / ".snakemake/locks"
    while first.poll() is None and not (locks.is_dir() and any(locks.iterdir())):
        time.sleep(0.1)
    second = project.run()
    first.wait()
    problem = "" if second.returncode and "--unlock" in second.stdout else "the second did not stop"
    if first.returncode:
        problem = f"the first failed: {project.read('run.log')[-2000:]}"
    campaign.count("two Snakemakes at once", problem or differences(project, contents(campaign.reference)))


def study_killed(campaign: Campaign, tries: int) -> None:
    """A tuning job is killed during a trial; the same command gives the trials of an undisturbed study."""
    target, tuned = f"{RESULTS}/n3/tuned/sam.yaml", f"{RESULTS}/n3/tuned"
    tuning = {"trials": 12, "max_radius": 3}
    undisturbed = campaign.finished("study")
    undisturbed.configure(tuning=tuning)
    if (outcome := undisturbed.run(target)).returncode:
        sys.exit(outcome.stdout)
    expected = contents(undisturbed, tuned)
    for _ in range(tries):
        project = campaign.finished("study")
        project.configure(tuning=tuning)
        process = project.start(target, "--retries", "0")
        journals = project.folder / tuned
        while process.poll() is None and not any(journals.glob("*journal*")):
            time.sleep(0.05)
        time.sleep(campaign.chance.uniform(0, 2))
        interrupt(process, "kill -9 of a job", campaign.chance)
        process.wait()
        again = project.run(target)
        problem = again.stdout[-2000:] if again.returncode else ""
        if not problem and contents(project, tuned) != expected:
            problem = f"{project.folder}: different trials from those of an undisturbed study"
        campaign.count("an Optuna worker killed", problem)


# ---- disks ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def mounted(*arguments: str, at: Path) -> Iterator[Path]:
    """Mount something temporarily.

    Raises:
        PermissionError: mounting is not allowed here.
    """
    at.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *arguments, str(at)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(f"mount is not allowed here: {done.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def disk_full(campaign: Campaign, tries: int) -> None:
    """The disk is full at a random point of the run; when there is space, the same command completes it."""
    expected = contents(campaign.reference)
    root = campaign.reference.folder / RESULTS
    needed = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    for number in range(tries):
        project = campaign.fresh("full")
        (project.folder / "results").mkdir()
        # One random point in each of equal parts of the run, so that every stage that writes is affected.
        room = int(needed * (number + campaign.chance.random()) / tries * 0.95)
        room = max(room // 4096, 2) * 4096
        with mounted("-t", "tmpfs", "-o", f"size={room}", "tmpfs", at=project.folder / "results") as disk:
            outcome = project.run()
            problem = "" if outcome.returncode else "the disk was not full"
            if not problem and "No space left on device" not in outcome.stdout:
                problem = f"no message about a full disk: {outcome.stdout[-1500:]}"
            subprocess.run(["mount", "-o", "remount,size=1G", str(disk)], check=True)
            campaign.count("disk full", problem or completed(project, expected))


def read_only(campaign: Campaign) -> None:
    """A read-only results folder is reported; a run after it becomes writable is complete."""
    project = campaign.fresh("readonly")
    results = project.folder / "results"
    results.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=1G,ro", "tmpfs", at=results):
        outcome = project.run()
        reported = outcome.returncode and "Read-only file system" in outcome.stdout
        problem = "" if reported else f"no message about a read-only folder: {outcome.stdout[-1500:]}"
        subprocess.run(["mount", "-o", "remount,rw", str(results)], check=True)
        campaign.count("results read-only", problem or completed(project, contents(campaign.reference)))


# ---- changed files ------------------------------------------------------------------------------


DAMAGES = ("a file cut", "a bit flipped", "a digit changed", "a file of another case", "an older file")
KINDS = {"a file cut": "cut", "a digit changed": "digit"}  # of damage
REMEDY = re.compile(r"(?:Delete (this file|\S+) and run|Run) `snakemake (\S+) all`")


def damaged(
    campaign: Campaign, tries: int, targets: tuple[str, ...] = ("all",), known: Collection[str] = ()
) -> None:
    """A file of any kind but `known` is changed: it is named, and the command in the message cures it."""
    expected = contents(campaign.reference)
    for number in range(tries):
        project = campaign.finished("damaged")
        root = project.folder / RESULTS
        # nnU-Net's raw data set is read by the job that writes it only.
        files = [root / name for name in expected if not re.match(r"checksums/|n\d+/nnunet/raw/", name)]
        kinds = {kind_of(path.relative_to(root).as_posix()) for path in files}
        kind = campaign.chance.choice(sorted(kinds - {*known}))
        alike = [path for path in files if kind_of(path.relative_to(root).as_posix()) == kind]
        path, fault = campaign.chance.choice(alike), DAMAGES[number % len(DAMAGES)]
        before = path.read_bytes()
        path.write_bytes(
            changed(before, fault, campaign.chance, [p.read_bytes() for p in alike if p != path])
        )
        name = path.relative_to(project.folder).as_posix()
        outcome = project.run(*targets)
        remedy = REMEDY.search(outcome.stdout)
        problem, target = "", output_of(name)
        if outcome.returncode and not (remedy and name in outcome.stdout):
            problem = f"{name} is not named: {outcome.stdout[-1500:]}"
        elif outcome.returncode and remedy:
            target = remedy[2]
        # What no job reads again does not affect the results.
        elif problem := differences(project, {**expected, path.relative_to(root).as_posix(): sha256(path)}):
            problem = f"{name}: {fault}, which was not noticed: {problem}"
        (project.folder / target).unlink(missing_ok=True)
        campaign.count(fault, problem or completed(project, expected, target, *targets))


def damaged_beyond(campaign: Campaign, tries: int) -> None:
    """As `damaged`, for the kinds of files that only rows and pages beyond the main line have."""
    project = campaign.finished("beyond")
    project.configure(methods=list(BEYOND), presence={"folds": 2}, audit={"folds": 2})
    targets = ("all", *(f"{RESULTS}/{page}" for page in PAGES))
    if (outcome := project.run(*targets)).returncode:
        sys.exit(outcome.stdout)
    known = {kind_of(name) for name in contents(campaign.reference)}
    damaged(replace(campaign, reference=project), tries, targets, known)


def output_of(name: str) -> str:
    """The declared output of the rule that writes a file; of some folders, rules declare one file only."""
    if "/phantom/" in name:
        return f"{RESULTS}/phantom/cases.csv"
    return re.sub(r"/nnunet/preprocessed/.*", "/nnunet/plans.json", name)


def kind_of(name: str) -> str:
    """A path without what tells the files of one kind apart: shards, seeds, subsets, networks and cases."""
    *folders, last = name.split("/")
    folders = ["*" if re.fullmatch(r"n\d+|full|seed\d+|\w+-\d+|p\d+_\d+", part) else part for part in folders]
    return "/".join([*folders, re.sub(r"^(\w+-\d+|p\d+_\d+)", "*", last)])


def changed(content: bytes, fault: str, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """Other content than `content`."""
    if fault == "a file of another case" and (different := [other for other in others if other != content]):
        return chance.choice(different)
    if fault == "an older file" and content.count(b"\n") > 1:
        return b"".join(content.splitlines(keepends=True)[:-1])  # before the last line was added
    return damage(content, KINDS.get(fault, "bit"), chance)


def replaced(campaign: Campaign, *, older: bool) -> None:
    """An image is replaced between two runs by a newer one or, as with `cp -p`, by an older one."""
    own = campaign.finished("replaced")
    data = own.folder / "data"
    shutil.copytree(own.folder / RESULTS / "phantom", data)
    images = sorted((data / "images").iterdir())
    own.configure(source={"format": "folder", "folder": "data"}, dataset="own")
    first = own.run()
    target, other = campaign.chance.sample(images, 2)
    with Image.open(other) as image:  # turned, because the same image twice would be refused
        image.transpose(Image.Transpose.ROTATE_180).save(target)
    if older:
        os.utime(target, (1e9, 1e9))
    second = own.run()
    again = contents(own, "results/own")
    shutil.rmtree(own.folder / "results/own")
    third = own.run()
    problem = "".join(run.stdout[-1000:] for run in (first, second, third) if run.returncode)
    if not problem and again != contents(own, "results/own"):
        problem = f"{own.folder}: the results are not those of the new image"
    campaign.count(f"an image replaced by {'an older' if older else 'a newer'} one", problem)


def clock_set_back(campaign: Campaign, *targets: str) -> None:
    """An unfinished run has files from a day in the future, because the clock was wrong.

    This is reported. After the command in the message, the run computes exactly what was missing before,
    including files that are outdated only by the order of their times.
    """
    undisturbed, project = campaign.finished("clock"), campaign.finished("clock")
    for one in (undisturbed, project):
        one.configure(cleaning={"radius": 4})
    runs = [undisturbed.run(*targets), project.run(f"{RESULTS}/n3/seed0/cleaned/test-0000.nii.gz")]
    plan = project.planned(*targets)
    for path in project.folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            ahead = path.stat().st_mtime_ns + 86400 * 10**9
            os.utime(path, ns=(ahead, ahead))
    refused = project.run(*targets)
    command = re.search(r"clock of this machine .* run `(.+)`", refused.stdout)
    if any(run.returncode for run in runs) or not refused.returncode or not command:
        problem = "".join(run.stdout[-1500:] for run in (*runs, refused))
    else:
        subprocess.run(command[1], shell=True, cwd=project.folder, check=False)
        after = project.planned(*targets)
        problem = f"{project.folder}: plans {after}, not {plan}" if after != plan else ""
    campaign.count("clock set back by a day", problem or completed(project, contents(undisturbed), *targets))


# ---- the campaign ------------------------------------------------------------------------------


def main() -> None:
    """Try all faults and print the table; exit with 1 if one of them was not survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--only", nargs="+", help="names of faults in `main`, e.g. damaged_beyond")
    parser.add_argument(
        "--tries", type=int, default=6, help="tries of killed studies, a full disk and damaged files"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        campaign = start_campaign(Path(folder), options.seed)
        print(f"seed {options.seed}; an undisturbed run takes {campaign.seconds:.0f} s", flush=True)
        faults: dict[str, Callable[[], None]] = {
            "interrupted": lambda: interrupted(campaign, options.kills),
            "two_at_once": lambda: two_at_once(campaign),
            "study_killed": lambda: study_killed(campaign, options.tries),
            "disk_full": lambda: disk_full(campaign, options.tries),
            "read_only": lambda: read_only(campaign),
            "damaged": lambda: damaged(campaign, 5 * options.tries),
            "damaged_beyond": lambda: damaged_beyond(campaign, 5 * options.tries),
            "newer": lambda: replaced(campaign, older=False),
            "older": lambda: replaced(campaign, older=True),
            "clock": lambda: clock_set_back(campaign),
        }
        for name in options.only or faults:
            try:
                faults[name]()
            except PermissionError as error:
                print(f"NOT TRIED: {error}", flush=True)
            print(campaign.table(), flush=True)
        for failure in campaign.failures:
            print(f"\nNOT SURVIVED: {failure}")
        sys.exit(bool(campaign.failures))


if __name__ == "__main__":
    main()
