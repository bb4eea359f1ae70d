"""What this engine cannot do, said in a line before anything is drawn, so that the next engine is used."""

import numpy as np

from mbsim.engines.pallas import layout
from mbsim.engines.pallas.targets import SCALAR_MEMORY, VECTOR_MEMORY, Target
from mbsim.engines.task import Task

DEEPEST = 31  # inputs of a unit, whose terms are written out
MOST_STEPS = 1024  # whole steps up in errors that a temperature makes possible


def refuses(task: Task, target: Target, heat: int = 0) -> str:
    """Why these students cannot be trained here, in one line; "" if they can.

    heat: rows of limits that a student needs (`acceptance`).
    """
    shape, m = task.shape, int(np.max(task.labels.m))
    if shape.d > DEEPEST:
        return f"d = {shape.d}: kernels are written out for d up to {DEEPEST}"
    if heat > MOST_STEPS:
        return (
            f"T = {task.labels.temperature.max():g}: {heat} steps up are possible, {MOST_STEPS} are tabulated"
        )
    if target.kind == "tpu":
        size = layout.table_bytes(shape)
        if size > SCALAR_MEMORY:
            return (
                f"N = {shape.N}, d = {shape.d}: tables of {size / 2**10:.0f} KiB, scalar memory takes "
                f"{SCALAR_MEMORY / 2**10:.0f} KiB"
            )
        for examples in np.unique(task.labels.m):
            if layout.layout_for(target, shape, int(examples), 1, heat) is None:
                return (
                    f"N = {shape.N}, d = {shape.d}, m = {examples}: more rows than fit in "
                    f"{VECTOR_MEMORY / 2**20:.0f} MiB of vector memory"
                )
    rows = (shape.hidden_links + shape.output_links + shape.N) * layout.words_for(m)
    if rows * 128 >= 2**31:
        return f"N = {shape.N}, d = {shape.d}, m = {m}: more words a program than int32 can number"
    return ""
