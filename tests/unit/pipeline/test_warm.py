"""Jobs that are copies of a worker behave as processes that started on their own."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from samcarry.pipeline import warm
from samcarry.pipeline.warm import OFF, Workers, is_possible, use_workers

pytestmark = pytest.mark.skipif(not is_possible(), reason="workers need Linux")


@pytest.fixture
def workers(monkeypatch):
    """Workers that import a light package."""
    monkeypatch.setattr(warm, "PRELOADED", {"light": ("colorsys", "not_a_module")})
    workers = Workers()
    yield workers
    workers.stop()


@pytest.fixture
def run(workers, tmp_path):
    """A function that runs the text of a script, in which `out` is a path, and returns status and output."""

    def run(text, name="script", **environment):
        script, out = tmp_path / f"{name}.py", tmp_path / f"{name}.txt"
        script.write_text(f"import os, sys\nfrom pathlib import Path\nout = Path({str(out)!r})\n{text}\n")
        status = workers.run(script, "light", {**os.environ, **environment})
        return status, out.read_text() if out.exists() else None

    return run


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("raise ValueError", 1),
        ("os._exit(1)", 1),
        ("os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("os.kill(os.getpid(), 2)", -signal.SIGINT),
    ],
)
def test_the_exit_status_is_that_of_a_process_of_its_own(run, ending, status):
    start = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)\n"  # as scripts/job.py
    assert run(start + ending)[0] == status


def test_a_job_finds_the_package_imported_and_is_the_main_module(run, tmp_path):
    status, output = run(
        "out.write_text(f\"{'colorsys' in sys.modules} {__name__} {sys.argv} {sys.path[0]}\")"
    )
    assert status == 0
    assert output == f"True __main__ {[str(tmp_path / 'script.py')]} {tmp_path}"


def test_each_job_has_its_own_environment_process_and_modules(run):
    text = 'out.write_text(f\'{os.environ["MADE_UP"]} {os.getpid()} {"wave" in sys.modules}\'); import wave'
    one, two = (run(text, MADE_UP=name)[1].split() for name in ("one", "two"))
    assert (one[0], two[0]) == ("one", "two")
    assert one[1] != two[1]
    assert one[2] == two[2] == "False"
    assert "MADE_UP" not in run("out.write_text(str(dict(os.environ)))")[1]


def test_each_job_has_its_own_random_numbers(run, monkeypatch):
    monkeypatch.setattr(warm, "PRELOADED", {"light": ("numpy.random", "random")})
    text = "import numpy, random; out.write_text(f'{random.random()} {numpy.random.random()}')"
    one, two = (run(text)[1].split() for _ in range(2))
    assert one[0] != two[0]
    assert one[1] != two[1]


def test_ps_shows_the_script_of_a_job(run):
    _, output = run("out.write_bytes(Path('/proc/self/cmdline').read_bytes())")
    python, script, rest = output.split("\0", 2)
    assert python == sys.executable
    assert script.endswith("/script.py")
    assert set(rest) == {"\0"}


def test_what_is_printed_at_the_end_is_not_lost_and_exit_functions_run(run):
    text = "import atexit; atexit.register(lambda: out.write_text('ended'))"
    assert run(text)[1] == "ended"


def test_jobs_run_at_the_same_time(run, tmp_path):
    """Each of two jobs waits for the other one."""
    text = (
        "import time; out.write_text(''); end = time.monotonic() + 60\n"
        "while len(list(out.parent.glob('*.txt'))) < 2 and time.monotonic() < end: time.sleep(0.01)\n"
        "sys.exit(len(list(out.parent.glob('*.txt'))) != 2)"
    )
    with ThreadPoolExecutor() as pool:
        statuses = list(pool.map(lambda name: run(text, name)[0], ["one", "two"]))
    assert statuses == [0, 0]


def test_workers_with_different_threads_are_different(run):
    """Libraries of arrays read the number of threads when they are imported."""
    text = "out.write_text(f'{os.getppid()} {os.environ[\"OMP_NUM_THREADS\"]}')"
    one, other, again = (run(text, OMP_NUM_THREADS=threads)[1].split() for threads in "121")
    assert one == again
    assert one[0] != other[0]
    assert (one[1], other[1]) == ("1", "2")


def test_a_killed_worker_fails_its_jobs_and_is_replaced(run):
    assert run("os.kill(os.getppid(), 9); import time; time.sleep(60)", "first")[0] == -signal.SIGKILL
    assert run("out.write_text('made')", "second") == (0, "made")


def test_a_worker_ends_with_the_process_that_started_it(workers, run):
    run("pass")
    [worker] = workers._started.values()
    worker.requests.close()
    assert worker.process.wait(20) == 0


def test_after_ctrl_c_no_job_starts_but_a_running_one_ends_as_it_does_without_workers(workers, run, tmp_path):
    """A job that handles the signal may end well, and the worker has to report that."""

    def interrupt():
        mark, end = tmp_path / "waiting.txt", time.monotonic() + 60
        while not (mark.exists() and mark.read_text()) and time.monotonic() < end:
            time.sleep(0.01)
        for process in (worker.process.pid, int(mark.read_text())):
            os.kill(process, signal.SIGINT)

    run("pass")
    [worker] = workers._started.values()
    threading.Thread(target=interrupt).start()
    text = "import signal, time; signal.signal(2, lambda *_: sys.exit(5)); out.write_text(str(os.getpid()))"
    assert run(f"{text}; time.sleep(60)", "waiting")[0] == 5
    assert run("out.write_text('')", "later") == (-signal.SIGINT, None)


def test_ctrl_c_ends_a_worker_that_still_imports(workers, run, tmp_path, monkeypatch):
    (tmp_path / "slow.py").write_text("import time; time.sleep(60)")
    monkeypatch.setattr(warm, "PRELOADED", {"light": ("slow",)})

    def interrupt():
        while not workers._started:
            time.sleep(0.01)
        time.sleep(1)
        [worker] = workers._started.values()
        worker.process.send_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    assert run("pass", PYTHONPATH=str(tmp_path))[0] == -signal.SIGINT


@pytest.fixture
def python_script(tmp_path, monkeypatch):
    """A class as Snakemake's, whose scripts are in a folder and start from workers."""

    class PythonScript:
        conda_env = container_img = env_modules = shadow_dir = None
        is_local, threads = True, 3
        local_path = f"{tmp_path}/rules/../scripts/stage/script.py"
        resources = {"tmpdir": "/made/up"}  # noqa: RUF012
        cold = []  # noqa: RUF012

        def execute_script(self, fname: str, edit: bool = False) -> None:
            self.cold.append(fname)

    (tmp_path / "scripts/stage").mkdir(parents=True)
    (tmp_path / "scripts/stage/script.py").write_text("import light")
    (tmp_path / "scripts/stage/other.py").write_text("import csv")
    monkeypatch.setattr(warm, "PRELOADED", {"light": ()})
    stops = []
    monkeypatch.setattr(warm.atexit, "register", stops.append)
    use_workers(PythonScript, tmp_path / "scripts")
    yield PythonScript
    for stop in stops:
        stop()


def test_a_script_starts_from_a_worker_in_the_environment_that_snakemake_gives_it(python_script, tmp_path):
    made = tmp_path / "made.py"
    made.write_text(
        f"import os; open({str(tmp_path / 'out')!r}, 'w').write("
        "' '.join(os.environ[name] for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'TMPDIR', 'TEMP')))"
    )
    python_script().execute_script(str(made))
    assert (tmp_path / "out").read_text() == "3 3 /made/up /made/up"
    assert python_script.cold == []


def test_a_failed_script_is_reported_as_snakemake_does(python_script, tmp_path):
    (tmp_path / "made.py").write_text("import sys; sys.exit(1)")
    with pytest.raises(subprocess.CalledProcessError, match=r"made.py'.* returned non-zero exit status 1\.$"):
        python_script().execute_script(str(tmp_path / "made.py"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("conda_env", "/env"),
        ("container_img", "image.sif"),
        ("env_modules", ["python"]),
        ("shadow_dir", "/shadow"),
        ("is_local", False),
        ("local_path", "/elsewhere/scripts/stage/script.py"),
        ("local_path", "{}/scripts/stage/other.py"),
    ],
)
def test_other_scripts_start_as_usual(python_script, tmp_path, name, value):
    job = python_script()
    setattr(job, name, value.format(tmp_path) if isinstance(value, str) else value)
    job.execute_script("x.py")
    assert python_script.cold == ["x.py"]


def test_a_second_use_changes_nothing(python_script, tmp_path):
    """Another workflow may use ours twice as a module."""
    before = python_script.execute_script
    use_workers(python_script, tmp_path)
    assert python_script.execute_script is before


def test_an_environment_variable_turns_workers_off(monkeypatch):
    monkeypatch.setenv(OFF, "1")
    assert not is_possible()


@pytest.mark.parametrize("package", warm.PRELOADED)
def test_the_packages_of_workers_exist(package):
    for name in warm.PRELOADED[package]:
        __import__(name)
