"""A real SLURM on one machine: munged, slurmctld and slurmd, with files in one folder, without systemd."""

import fcntl
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd", "sinfo")
SITE_CONFIG = Path("/etc/slurm/slurm.conf")
LOCK = Path("/tmp/samcarry-one-node-slurm.lock")

SLURM_CONF = """\
ClusterName=onenode
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# Memory is monitored instead of limited: a step above its request is killed within two seconds.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=2,bf_interval=2
# Finished jobs stay visible for squeue, as on most sites.
MinJobAge=3600
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""


def why_not() -> str:
    """Why SLURM cannot be started here; '' if it can."""
    missing = [name for name in DAEMONS if shutil.which(name, path=search_path()) is None]
    if missing:
        return f"{', '.join(missing)} not found (Debian: apt-get install slurm-wlm munge)"
    if os.geteuid() != 0:
        return "starting SLURM's daemons needs root"
    if SITE_CONFIG.exists() and not SITE_CONFIG.is_symlink():
        return f"{SITE_CONFIG} exists: this machine may belong to a cluster, and tests must not disturb it"
    return ""


def search_path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


@contextmanager
def one_node_slurm(folder: Path, gpus: int = 2, cpus: int = 4, memory_mb: int = 100_000) -> Iterator[Path]:
    """Start SLURM with simulated GPUs, CPUs and memory; yield its slurm.conf; stop it at the end.

    Only one can run at a time, because SLURM's clients find it by a link in /etc. The variable SLURM_CONF is
    not enough, because the plugin removes it from the environment of its jobs.
    """
    with ExitStack() as stack:
        lock = stack.enter_context(LOCK.open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        config = _configure(folder, gpus, cpus, memory_mb)
        SITE_CONFIG.parent.mkdir(exist_ok=True)
        SITE_CONFIG.unlink(missing_ok=True)
        SITE_CONFIG.symlink_to(config)
        stack.callback(SITE_CONFIG.unlink)
        munge = folder / "munge"
        files = [f"--{kind}-file={munge / kind}" for kind in ("key", "pid", "log", "seed")]
        _daemon(stack, folder, "munged", "--foreground", "--force", f"--socket={munge / 'socket'}", *files)
        _wait(lambda: (munge / "socket").exists(), "munged", folder)
        _daemon(stack, folder, "slurmctld", "-D", "-f", str(config))
        _start_slurmd(stack, folder, config)
        stack.callback(_cancel_all)
        yield config


def _configure(folder: Path, gpus: int, cpus: int, memory_mb: int) -> Path:
    """Write the key, slurm.conf and gres.conf; return the path of slurm.conf."""
    folder.chmod(0o755)
    for name in ("munge", "state", "spool", "etc"):
        (folder / name).mkdir(mode=0o755)
    key = folder / "munge" / "key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    ports = _free_ports(2)
    config = folder / "etc" / "slurm.conf"
    text = SLURM_CONF.format(
        host=socket.gethostname().split(".")[0],
        folder=folder,
        controller_port=ports[0],
        node_port=ports[1],
        gpus=gpus,
        cpus=cpus,
        memory_mb=memory_mb,
    )
    config.write_text(text)
    devices = [folder / f"gpu{number}" for number in range(gpus)]
    for device in devices:  # copies of /dev/null: a job has CUDA_VISIBLE_DEVICES, but no CUDA
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    (folder / "etc" / "gres.conf").write_text("".join(f"Name=gpu File={device}\n" for device in devices))
    return config


def _start_slurmd(stack: ExitStack, folder: Path, config: Path) -> None:
    """Start slurmd with the first cgroup plugin that works; 'disabled' does not exist before 23.02."""
    for plugin in ("disabled", "cgroup/v1", "cgroup/v2", "autodetect"):
        (folder / "etc" / "cgroup.conf").write_text(f"CgroupPlugin={plugin}\n")
        slurmd = _daemon(stack, folder, "slurmd", "-D", "-f", str(config))
        with suppress(TimeoutError):
            _wait(lambda slurmd=slurmd: slurmd.poll() is not None or _is_idle(), "slurmd", folder)
        if slurmd.poll() is None and _is_idle():
            return
    raise RuntimeError(f"slurmd does not start: {(folder / 'slurmd.log').read_text()[-2000:]}")


def _daemon(stack: ExitStack, folder: Path, *command: str) -> subprocess.Popen[bytes]:
    """Start a daemon in the foreground; it is stopped when the stack is closed."""
    log = stack.enter_context((folder / f"{command[0]}.log").open("a"))
    environment = {**os.environ, "PATH": search_path()}
    program = shutil.which(command[0], path=search_path())
    assert program is not None
    process = subprocess.Popen(
        [program, *command[1:]], stdout=log, stderr=log, env=environment, start_new_session=True
    )
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _cancel_all() -> None:
    subprocess.run(["scancel", "--user=root"], timeout=20, check=False)
    with suppress(TimeoutError):
        _wait(lambda: not run_client("squeue", "-h"), "scancel", Path())


def _is_idle() -> bool:
    return run_client("sinfo", "-h", "-o", "%T") == "idle"


def run_client(*command: str) -> str:
    """The output of a SLURM client; '' if it hangs."""
    with suppress(subprocess.TimeoutExpired):
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout.strip()
    return ""


def _wait(is_done, what: str, folder: Path, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} is not ready after {seconds} s; see the logs in {folder}")
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]
