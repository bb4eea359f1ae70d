"""What this engine cannot do, said in a line before anything is drawn, so that the next engine is used."""

import numpy as np

from mbsim.engines.networks import Shape
from mbsim.engines.pallas import heat, layout, memory
from mbsim.engines.pallas.targets import SCALAR_MEMORY, VECTOR_MEMORY, WARP, Target

DEEPEST = 31  # inputs of a unit, whose terms are written out
MOST_STEPS = 1024  # whole steps up in errors that a temperature makes possible


class Refused(ValueError):  # noqa: N818 (says what happened)
    """Students that cannot be trained here; the text says why."""


def refuses(
    shape: Shape, m: np.ndarray, temperatures: np.ndarray, target: Target, room: int | None = None
) -> str:
    """Why these students cannot be trained here, in one line; "" if they can.

    Args:
        shape: of the networks.
        m: mini-batch sizes of the students.
        temperatures: of the students.
        target: what the kernels are made for.
        room: bytes that a device may hand out, if that is known.
    """
    most = int(np.max(m))
    if shape.d > DEEPEST:
        return f"d = {shape.d}: kernels are written out for d up to {DEEPEST}"
    rows = heat.rows_of(shape, most, np.asarray(temperatures))
    if rows > MOST_STEPS:
        return f"T = {np.max(temperatures):g}: {rows} steps up are possible, {MOST_STEPS} are tabulated"
    tables = layout.table_bytes(shape)
    if target.kind == "tpu" and tables > SCALAR_MEMORY:
        return (
            f"N = {shape.N}, d = {shape.d}: tables of {tables / 2**10:.0f} KiB, scalar memory takes "
            f"{SCALAR_MEMORY / 2**10:.0f} KiB"
        )
    for examples in np.unique(m).tolist():
        of = layout.layout_for(target, shape, examples, 1, rows)
        if of is None:
            return (
                f"N = {shape.N}, d = {shape.d}, m = {examples}: more rows than fit in "
                f"{VECTOR_MEMORY / 2**20:.0f} MiB of vector memory"
            )
        needed = memory.program_bytes(shape, of, rows)
        if room is not None and needed > memory.SHARE * room:
            return (
                f"N = {shape.N}, d = {shape.d}, m = {examples}: the fewest students that a kernel takes need "
                f"{needed / 2**30:.2g} GiB, the device has {room / 2**30:.2g} GiB"
            )
    words = (shape.hidden_links + shape.output_links + shape.N) * layout.words_for(most)
    if words * WARP >= 2**31:
        return f"N = {shape.N}, d = {shape.d}, m = {most}: more words a program than int32 can number"
    return ""
