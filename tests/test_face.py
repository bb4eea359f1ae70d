"""The Python face: what `import mbsim` offers, how it shows progress, and how it refuses."""

import ast
import doctest
import importlib
import inspect
import io
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import xarray as xr
from made_up import run_folder
from nbclient import NotebookClient

import mbsim
import mbsim.face
from mbsim.running import display, runner

CONFIG = {
    "model": "sparse-vector",
    "grid": {"N": [9], "d": [3], "m": [2, 4], "teachers": 1, "replicas": 2},
    "dynamics": {"sweeps": 32},
}
ENDLESS: dict = {"model": "sparse-vector"}
ENDLESS["grid"] = ENDLESS
PACKAGE = Path(mbsim.__file__).parent
HEAVY = ("jax", "numpy", "xarray", "scipy", "matplotlib", "pydantic")


def python(code: str) -> str:
    """What a Python program prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


# -- what there is


def test_everything_is_shown_and_there():
    for name in mbsim.__all__:
        assert getattr(mbsim, name) is not None
        assert name in dir(mbsim)
    for error in ("ConfigError", "DatasetError", "DiskFull", "RegistrationError", "RunFolderError"):
        assert issubclass(getattr(mbsim, error), mbsim.MbsimError)
    assert issubclass(mbsim.UnitsFailed, mbsim.MbsimError)
    assert issubclass(mbsim.SelfCheckFailed, mbsim.MbsimError)
    assert mbsim.__version__.startswith("0.")
    with pytest.raises(AttributeError, match="has no attribute 'runn'"):
        _ = mbsim.runn


def test_a_name_stays_what_it_is_when_submodules_are_imported():
    import mbsim.running.runner
    import mbsim.theory.linear

    for name in ("run", "open_run", "export", "load_config", "observable", "activation", "optimizer"):
        assert inspect.isfunction(getattr(mbsim, name))
        assert inspect.getdoc(getattr(mbsim, name))
    assert list(inspect.signature(mbsim.run).parameters) == [
        "config", "out", "overrides", "progress", "report", "dask", "engine", "part"
    ]  # fmt: skip


def test_importing_is_fast_and_reading_starts_no_jax(tmp_path):
    loaded = "print(*[name for name in sys.modules if '.' not in name])"
    names = python(f"import sys, mbsim; dir(mbsim); mbsim.__version__; {loaded}").split()
    assert not set(HEAVY) & set(names)
    folder = run_folder(tmp_path / "run")
    names = python(f"import sys, mbsim; mbsim.open_run({str(folder)!r}).mbsim; {loaded}").split()
    assert "xarray" in names
    assert "jax" not in names


def test_what_is_offered_is_declared_for_type_checkers():
    """`make lint` then checks that each is where the declaration says."""
    assert (PACKAGE / "py.typed").exists()
    body = ast.parse((PACKAGE / "__init__.py").read_text()).body
    [block] = [node.body for node in body if isinstance(node, ast.If)]
    imported = [(node.module, alias.name) for node in block[:-1] for alias in node.names]
    assert sorted([name for _, name in imported] + ["__version__"]) == mbsim.__all__
    for home, name in imported:
        assert getattr(mbsim, name) is getattr(importlib.import_module(home), name)


@pytest.mark.slow
def test_type_checkers_see_what_they_are(tmp_path):
    uses = ["import mbsim", "from mbsim.running.runner import check"]
    uses += [f"reveal_type(mbsim.{name})" for name in mbsim.__all__]
    uses += ['mbsim.Config(model="sparse-vector", grid={"N": [9], "d": [3], "m": [2]})']
    (tmp_path / "uses.py").write_text("\n".join(uses))
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(tmp_path / "uses.py")]
    said = subprocess.run(command, capture_output=True, text=True, cwd=PACKAGE.parent, check=False).stdout
    assert " error: " not in said
    assert said.count("Revealed type") == len(mbsim.__all__)
    assert 'Revealed type is "Any"' not in said


# -- run


@pytest.fixture
def quick(monkeypatch):
    """Reports as if it trained; returns what it was given."""
    given = {}

    def run(config, out, **options):
        given.update(options, config=config, out=out)
        start = mbsim.Progress(0, 2, 0, 100, 0, "checking known answers")
        for now in (start, start._replace(proposals_done=50, doing="training N = 9"), start):
            if options["report"]:
                options["report"](now)
        if options["report"]:
            options["report"](start._replace(units_done=2))
        return xr.Dataset()

    monkeypatch.setattr(runner, "run", run)
    return given


class Recorder:
    """A display that keeps what it is shown."""

    def __init__(self):
        self.shown, self.closed = [], False

    def show(self, report):
        self.shown.append(report)

    def close(self):
        self.closed = True


def test_progress_is_shown_until_the_end_and_handed_on(quick, monkeypatch):
    recorder, told = Recorder(), []
    monkeypatch.setattr(display, "best_display", lambda patient: recorder)
    mbsim.run(CONFIG, report=told.append)
    assert len(told) == 4
    assert recorder.shown == told[:3]  # when all is done there is nothing to wait for
    assert recorder.closed
    assert quick["config"] == mbsim.load_config(CONFIG)
    mbsim.run(CONFIG, engine="reference")
    assert quick["config"].run.engine == "reference"


def test_the_display_is_closed_when_the_run_fails(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(display, "best_display", lambda patient: recorder)

    def fail(*_, **__):
        raise mbsim.UnitsFailed("one failed")

    monkeypatch.setattr(runner, "run", fail)
    with pytest.raises(mbsim.UnitsFailed):
        mbsim.run(CONFIG)
    assert recorder.closed


def test_a_short_run_in_a_script_says_nothing_and_a_silent_one_never_does(quick, capsys, monkeypatch):
    mbsim.run(CONFIG)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(display, "best_display", None)
    mbsim.run(CONFIG, progress=False)
    assert quick["report"] is None


@pytest.mark.slow
def test_a_run_that_was_trained_has_the_accessor():
    ds = mbsim.run(CONFIG, overrides=["grid.m=[2]"], progress=False)
    assert ds.sizes["m"] == 1
    assert ds.mbsim is not None
    xr.testing.assert_identical(ds, runner.run(CONFIG, overrides=("grid.m=[2]",)))


def test_a_notebook_shows_one_output_and_takes_it_away(tmp_path):
    """On the kernel that tests have, which is one without widgets."""
    show = """
    from mbsim import Progress
    from mbsim.running import display
    shown = display.best_display(patient=True)
    shown.EVERY = 0
    print(type(shown).__name__)
    shown.show(Progress(3, 12, 27, 100, 0, "training N < 64", seconds=10.0, timed=20))
    shown.show(Progress(6, 12, 50, 100, 0, "training N < 64", seconds=10.0, timed=20))
    """
    cells = [nbformat.v4.new_code_cell(inspect.cleandoc(show)), nbformat.v4.new_code_cell("shown.close()")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    with client.setup_kernel():
        client.execute_cell(cells[0], 0)
        name, bar = cells[0].outputs
        assert name["text"] == "NotebookBar\n"
        assert bar["data"]["text/plain"] == (
            "training N < 64\n" + "━" * 12 + "─" * 12 + "  50%  6/12 units  2 proposals/s  25 s left"
        )
        assert "training N &lt; 64" in bar["data"]["text/html"]
        client.execute_cell(cells[1], 1)
    assert [output["data"]["text/plain"] for output in cells[0].outputs[1:]] == [""]
    assert not cells[1].outputs


# -- one line each


@pytest.mark.parametrize(
    ("call", "error", "line"),
    [
        (lambda: mbsim.run(xr.Dataset()), mbsim.ConfigError, "config: must be the path of a TOML file, a "
         "dict or a Config, not a Dataset"),
        (lambda: mbsim.run(3), mbsim.ConfigError, "config: must be the path of a TOML file, a dict or a "
         "Config, not int"),
        (lambda: mbsim.load_config(None), mbsim.ConfigError, "config: must be the path of a TOML file, a "
         "dict or a Config, not NoneType"),
        (lambda: mbsim.run(CONFIG, 5), mbsim.RunFolderError,
         "out: must be the path of a run folder, or None, not an int"),
        (lambda: mbsim.run(CONFIG, overrides=None), mbsim.ConfigError,
         'overrides: must be a list of texts, such as ["grid.d=[3,5]"], not a NoneType'),
        (lambda: mbsim.run(CONFIG, report=5), mbsim.ConfigError,
         "report: must be a function of a Progress, or None, not an int"),
        (lambda: mbsim.run(CONFIG, dask=5), mbsim.ConfigError,
         'dask: must be an address such as "tcp://head:8786", or None, not an int'),
        (lambda: mbsim.run(CONFIG, "run", part=1), mbsim.ConfigError,
         'part: must be a text such as "3/16", "auto", or None, not an int'),
        (lambda: mbsim.run(CONFIG, ""), mbsim.RunFolderError, "run folder '': must name a folder"),
        (lambda: mbsim.run(CONFIG, "a\0b"), mbsim.RunFolderError, "run folder 'a\\x00b': must name a folder"),
        (lambda: mbsim.open_run(""), mbsim.RunFolderError, "run folder '': must name a folder"),
        (lambda: mbsim.load_config(ENDLESS), mbsim.ConfigError,
         "config: is nested too deeply, or a table holds itself"),
        (lambda: mbsim.Config(**ENDLESS), mbsim.ConfigError,
         "config: is nested too deeply, or a table holds itself"),
        (lambda: mbsim.concat(np.array(3)), mbsim.DatasetError,
         "datasets: must be a list of datasets, not ndarray"),
        (lambda: mbsim.concat(3), mbsim.DatasetError, "datasets: must be a list of datasets, not int"),
        (lambda: mbsim.open_run(xr.Dataset()), mbsim.RunFolderError,
         "path: must be the path of a run folder, not a Dataset"),
        (lambda: mbsim.export("runs/x", "x.nc"), mbsim.DatasetError,
         "dataset: must be an xarray.Dataset, not the text 'runs/x'; open a run folder with mbsim.open_run"),
        (lambda: mbsim.export(xr.DataArray([1]), "x.nc"), mbsim.DatasetError,
         "dataset: must be an xarray.Dataset, not a DataArray"),
        (lambda: mbsim.export(xr.Dataset(), io.BytesIO()), mbsim.DatasetError,
         "path: must be the path of a file to write, not a BytesIO"),
    ],
)  # fmt: skip
def test_what_is_something_else_is_refused_in_one_line(call, error, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        call()
    assert caught.value.lines == (line,)
    assert not list(tmp_path.iterdir())


def lines_of(call) -> tuple[str, ...]:
    with pytest.raises(mbsim.ConfigError) as caught:
        call()
    return caught.value.lines


def test_overrides_of_a_call_are_named_as_such():
    [line] = lines_of(lambda: mbsim.run(CONFIG, engine="refrence"))
    assert line.startswith('engine: run.engine = "refrence": must be one of ')
    assert line.endswith('nearest is "reference"')
    assert lines_of(lambda: mbsim.run(CONFIG, overrides=["grid.d=[4]"])) == (
        "overrides: grid.d = 4: must be odd with ±1 weights, so that no sum is zero",
    )
    assert lines_of(lambda: mbsim.load_config(CONFIG, ["grid.n=3", "nonsense", 3])) == (
        "overrides: grid.n = 3: unknown key; nearest valid key is grid.N",
        "overrides nonsense: must be KEY=VALUE, for example grid.d=[3,5]",
        "overrides 3: must be KEY=VALUE, for example grid.d=[3,5]",
    )


def test_a_config_is_built_from_keywords():
    config = mbsim.Config(**CONFIG)
    assert config == mbsim.load_config(CONFIG)
    numbers = {**CONFIG["grid"], "N": np.array([9]), "m": range(2, 6, 2)}
    assert mbsim.Config(**{**CONFIG, "grid": numbers}) == config
    assert mbsim.Config.model_validate(CONFIG) == config


def test_a_config_says_in_lines_what_is_wrong():
    assert lines_of(lambda: mbsim.Config(**{**CONFIG, "model": "sparse-vektor"}))[0].startswith(
        'model = "sparse-vektor": must be one of'
    )
    assert lines_of(lambda: mbsim.Config(**CONFIG, sede=3)) == (
        "sede = 3: unknown key; nearest valid key is run.seed",
    )
    wrong = {**CONFIG, "grid": {"N": [9], "d": [4], "m": [0]}}
    assert [line[:9] for line in lines_of(lambda: mbsim.Config(**wrong))] == ["grid.m = "]
    assert lines_of(lambda: mbsim.Config.model_validate(3)) == (
        "config: must be a dict or a Config, not int",
    )


@pytest.mark.slow
def test_examples_run():
    assert doctest.testmod(mbsim.face).failed == 0
