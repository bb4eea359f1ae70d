"""Settings of JAX from the shell or a script: the same bits, or one line that names the setting."""

import os
import subprocess
import sys
from contextlib import ExitStack

import jax
import numpy as np
import pytest

from mbsim.cli import main
from mbsim.config.configuration import load_config
from mbsim.engines import devices, reference, settings
from mbsim.engines.batched import programs
from mbsim.engines.settings import PINNED, pinned
from mbsim.errors import ConfigError
from mbsim.plan.units import units
from mbsim.running import training

BINARY = {
    "model": "sparse-vector",
    "grid": {"N": [9], "d": [3], "m": [3, 5], "teachers": 1, "replicas": 2},
    "dynamics": {"sweeps": 32, "temperature": 0.3},
}
REAL = {
    "model": "dense-vector",
    "grid": {"N": [8], "d": [3], "m": [2, 5], "teachers": 1, "replicas": 2},
    "dynamics": {"steps": 32, "lr": 2.0},
    "measure": {"test_size": 64},
}
KINDS = {
    "registers": BINARY,
    "reference": BINARY | {"run": {"engine": "reference"}},
    "batched": REAL,
    "batched, sparse": REAL | {"model": {"output": "vector", "student": "sparse", "weights": "real"}},
}
SETTINGS = {
    "enable_x64": True,
    "threefry_partitionable": False,
    "default_matmul_precision": "bfloat16",
    "debug_nans": True,
    "disable_jit": True,
    "numpy_rank_promotion": "raise",
    "numpy_dtype_promotion": "strict",
    "default_prng_impl": "rbg",
    "transfer_guard": "disallow",
    "check_tracer_leaks": True,
}


def bits(table) -> dict[str, bytes]:
    config = load_config(table)
    unit = units(config)[0]
    training.self_check(config, unit)
    [arrays] = training.train_units([unit], config)
    return {name: np.asarray(values).tobytes() for name, values in arrays.items()}


@pytest.fixture(scope="module")
def plain():
    return {kind: bits(table) for kind, table in KINDS.items()}


def forget() -> None:
    """What is compiled, so that it is compiled again under other settings."""
    jax.clear_caches()
    reference.programs.cache_clear()
    programs._program.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["registers", "batched"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_changes_no_bit(name, kind, plain):
    assert PINNED[name] != SETTINGS[name]
    forget()
    with getattr(jax, name)(SETTINGS[name]):
        assert bits(KINDS[kind]) == plain[kind]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_all_of_them_together_change_no_bit(kind, plain):
    forget()
    with ExitStack() as stack:
        for name, value in SETTINGS.items():
            stack.enter_context(getattr(jax, name)(value))
        assert bits(KINDS[kind]) == plain[kind]


@pytest.mark.slow
def test_without_the_pins_a_setting_does_change_bits(plain, monkeypatch):
    """So that the tests above can fail."""
    monkeypatch.setitem(PINNED, "enable_x64", True)
    forget()
    assert bits(KINDS["batched"]) != plain["batched"]


def test_the_settings_of_the_user_are_theirs_again():
    with jax.enable_x64(True), jax.debug_nans(True):
        with pinned():
            assert jax.numpy.ones(1).dtype == "float32" and not jax.config.jax_debug_nans
        assert jax.numpy.ones(1).dtype == "float64" and jax.config.jax_debug_nans


def test_a_platform_that_is_not_there_is_one_line(monkeypatch, capsys, tmp_path):
    def absent(*_):
        raise RuntimeError(
            "Unable to initialize backend 'tpu': no TPU (set JAX_PLATFORMS='' to automatically choose)"
        )

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices.jax, "devices", absent)
    monkeypatch.setenv("JAX_PLATFORMS", "tpu")
    with pytest.raises(ConfigError, match=r"jax does not start: Unable to initialize backend 'tpu': no TPU$"):
        settings.check_shell()
    for command in ("doctor", "bench"):
        assert main([command]) == 2
        assert (
            capsys.readouterr().err
            == "error: jax does not start: Unable to initialize backend 'tpu': no TPU\n"
        )


WRONG = {
    "XLA_FLAGS": (
        "--xla_nonsense=1",
        "XLA_FLAGS = '--xla_nonsense=1': Unknown flag in XLA_FLAGS: --xla_nonsense=1",
    ),
    "NUMBA_NUM_THREADS": (
        "0",
        "numba cannot be imported with the NUMBA_ settings of the shell: Number of threads",
    ),
    "JAX_NUM_CPU_DEVICES": ("0", "jax does not start: "),
    "JAX_PLATFORM_NAME": ("rocm", "jax does not start: Unknown backend"),
    "JAX_ENABLE_X64": ("maybe", "jax cannot be imported: "),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_setting_that_is_not_understood_is_one_line_and_nothing_is_written(name, tmp_path):
    (tmp_path / "c.toml").write_text('model = "sparse-vector"\n[grid]\nN = [9]\nd = [3]\nm = [3]\n')
    value, line = WRONG[name]
    found = subprocess.run(
        [sys.executable, "-m", "mbsim.cli", "run", "c.toml", "--out", "run"],
        cwd=tmp_path, env=os.environ | {name: value}, capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 2, found.stderr
    [told] = found.stderr.splitlines()
    assert told.startswith(f"error: {line}")
    assert os.listdir(tmp_path) == ["c.toml"]


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["cuda", "tpu", "nosuch"])
@pytest.mark.parametrize("command", ["run c.toml --out run", "doctor", "bench"])
def test_a_platform_of_the_shell_that_is_not_there(platform, command, tmp_path):
    (tmp_path / "c.toml").write_text('model = "sparse-vector"\n[grid]\nN = [9]\nd = [3]\nm = [3]\n')
    found = subprocess.run(
        [sys.executable, "-m", "mbsim.cli", *command.split()],
        cwd=tmp_path, env=os.environ | {"JAX_PLATFORMS": platform}, capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 2
    last = found.stderr.splitlines()[-1]
    assert last.startswith(f'error: JAX_PLATFORMS = "{platform}": jax finds no such device here')
    assert last.endswith("unset it, or set JAX_PLATFORMS=cpu") and "Traceback" not in found.stderr
    assert os.listdir(tmp_path) == ["c.toml"]


@pytest.mark.parametrize(
    ("told", "cores"),
    [
        ({"PBS_JOBID": "1.head", "NCPUS": "1"}, 1),
        ({"SLURM_JOB_ID": "1", "SLURM_CPUS_PER_TASK": "1"}, 1),
        ({"JOB_ID": "1", "NSLOTS": "1"}, 1),
        ({"SLURM_JOB_ID": "1"}, 4),
        ({"PBS_JOBID": "1.head", "NCPUS": "64"}, 4),
        ({"NCPUS": "1"}, 4),  # of no job
        ({"JOB_ID": "1", "NSLOTS": "undefined"}, 4),
    ],
)
def test_a_job_uses_the_cores_that_it_was_given(told, cores, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(4)))
    for name in {name for pair in devices.GIVEN for name in pair}:
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert devices.cores() == cores
    with devices.cores_at_most(2):
        assert devices.cores() == min(2, cores)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["run c.toml --out run", "run c.toml --set model=dense-vector --out run", "doctor", "bench"]
)
def test_a_setting_of_the_shell_that_jax_does_not_understand(command, tmp_path):
    (tmp_path / "c.toml").write_text('model = "sparse-vector"\n[grid]\nN = [9]\nd = [3]\nm = [3]\n')
    found = subprocess.run(
        [sys.executable, "-m", "mbsim.cli", *command.split()],
        cwd=tmp_path, env=os.environ | {"JAX_ENABLE_X64": "maybe"}, capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 2
    assert found.stderr.startswith("error: jax cannot be imported: ") and "JAX_ENABLE_X64" in found.stderr
    assert found.stderr.count("\n") == 1 and os.listdir(tmp_path) == ["c.toml"]


FORKED = """
import os, mbsim
grid = {"N": [9], "d": [3], "m": [3]}
discrete = {"model": "sparse-vector", "grid": grid, "dynamics": {"sweeps": 32}}
real = {"model": "dense-vector", "grid": grid | {"m": [2]}, "dynamics": {"steps": 32}}

def in_a_copy(config, folder):
    if os.fork():
        os.wait()
        return
    try:
        print(float(mbsim.run(config, folder, progress=False).overlap.sum()), flush=True)
    except mbsim.MbsimError as error:
        print(error, flush=True)
    os._exit(0)

print(float(mbsim.run(discrete, "first", progress=False).overlap.sum()), flush=True)
in_a_copy(discrete, "second")
import jax.numpy as jnp
jnp.ones(300) @ jnp.ones(300)  # by somebody else, while mbsim has not started JAX
in_a_copy(discrete, "third")
mbsim.run(real, progress=False)
in_a_copy(discrete, "fourth")
"""


@pytest.mark.slow
def test_a_fork_after_jax_has_run_is_an_error_and_no_hang(tmp_path):
    """Where only ±1 weights were trained, on CPU, JAX does not run, and a copy of the process trains as any other."""
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], env=plain_shell(),
        cwd=tmp_path, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    first, second, third, fourth = found.stdout.splitlines()
    if not devices.others():
        assert second == first
    assert third == fourth and third.startswith("this process was forked from one in which jax runs")
    assert not (tmp_path / "third").exists() and not (tmp_path / "fourth").exists()


def plain_shell():
    """An environment that says nothing of devices."""
    return {name: value for name, value in os.environ.items() if not name.startswith(devices.TOLD)}


ASLEEP = """
import sys
import mbsim, mbsim.engines.devices as devices
config = {"model": "sparse-vector", "grid": {"N": [9], "d": [3], "m": [3]}, "dynamics": {"sweeps": 32}}
told = mbsim.run(config, progress=False).attrs["device_kind"]
print(told, {"jax", "jaxlib", "optax"} & set(sys.modules), devices.asleep())
import jax
devices.use_all_cores()
print(jax.local_device_count() == devices.cores(), devices.backend(), devices.asleep())
print(mbsim.run(config, progress=False).attrs["device_kind"] == told)
"""


@pytest.mark.skipif(devices.others(), reason="there may be other devices than CPUs: JAX is asked")
def test_jax_is_not_started_for_the_loops_of_a_cpu():
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASLEEP],
        env=plain_shell(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout == "cpu set() True\nTrue cpu False\nTrue\n"


@pytest.fixture
def asleep(monkeypatch):
    """As in a process that has not imported JAX, on a machine with CPUs alone, in a shell that says nothing."""
    monkeypatch.delitem(sys.modules, "jax")
    monkeypatch.setattr(devices, "others", lambda: False)
    for name in [name for name in os.environ if name.startswith(devices.TOLD)]:
        monkeypatch.delenv(name)
    assert devices.asleep() and devices.backend() == "cpu"


def test_whoever_imports_jax_wakes_it():
    assert not devices.asleep() and devices.backend() == jax.default_backend()


@pytest.mark.usefixtures("asleep")
@pytest.mark.parametrize(
    "name", ["JAX_PLATFORMS", "XLA_FLAGS", "PJRT_NAMES_AND_LIBRARY_PATHS", "TPU_LIBRARY_PATH"]
)
def test_a_shell_that_names_devices_wakes_jax(name, monkeypatch):
    monkeypatch.setenv(name, "something")
    assert not devices.asleep()


@pytest.mark.usefixtures("asleep")
def test_other_devices_wake_jax(monkeypatch):
    monkeypatch.setattr(devices, "others", lambda: True)
    assert not devices.asleep()


@pytest.mark.usefixtures("asleep")
def test_what_jax_leaves_in_the_shell_wakes_no_other_process(monkeypatch):
    program = (
        "import os; before = set(os.environ); import jax; jax.devices(); print(*set(os.environ) - before)"
    )
    left = subprocess.run(
        [sys.executable, "-c", program], env=plain_shell(), capture_output=True, text=True, check=True
    ).stdout.split()
    for name in left:
        monkeypatch.setenv(name, "1")
    assert devices.asleep()


@pytest.mark.parametrize("name", ["jax_plugins", "libtpu"])
def test_code_for_other_devices_is_seen(name, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "NVIDIA", str(tmp_path / "none"))
    monkeypatch.setattr(devices, "MAKERS", str(tmp_path / "none"))
    (tmp_path / name / "one").mkdir(parents=True)  # plugins need no __init__.py
    monkeypatch.syspath_prepend(tmp_path)
    assert devices.others.__wrapped__()


def test_a_plugin_that_only_its_metadata_name_is_seen(tmp_path, monkeypatch):
    place = tmp_path / "other_device-1.0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: other-device\nVersion: 1.0\n")
    (place / "entry_points.txt").write_text("[jax_plugins]\nother = other_device\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert devices.others.__wrapped__()


def test_hardware_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "CODE", ())
    monkeypatch.setattr(devices.importlib.metadata, "entry_points", lambda group: ())
    monkeypatch.setattr(devices, "NVIDIA", str(tmp_path / "nvidiactl"))
    monkeypatch.setattr(devices, "MAKERS", str(tmp_path / "*" / "vendor"))
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "vendor").write_text("0x8086\n")
    assert not devices.others.__wrapped__()
    with monkeypatch.context() as other:
        other.setattr(devices, "NVIDIA", str(tmp_path / "0"))
        assert devices.others.__wrapped__()
    (tmp_path / "0" / "vendor").write_text("0x1ae0\n")
    assert devices.others.__wrapped__()


@pytest.mark.parametrize("share", [None, 1, 64])
def test_an_engine_starts_jax_on_the_cores_that_it_may_use(share):
    """All, or those of a dask worker, each of whose threads may use one: never more than there are."""
    cores = devices.cores()
    program = f"""
from contextlib import nullcontext
from mbsim.engines import devices
from mbsim.engines.settings import on_jax
share = {share}
if share:
    devices.use_share(share)
with devices.cores_at_most(1) if share else nullcontext(), on_jax():
    import jax
    print(jax.local_device_count())
"""
    found = subprocess.run(
        [sys.executable, "-c", program], env=plain_shell() | ({"JAX_PLATFORMS": "cpu"} if devices.others() else {}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(found.stdout) == min(share or cores, cores)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["run", "c.toml", "--dry-run"], ["run", "c.toml"]]
)
def test_a_terminal_that_knows_no_sign(words, tmp_path):
    (tmp_path / "c.toml").write_text(
        'model = "sparse-vector"\ngrid = { N = [9], d = [3], m = [2, 3, 5, 8] }\ndynamics = { sweeps = 32 }\n'
    )
    told = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "COLUMNS": "60"}
    found = subprocess.run(
        [sys.executable, "-m", "mbsim.cli", *words], cwd=tmp_path, env=os.environ | told, capture_output=True
    )
    assert found.returncode == 0 and b"Traceback" not in found.stderr
    assert (found.stdout + found.stderr).isascii()
