"""Online SGD of dense two-layer students in PyTorch, written three ways: what mbsim's speed is held against.

    python benchmarks/torch_sgd.py [--seconds S] [--N 64 256] [--m 1 16 256] [--students 64 256 1024]

The student is f(x) = tanh(x w) v with N inputs, N hidden units and N outputs, float32, both layers trained. A
step draws m fresh ±1 inputs for each student, asks the teacher, and moves the weights down the slope
of |f - y|^2 / 2 averaged over the batch. The forms differ in how they hold and differentiate the students:

    loop    one replica after the other, by `torch.autograd`, updated in place without an optimiser's overhead
    bmm     all students in batched matrix products, gradients by hand, every buffer made once and reused
    blocks  bmm on 1, 4, 16 or 64 students, whatever is fastest, one block trained to its end after the other:
            where the weights of all students together do not fit the caches
    vmap    all students by `torch.func.vmap(grad)` of the loss of one student

All draw signs from raw random bits, 64 of an integer by in-place `random_`: a tenth of the time of
`random_(2)` on floats, a fortieth of `bernoulli_` (measured). The teacher is a dense matrix product over all
students at once, 4 of 14 parts of the arithmetic; gathering the inputs of a sparse one, 3 to 9 links a unit,
took 2 to 5 times as long (measured). `torch.compile` of bmm or vmap was at most as fast as bmm (measured),
and is left out.

On CPU one thread, and CPU time, which others on the machine do not disturb; on an accelerator the wall clock.
Each rate is the fastest of three turns. A student-step is one update of one student.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

LR = 0.01
TURNS = 3
SHIFTS = torch.arange(32, dtype=torch.int32)
SIGN_BIT, ONE = (torch.tensor(bits, dtype=torch.int32) for bits in (-(2**31), 0x3F800000))


class Case(NamedTuple):
    """N inputs, hidden units and outputs; m examples a step; students trained at once."""

    N: int
    m: int
    students: int


class Row(NamedTuple):
    """One rate of the table: student-steps per second of a program, one of `PROGRAMS` or another."""

    case: Case
    program: str
    rate: float


class Weights(NamedTuple):
    """First layer w (students, N, N), inputs by hidden units, and second layer v, hidden units by outputs."""

    w: Tensor
    v: Tensor


Step = Callable[[Tensor, Tensor], None]  # inputs and answers (students, m, N): updates the weights in place


def draw_weights(case: Case, device: str = "cpu") -> Weights:
    """Normal weights of variance 1/N."""
    shape = (case.students, case.N, case.N)
    return Weights(*(torch.randn(shape, device=device) / case.N**0.5 for _ in range(2)))


def signs(case: Case, device: str = "cpu") -> Callable[[], Tensor]:
    """A function that draws ±1 inputs (students, m, N): bit n of a word becomes the sign bit of a 1.0."""
    size = case.students * case.m * case.N
    words = torch.empty(-(-size // 64), dtype=torch.int64, device=device)
    shifts, sign_bit, one = (table.to(device) for table in (SHIFTS, SIGN_BIT, ONE))

    def draw() -> Tensor:
        words.random_(-(2**63), None)
        bits = words.view(torch.int32)[:, None] << shifts
        floats = bits.bitwise_and_(sign_bit).bitwise_or_(one).view(torch.float32)
        return floats.view(-1)[:size].view(case.students, case.m, case.N)

    return draw


def teacher(case: Case, device: str = "cpu") -> Callable[[Tensor], Tensor]:
    """A function from inputs (students, m, N) to the answers of one teacher, the same for all students."""
    w, v = (layer[0] for layer in draw_weights(case._replace(students=1), device))

    def answers(x: Tensor) -> Tensor:
        return ((x.view(-1, case.N) @ w).tanh_() @ v).view_as(x)

    return answers


def loop(weights: Weights) -> Step:
    """One student, by autograd: what one writes first, without an optimiser's overhead."""
    w, v = (layer[0].requires_grad_() for layer in weights)

    def step(x: Tensor, y: Tensor) -> None:
        loss = 0.5 / x.shape[1] * (torch.tanh(x[0] @ w) @ v - y[0]).square().sum()
        slopes = torch.autograd.grad(loss, (w, v))
        with torch.no_grad():
            w.sub_(slopes[0], alpha=LR)
            v.sub_(slopes[1], alpha=LR)

    return step


def bmm(weights: Weights) -> Step:
    """All students: five batched products a step, the updates fused into two of them."""
    w, v = weights
    h = back = out = torch.empty(0)

    def step(x: Tensor, y: Tensor) -> None:
        nonlocal h, back, out
        if h.shape != x.shape:
            h, back, out = (torch.empty_like(x) for _ in range(3))
        torch.bmm(x, w, out=h).tanh_()
        delta = torch.bmm(h, v, out=out).sub_(y).mul_(-LR / x.shape[1])
        torch.bmm(delta, v.mT, out=back)
        v.baddbmm_(h.mT, delta)
        back.addcmul_(back, h.square_(), value=-1)
        w.baddbmm_(x.mT, back)

    return step


def vmap(weights: Weights) -> Step:
    """All students, by the transformed loss of one."""

    def loss(one: tuple[Tensor, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return 0.5 / x.shape[0] * (torch.tanh(x @ one[0]) @ one[1] - y).square().sum()

    slopes_of_students = torch.func.vmap(torch.func.grad(loss))

    def step(x: Tensor, y: Tensor) -> None:
        for layer, slope in zip(weights, slopes_of_students((weights.w, weights.v), x, y), strict=True):
            layer.sub_(slope, alpha=LR)

    return step


FORMS: dict[str, Callable[[Weights], Step]] = {"loop": loop, "bmm": bmm, "vmap": vmap}
BLOCKS = (1, 4, 16, 64)
PROGRAMS = ("loop", "bmm", "blocks", "vmap")


def check(device: str = "cpu") -> None:
    """The three forms do the same steps, or RuntimeError."""
    case = Case(5, 3, 2)
    begin, draw, answers = draw_weights(case, device), signs(case, device), teacher(case, device)
    data = [(x, answers(x)) for x in (draw() for _ in range(4))]
    ends = {}
    for name in ("bmm", "vmap"):
        ends[name] = Weights(*(layer.clone() for layer in begin))
        step = FORMS[name](ends[name])
        for x, y in data:
            step(x, y)
    ends["loop"] = Weights(*(layer.clone() for layer in begin))
    for student in range(case.students):
        step = loop(Weights(*(layer[student : student + 1] for layer in ends["loop"])))
        for x, y in data:
            step(x[student : student + 1], y[student : student + 1])
    for name, end in ends.items():
        moved = (end.w - begin.w).abs().max()
        apart = max((a - b).abs().max() for a, b in zip(end, ends["vmap"], strict=True))
        if not apart < 1e-4 * moved:
            raise RuntimeError(f"{name} and vmap end {apart:.2g} apart after moving by {moved:.2g}")


def clock(device: str) -> float:
    """CPU seconds of the process, or the wall clock of an accelerator that has caught up."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


@cache  # a loop, or blocks, of the same size have the same rate for any number of students
def rate(form: str, held: Case, seconds: float, device: str) -> float:
    """Student-steps per second of one form that holds `held.students` students."""
    torch.set_num_threads(1)
    step, draw, answers = FORMS[form](draw_weights(held, device)), signs(held, device), teacher(held, device)

    def turn(steps: int) -> float:
        began = clock(device)
        for _ in range(steps):
            x = draw()
            step(x, answers(x))
        return clock(device) - began

    turn(1)
    steps, taken = 1, turn(1)
    while taken < seconds / 2:
        steps = max(steps + 1, int(steps * min(10, seconds / max(taken, 1e-6))))
        taken = turn(steps)
    return steps * held.students / min(taken, *(turn(steps) for _ in range(TURNS - 1)))


def measure(program: str, case: Case, seconds: float = 1.0, device: str = "cpu") -> Row:
    """Student-steps per second of one program.

    Args:
        program: one of `PROGRAMS`.
        case: sizes.
        seconds: about the time of each of three turns; a turn is one step at least.
        device: "cpu", on one thread, or "cuda".
    """
    if program == "blocks":
        sizes = [students for students in BLOCKS if students <= case.students]
        return Row(case, program, max(rate("bmm", case._replace(students=n), seconds, device) for n in sizes))
    held = case._replace(students=1) if program == "loop" else case
    return Row(case, program, rate(program, held, seconds, device))


def arithmetic(case: Case) -> int:
    """Operations of the five matrix products of one student-step of the student; the teacher is not counted."""
    return 10 * case.m * case.N**2


def table(rows: Iterable[Row]) -> str:
    """Markdown: a line a case, a column a program, thousands of student-steps per second, and comparisons.

    Programs other than `PROGRAMS` get two columns more: their rate over that of the best PyTorch form, and
    over that of the loop. What was not measured is a dash.
    """
    rates = {(row.case, row.program): row.rate for row in rows}
    cases, programs = dict.fromkeys(case for case, _ in rates), list(dict.fromkeys(name for _, name in rates))
    others = [program for program in programs if program not in PROGRAMS]
    headings = ["N", "m", "students", *programs, "best PyTorch, Gflop/s"]
    headings += [f"{program} / {against}" for program in others for against in ("best PyTorch", "loop")]
    lines = ["| " + " | ".join(headings) + " |", "|" + " ---: |" * len(headings)]

    def text(value: float) -> str:
        return "-" if math.isnan(value) else f"{value:.3g}"

    for case in cases:
        of = {program: rates.get((case, program), math.nan) for program in (*PROGRAMS, *programs)}
        best = max((of[name] for name in PROGRAMS if not math.isnan(of[name])), default=math.nan)
        cells = [
            *map(str, case),
            *(text(of[name] / 1e3) for name in programs),
            text(best * arithmetic(case) / 1e9),
        ]
        cells += [text(of[program] / against) for program in others for against in (best, of["loop"])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table of PyTorch's forms alone."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn, at least")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    for name, sizes in (("N", (64, 256)), ("m", (1, 16, 256)), ("students", (64, 256, 1024))):
        parser.add_argument(f"--{name}", type=int, nargs="+", default=sizes)
    options = parser.parse_args()
    check(options.device)
    rows = []
    for N in options.N:
        for m in options.m:
            for students in options.students:
                rows += [
                    measure(name, Case(N, m, students), options.seconds, options.device) for name in PROGRAMS
                ]
                print(table(rows).splitlines()[-1], flush=True)
    print(f"\nThousands of student-steps per second on {options.device}, torch {torch.__version__}.\n")
    print(table(rows))


if __name__ == "__main__":
    main()
