"""Gradient descent compiled for devices that are not there: every program, and kernels of a step."""

import time
from typing import Any, NamedTuple

import aot_devices as devices
import aot_programs as read
import jax

from mbsim.engines.batched import programs
from mbsim.engines.batched.inputs import Inputs
from mbsim.engines.batched.setting import RealShape, SgdSetting
from mbsim.physics.optimisers import Optimizer
from mbsim.sampling.example_sets import Sampling

STUDENTS, TEACHERS = {"gpu": 1024, "tpu": 128}, 16
STEP_KERNELS, TPU_SECONDS = 12, 30


class Case(NamedTuple):
    """Students of one kind, with m examples in a batch; inputs, optimiser and training set as in `SgdSetting`."""

    title: str
    shape: RealShape
    m: int
    inputs: Inputs = "sign"
    optimizer: Optimizer = Optimizer("sgd", 0.0)
    sampling: Sampling | None = None


PROGRAMS = programs.SgdPrograms._fields
DENSE = RealShape(64, 64, 64, 3, 64, True, True, "tanh", False, 0)
CASES = (
    Case("SGD, dense, N=64 d=3 m=8", DENSE, 8),
    Case("SGD, sparse, N=64 d=3 m=8", DENSE._replace(dense=False, readers=3), 8),
    Case("SGD, dense, one output, N=64 d=3 m=64", DENSE._replace(M=1), 64),
    Case("SGD with momentum, dense, normal inputs", DENSE, 8, "normal", Optimizer("sgd", 0.9)),
    Case("Adam, dense, set in epochs", DENSE, 8, optimizer=Optimizer("adam"), sampling="epochs"),
)


def read_case(kind: str, case: Case, program: str) -> tuple[tuple[Any, ...], list[str]]:
    """Case, program, kernels, waits, memory, seconds, what a step is; and the budgets that it breaks."""
    mesh = devices.mesh_for(kind)
    setting = SgdSetting(case.shape, case.m, case.inputs, case.optimizer, 256, case.sampling)
    began = time.process_time()
    jitted, arguments = programs.program(program, setting, TEACHERS, STUDENTS[kind], mesh)
    with jax.default_matmul_precision("highest"):
        compiled = jitted.trace(*arguments).lower(lowering_platforms=(devices.PLATFORMS[kind],)).compile()
    seconds = time.process_time() - began
    text, size = compiled.as_text(), compiled.memory_analysis()
    used = size.argument_size_in_bytes + size.temp_size_in_bytes
    counted, broken, of_step = read.launches(text), [], ""
    step = read.of_a_step(text) if program == "advance" else 0
    if step:
        of_step = f"{step} kernels a step, examples drawn for {setting.chunk} steps at a time"
    if kind == "gpu" and step > STEP_KERNELS:
        broken.append(f"{case.title}: {step} kernels a step, {STEP_KERNELS} are allowed")
    if kind == "tpu" and seconds > TPU_SECONDS:
        broken.append(
            f"{case.title}: {program} compiled in {seconds:.0f} s of a processor, {TPU_SECONDS} are allowed"
        )
    row = (
        f"{case.title} ({STUDENTS[kind]:,} students of {TEACHERS} teachers)",
        program,
        str(counted.kernels),
        str(counted.waits) if kind == "gpu" else "",
        f"{used / 2**20:,.0f} MiB",
        seconds,
        of_step,
    )
    return row, [f"{devices.NAMES[kind]}, {fault}" for fault in broken]
