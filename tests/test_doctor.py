"""`mbsim doctor` says what a machine has, and finds a jax that gives wrong numbers."""

import itertools
import re

import pytest

from mbsim.cli import main
from mbsim.running import doctor


def test_doctor_says_what_is_there(capsys, monkeypatch):
    from mbsim.engines import known_answers as selfcheck
    from mbsim.engines.batched import known_answers as sgd_selfcheck

    monkeypatch.setattr(selfcheck, "passes", lambda *case: True)
    monkeypatch.setattr(sgd_selfcheck, "passes", lambda kind: True)
    monkeypatch.setattr(doctor, "compile_all", lambda: None)
    code, output = main(["doctor"]), capsys.readouterr().out
    assert code == 0
    for name in ("python", "mbsim", "jax", "jaxlib", "numpy", "memory", "devices", "generator"):
        assert re.search(rf"^{name} +\S", output, re.MULTILINE)
    assert "8 x cpu" in output
    assert output.count("\nok  ") == 7
    for kind in ("dense", "sparse"):
        assert f"ok    known answers of {kind} gradient descent (" in output
    assert output.endswith("this machine is fit to run mbsim\n")


def test_doctor_finds_wrong_numbers(capsys, monkeypatch):
    from mbsim.engines import known_answers as selfcheck
    from mbsim.engines.batched import known_answers as sgd_selfcheck

    def broken(kind, *rest):
        if kind == "scalar":
            raise RuntimeError("driver is gone\nand more")
        return False

    monkeypatch.setattr(selfcheck, "passes", broken)
    monkeypatch.setattr(sgd_selfcheck, "passes", lambda kind: kind == "sparse")
    monkeypatch.setattr(doctor, "compile_all", lambda: None)
    monkeypatch.setattr(doctor, "wrong_sums", lambda: 7232)
    monkeypatch.setattr(doctor, "version", lambda package: "0.10.2")
    code, output = main(["doctor"]), capsys.readouterr().out
    assert code == 1
    assert output.count("\nFAIL") == 6
    assert "FAIL  known answers of dense gradient descent" in output
    assert "ok    known answers of sparse gradient descent" in output
    assert "jax 0.10.2 gives wrong float32 products on CPU (jax issue 39103): pip install 'jax" in output
    assert "RuntimeError: driver is gone\n" in output
    assert "7232 of 40000" in output
    assert "use another version of jax (jax" in output


def test_doctor_says_that_numba_is_switched_off(monkeypatch):
    from mbsim.engines import drawing

    monkeypatch.setattr(drawing, "compiles", lambda: False)
    told = {check.name: check.problem for check in itertools.islice(doctor.checks(), 3)}
    for kind in ("vector", "scalar"):
        assert "unset NUMBA_DISABLE_JIT" in told[f"known answers of the {kind} kernel"]


@pytest.mark.parametrize("version", ["0.10.2", "0.11.0", "0.11.1"])
def test_excluded_versions_are_those_of_the_package(version):
    assert doctor.version_problem(version)
    assert f"!={version}" in doctor.wanted_jax()
    assert not doctor.version_problem("0.10.1")


def test_sums_are_checked_against_exact_numbers(monkeypatch):
    import jax

    assert doctor.wrong_sums() == 0
    compiled = jax.jit
    monkeypatch.setattr(jax, "jit", lambda function: lambda *args: compiled(function)(*args).at[5].add(1))
    assert doctor.wrong_sums() == jax.local_device_count()
