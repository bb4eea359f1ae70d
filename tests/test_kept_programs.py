"""Programs of the Pallas engine that an earlier process left behind: run without compiling, and only if whole."""

import jax
import numpy as np
import pytest

from mbsim.engines.mesh import student_mesh
from mbsim.engines.networks import Shape
from mbsim.engines.pallas import kept_programs, layout, programs
from mbsim.engines.pallas.kernels import Size
from mbsim.engines.pallas.targets import Target
from mbsim.engines.registers import kept


@pytest.fixture
def apart(tmp_path, monkeypatch):
    """A folder for programs, which are kept although they run on CPU."""
    monkeypatch.setattr(kept, "folder", lambda: tmp_path)
    monkeypatch.setattr(kept_programs, "keeps", lambda mesh: True)
    return tmp_path


def plan(m: int = 8) -> programs.Plan:
    target, shape = Target("gpu", interpret=True), Shape(12, 12, 12, 3, 3, True, True)
    of = layout.layout_for(target, shape, m, 64)
    return programs.Plan(Size(target, shape, of, 0, 1, 1), 32, None, True, True)


def initial(m: int = 8) -> list[np.ndarray]:
    """The weights that a new process draws."""
    programs._once.cache_clear()
    mesh, wanted = student_mesh(jax.devices("cpu")[:1]), plan(m)
    given = jax.tree.map(lambda a: np.full(a.shape, 1, a.dtype), programs.arguments(wanted, mesh)["init"])
    return list(map(np.asarray, programs.program(wanted, mesh, "init")(*given)))


def test_a_program_that_was_kept_is_not_compiled_again(apart, monkeypatch):
    first = initial()
    [file] = apart.iterdir()
    with monkeypatch.context() as changed:
        changed.delattr(programs, "mapped")
        second = initial()
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    content = bytearray(file.read_bytes())
    content[-100] ^= 1  # neither is half a file used
    file.write_bytes(content)
    np.testing.assert_array_equal(initial()[0], first[0])
    with monkeypatch.context() as changed:
        changed.delattr(programs, "mapped")
        initial()  # what was broken has been replaced
    file.chmod(0o666)  # nor what others may have written
    with monkeypatch.context() as changed:
        changed.delattr(programs, "mapped")
        with pytest.raises(NameError):
            initial()


def test_another_plan_or_source_is_another_program(apart, monkeypatch):
    initial()
    initial(m=16)
    assert len(list(apart.iterdir())) == 2
    monkeypatch.setattr(kept_programs, "_circumstances", lambda: "other sources")
    initial()
    assert len(list(apart.iterdir())) == 3
