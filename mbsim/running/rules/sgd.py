"""Gradient descent for real weights, as the pipeline sees it: units of work to labelled results."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from mbsim.running.moments import success, tail_moments

if TYPE_CHECKING:
    from mbsim.config.configuration import Config
    from mbsim.engines.batched.ensemble import Sgd
    from mbsim.plan.units import Unit

AXES = {"lr": ("learning rate", "1")}
TIME = "step", "steps"
WORK = "step", "steps"
SERIES = {"loss": "training loss, on the mini-batch before it is used"}

DIVERGED = 2  # of `status`


def check(config: "Config", units: "Iterable[Unit]") -> None:
    """Nothing that the configuration has not been checked for."""


def unit_bytes(unit: "Unit", config: "Config", times: np.ndarray) -> int:
    """Records, final weights, and what trains on a CPU device: its states, and the work of one lane."""
    from mbsim.engines.batched import ensemble as sgd_ensemble
    from mbsim.engines.batched import memory as sgd_memory
    from mbsim.engines.batched.networks import RealShape

    model = config.model
    dense = model.student == "dense"
    readers = 0 if dense or unit.M == 1 else unit.d * (unit.M // unit.K + 1) + 8
    hidden = unit.K if model.student_hidden is None else model.student_hidden
    assert model.activation is not None  # filled in when the configuration was loaded
    assert config.measure.test_size is not None
    shape = RealShape(
        unit.N,
        unit.K,
        unit.M,
        unit.d,
        hidden,
        dense,
        model.train_output,
        model.activation,
        model.scaling == "ntk",
        readers,
    )
    setting = sgd_ensemble.setting_of(shape, dynamics_of(unit, config), unit.m[-1], config.measure.test_size)
    records = unit.lanes * len(times) * 8 * 8
    return records + unit.lanes * 4 * shape.weights + sgd_memory.launch_bytes(setting, unit.lanes, True)


def work_of(unit: "Unit", config: "Config") -> int:
    """Number of steps in a unit, all lanes together."""
    return config.dynamics.length * unit.lanes


def dynamics_of(unit: "Unit", config: "Config") -> "Sgd":
    """How the unit's students are trained, in the words of the kernel."""
    from mbsim.config.configuration import SgdDynamics
    from mbsim.engines.batched.ensemble import Sgd
    from mbsim.physics.optimisers import Optimizer

    model, dynamics = config.model, config.dynamics
    assert isinstance(dynamics, SgdDynamics)
    assert model.inputs is not None
    assert model.noise is not None
    return Sgd(
        optimizer=Optimizer(dynamics.optimizer, dynamics.momentum),
        lr_scaling=dynamics.lr_scaling,
        mup=dynamics.lr_multipliers == "mup",
        inputs=model.inputs,
        noise=model.noise,
        examples=unit.examples,
        sampling="epochs" if config.data is None else config.data.sampling,
    )


def order_parameter(config: "Config") -> str:
    """The overlap of the outputs: networks of real weights may agree with the teacher unit by unit or
    otherwise.
    """
    return "output_overlap_mean"


def train_unit(
    unit: "Unit", config: "Config", times: np.ndarray, progress: Callable[[int], None]
) -> dict[str, np.ndarray]:
    """Train the lanes of one unit on all devices; arrays as `variables.unit_arrays` takes them.

    A lane has learned when its error is at most the threshold, and not once it has diverged. Moments of the
    error are those of min(error, 1), 1 being that of the best constant answer: what explodes or diverges has
    failed, and by how much must not weigh on a mean.
    """
    from mbsim.engines.batched.ensemble import SgdLabels, shape_of, train
    from mbsim.engines.batched.networks import draw_real_teacher

    model, seed = config.model, config.run.seed
    normal_weights = model.teacher_weights == "normal"
    sizes = unit.N, unit.K, unit.M, unit.d
    teacher = draw_real_teacher(*sizes, model.train_output, normal_weights, seed, unit.teacher)
    assert model.activation is not None  # filled in when the configuration was loaded
    assert config.measure.test_size is not None
    shape = shape_of(
        teacher,
        unit.N,
        dense=model.student == "dense",
        train_output=model.train_output,
        activation=model.activation,
        ntk=model.scaling == "ntk",
        student_hidden=model.student_hidden,
    )
    lr, m, replica = (
        grid.ravel() for grid in np.meshgrid(unit.lr, unit.m, range(unit.replicas), indexing="ij")
    )
    records, _ = train(
        teacher,
        shape,
        SgdLabels(m, replica, lr),
        times,
        dynamics_of(unit, config),
        seed=seed,
        teacher_label=unit.teacher,
        test_size=config.measure.test_size,
        progress=progress,
    )
    series = {name: values for name, values in records._asdict().items() if name != "diverged"}
    # A diverged student is worth a guess, however well it stood before.
    error = np.where(records.diverged, 1, np.minimum(series["generalization_error"], 1))
    capped = series | {"generalization_error": error}
    threshold = config.measure.success_threshold
    learned = (series["generalization_error"] <= threshold) & ~records.diverged
    lanes = tail_moments(capped, times, guess=1.0) | success(learned, times)
    lanes["status"] = np.where(records.diverged[:, -1], DIVERGED, lanes["status"]).astype(np.int8)
    return series | lanes


def self_check(unit: "Unit", config: "Config") -> tuple[str, bool]:
    """Name of the kernel that the unit needs, and whether it gives its known answer."""
    from mbsim.engines.batched import known_answers as sgd_selfcheck

    kind = config.model.student
    return f"{kind} gradient descent", sgd_selfcheck.passes(kind)
