"""Small runs on disk without training: configurations, made-up results of their units, folders filled with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mbsim.config import Config, load_config
from mbsim.data import provenance as prov
from mbsim.data.store import RunFolder
from mbsim.data.variables import contents_of
from mbsim.errors import RunFolderError
from mbsim.plan import units as plan
from mbsim.plan.units import Unit


def trained(model: str, m: list[int], hot: float) -> dict:
    grid = {"N": [9], "d": [3], "m": m, "teachers": 2, "replicas": 3}
    return {
        "model": model,
        "grid": grid | {"init_overlap": [0.0, 1.0], "temperature": [0.0, hot]},
        "dynamics": {"sweeps": 40},
        "measure": {"measurements": 14},
    }


CONFIG = trained("sparse-vector", [4, 20], 1.0)
SCALAR = trained("sparse-scalar", [130, 250], 50.0)

PROVENANCE = {field: f"<{field}>" for field in prov.FIELDS} | {"prng": prov.generator(load_config(CONFIG))}


def small_config(**grid) -> Config:
    """Four work units, one for each (N, d)."""
    table = {"N": [9, 11], "d": [3, 5], "m": [4, 6, 40], "teachers": 2, "replicas": 3} | grid
    return load_config({"model": "sparse-vector", "grid": table, "dynamics": {"sweeps": 32}})


def result_of(unit: Unit, times: int, salt: int = 0) -> dict[str, np.ndarray]:
    """Random numbers that follow from the unit's labels, with some NaN."""
    random = np.random.default_rng([unit.N, unit.d, unit.first_teacher, unit.m[0], salt])
    result: dict[str, np.ndarray] = {}
    for name, variable in contents_of(unit).variables().items():
        if name in ("success", "status"):
            result[name] = random.integers(0 if name == "success" else 1, 2, unit.shape).astype(np.int8)
            continue
        shape = (*unit.shape, times) if "time" in variable.dims else unit.shape
        values = random.random(shape)
        values[random.random(shape) < 0.1] = np.nan
        result[name] = values.astype(variable.dtype)
    return result


def fill(folder: RunFolder, todo=None, salt: int = 0) -> None:
    folder.prepare()
    for unit in folder.units if todo is None else todo:
        folder.write(unit, result_of(unit, len(folder.times), salt), folder.times, PROVENANCE)


@contextmanager
def finely_cut(teachers: int = 1) -> Iterator[None]:
    """Work units of few teachers, however little work they are."""
    before = plan.MOST_TEACHERS
    plan.MOST_TEACHERS = teachers
    plan.cut.cache_clear()
    try:
        yield
    finally:
        plan.MOST_TEACHERS = before
        plan.cut.cache_clear()


def contents(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def error_line(path: Path, config: Config | None = None) -> str:
    """The one line with which a folder is refused, having checked that nothing was written."""
    before = contents(path.parent) if path.parent.is_dir() else {}
    with pytest.raises(RunFolderError) as caught:
        RunFolder.create_or_open(path, config) if config else RunFolder.open(path)
    if path.parent.is_dir():
        assert contents(path.parent) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)
