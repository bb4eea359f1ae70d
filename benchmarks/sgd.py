"""One table: mbsim's gradient descent against PyTorch's forms, and against JAX's own matrix products.

    python benchmarks/sgd.py [--seconds S] [--N 64 256] [--m 1 16 256] [--students 64 256 1024]
    python benchmarks/sgd.py --device cuda [--tf32] [--peak GFLOPS]

All in one run, in turn, on one core (an accelerator if asked). The students are those of `torch_sgd.py`:
dense, N inputs, hidden units and outputs, tanh, both layers trained on fresh ±1 inputs; mbsim's teacher is
sparse, its rate is of `advance` from call to result, so with the drawing of examples and the check for
divergence. "of JAX's" is mbsim's arithmetic, 10 m N^2 operations a step, over the rate of one batched product
(students, m, N) x (students, N, N) by itself, as `jax.jit(jnp.matmul)` does it.

On CPU times are CPU seconds of the process, on an accelerator the wall clock; each rate is the best of three.
Products are in float32, or in tf32 if asked; given the device's peak in Gflop/s at that precision, the second
table shows what part of it mbsim makes.
"""

import argparse
import os
import time
from collections.abc import Callable

# One core, really: beside a single device XLA hands parts of small operations to a second thread, which costs
# twice the CPU time and is no faster (measured). Runs of mbsim have a device a core, and no thread to spare.
os.environ.setdefault("NPROC", "1")

import jax

jax.config.update("jax_num_cpu_devices", 1)  # before jax looks for devices: one core

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch_sgd  # noqa: E402
from torch_sgd import PROGRAMS, Case, Row, arithmetic  # noqa: E402

from mbsim.engines.batched import ensemble as sgd_ensemble  # noqa: E402
from mbsim.engines.batched import programs as compiled  # noqa: E402
from mbsim.engines.batched.programs import programs  # noqa: E402
from mbsim.engines.batched.setting import tables_of  # noqa: E402
from mbsim.engines.mesh import student_mesh  # noqa: E402
from mbsim.engines.networks import stacked  # noqa: E402
from mbsim.physics import teachers  # noqa: E402

TURNS = 3
DEGREE = 5
SEED = 1


def clock() -> float:
    """CPU seconds of the process, or the wall clock of an accelerator."""
    return time.process_time() if jax.devices()[0].platform == "cpu" else time.perf_counter()


def best_rate(work: Callable[[int], None], seconds: float) -> float:
    """Calls per second of `work(number of calls)`, the best of three turns of about `seconds`."""

    def turn(count: int) -> float:
        began = clock()
        work(count)
        return clock() - began

    turn(1)
    count, taken = 1, turn(1)
    while taken < seconds / 2:
        count = max(count + 1, int(count * min(10, seconds / max(taken, 1e-6))))
        taken = turn(count)
    return count / min(taken, *(turn(count) for _ in range(TURNS - 1)))


def mbsim_rate(case: Case, seconds: float) -> float:
    """Student-steps per second of `advance` on one device."""
    N, students = case.N, case.students
    teacher = stacked([teachers.draw_real_teacher(N, N, N, DEGREE, True, False, SEED, 0)])
    shape = sgd_ensemble.shape_of(teacher, N, dense=True, train_output=True, activation="tanh")
    dynamics = sgd_ensemble.Sgd()
    setting = sgd_ensemble.setting_of(shape, dynamics, case.m, 256)
    compiled = programs(setting, 1, students, student_mesh(jax.devices()[:1]))
    number = np.zeros(1, int)
    labels = sgd_ensemble.SgdLabels(
        np.zeros(students, int),
        np.full(students, case.m),
        np.arange(students),
        np.full(students, torch_sgd.LR),
    )
    given = sgd_ensemble.students_of(labels, dynamics, shape, seed=SEED, numbers=number)
    tables, given, one = jax.device_put((tables_of(teacher, shape), given, np.int32(1)))
    state, step = compiled.init(given), 0

    def work(chunks: int) -> None:
        nonlocal state, step
        stop = step + chunks * setting.chunk
        state = compiled.advance(state, tables, given, np.int32(step), np.int32(stop), one)
        state.diverged.block_until_ready()
        step = stop

    return best_rate(work, seconds) * setting.chunk * students


def matmul_flops(case: Case, seconds: float) -> float:
    """Operations per second of JAX's batched matrix product of the first layer's shape."""
    x, w = jnp.ones((case.students, case.m, case.N)), jnp.ones((case.students, case.N, case.N))
    product = jax.jit(jnp.matmul)

    def work(count: int) -> None:
        for _ in range(count):
            product(x, w).block_until_ready()

    return best_rate(work, seconds) * 2 * case.students * case.m * case.N**2


def main() -> None:
    """Print a line as it is measured, then both tables."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn, at least")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--tf32", action="store_true", help="tf32 products, on an accelerator")
    parser.add_argument("--peak", type=float, help="of the device, in Gflop/s: adds a column")
    for name, sizes in (("N", (64, 256)), ("m", (1, 16, 256)), ("students", (64, 256, 1024))):
        parser.add_argument(f"--{name}", type=int, nargs="+", default=sizes)
    options = parser.parse_args()
    jax.config.update("jax_platforms", options.device)
    compiled.PRECISION = "tensorfloat32" if options.tf32 else "highest"
    jax.config.update("jax_default_matmul_precision", compiled.PRECISION)
    torch.set_float32_matmul_precision("high" if options.tf32 else "highest")
    torch_sgd.check(options.device)
    rows, shares = [], []
    for case in (Case(N, m, students) for N in options.N for m in options.m for students in options.students):
        own = mbsim_rate(case, options.seconds)
        rows += [torch_sgd.measure(name, case, options.seconds, options.device) for name in PROGRAMS]
        rows.append(Row(case, "mbsim", own))
        flops, ceiling = own * arithmetic(case) / 1e9, matmul_flops(case, options.seconds) / 1e9
        cells = *(f"{size}" for size in case), f"{flops:.3g}", f"{ceiling:.3g}", f"{flops / ceiling:.0%}"
        of_peak = () if options.peak is None else (f"{flops / options.peak:.0%}",)
        shares.append("| " + " | ".join((*cells, *of_peak)) + " |")
        print(torch_sgd.table(rows).splitlines()[-1], shares[-1], flush=True)
    precision = "tf32" if options.tf32 else "float32"
    print(f"\nThousands of student-steps per second, {options.device}, {precision}, jax {jax.__version__}.\n")
    print(torch_sgd.table(rows))
    of_peak = "" if options.peak is None else " of peak |"
    print(f"\n| N | m | students | mbsim, Gflop/s | JAX's product, Gflop/s | of JAX's |{of_peak}")
    print("|" + " ---: |" * (6 if options.peak is None else 7))
    print("\n".join(shares))


if __name__ == "__main__":
    main()
