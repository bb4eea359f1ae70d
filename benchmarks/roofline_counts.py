"""What a proposal takes by the algorithm: operations on registers or rows, and bytes read and written.

Counted is the text of the engines, not machine code: two-input operations (&, |, ^, ~, +, -, a comparison) and
popcounts on a whole register of students or row of words, loads and stores of such, in random order at T = 0, with
the share in a proposal of what is done once a sweep: drawing inputs and working out sums anew. What only follows an
acceptance counts as often as some student of the register accepts, were students independent.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mbsim.engines.networks import Shape
from mbsim.engines.pallas import scalar, vector
from mbsim.engines.pallas.body import Body, readers_written_out, words_written_out
from mbsim.engines.pallas.layout import Layout
from mbsim.engines.registers.sizes import BYTES, keeps_terms, planes_for, students_in
from mbsim.sampling.examples import TILE

THREEFRY = 78  # operations: 20 rounds of +, rotation (one instruction) and ^, and six additions of keys


class Work(NamedTuple):
    """Of one proposal of all students of a register or program; operations on whole registers, bytes of memory."""

    logic: float = 0
    popcounts: float = 0
    bytes: float = 0

    def plus(self, other: "Work", times: float = 1) -> "Work":
        """The sum with so many times another."""
        return Work(*(a + times * b for a, b in zip(self, other, strict=True)))


def _registers(logic: float = 0, popcounts: float = 0, rows: float = 0, bits: float = 0) -> Work:
    return Work(logic, popcounts, BYTES * rows + bits)


def of_registers(shape: Shape, bits: int, m: int, accepted: float) -> Work:
    """Of the engine for CPUs (`registers/vector_output.py`, `vector_terms.py`, `scalar_output.py`), words of so many
    bits.
    """
    students, words = students_in(bits), -(-m // bits)
    planes, output_planes = planes_for(shape.d)[0], planes_for(shape.output_degree)[0]
    some = 1 - (1 - accepted) ** students
    once = _sweep(shape, bits, words)
    if shape.scalar:
        return _scalar_link(planes, output_planes, words, some, students).plus(once, 1 / shape.proposals)
    if keeps_terms(shape):
        output, hidden = _links_of_terms(words, some, students, shape.readers)
    else:
        output, hidden = _vector_links(planes, words, some, students, shape.readers)
    share = shape.output_links / shape.proposals if shape.train_output else 0
    return output.plus(output, share - 1).plus(hidden, 1 - share).plus(once, 1 / shape.proposals)


def _flips(planes: int) -> float:
    """Operations of `counters.flips_of`: where the sum is ±1 and has the sign of the term."""
    return 2 * (planes - 1) + 3


def _vector_links(planes: int, words: int, some: float, students: int, readers: int) -> tuple[Work, Work]:
    weight = _registers(1, 0, 0, students / 8)  # a bit for each student, spread over its word
    # Term, flips, valid ones, whether the answer was wrong, the change of errors and its sum.
    look = _registers(_flips(planes) + 7, 2, planes + 3)
    moved = _registers(3 * planes + 2, 0, 2 * planes + 1)  # a counter with one term negated, read and written
    end = _registers(4, 0, 0, students / 8)  # accept or not, the tally, the weight
    output = weight.plus(look, words).plus(moved, some * words).plus(end)
    own = _registers(_flips(planes) + 3, 0, planes + 3)
    reader = weight.plus(look, words).plus(moved, some * words)
    hidden = weight.plus(own, words).plus(reader, readers).plus(moved, some * words).plus(end)
    return output, hidden


def _links_of_terms(words: int, some: float, students: int, readers: int) -> tuple[Work, Work]:
    # Where the two beside it cancel, valid ones, the change of errors and its sum.
    look = _registers(8, 2, 4)
    end = _registers(4, 0, 0, some * students / 4)  # accept or not, the tally, bits of the weight
    output = Work().plus(look, words).plus(_registers(1, 0, 2), some * words).plus(end)
    own = _registers(5, 0, 5)
    reader = Work().plus(look, words).plus(_registers(2, 0, 3), some * words)
    hidden = Work().plus(own, words).plus(reader, readers).plus(_registers(1, 0, 2), some * words).plus(end)
    return output, hidden


def _scalar_link(planes: int, output_planes: int, words: int, some: float, students: int) -> Work:
    look = _registers(_flips(planes) + 12, 2, planes + 4)
    moved = _registers(
        _flips(planes) + 3 + 3 * planes + 3 * output_planes + 2 * output_planes,
        0,
        2 * planes + 2 * output_planes + 3,
    )
    weights = _registers(5, 0, 0, 3 * students / 8)
    return weights.plus(look, words).plus(moved, some * words)


def _sweep(shape: Shape, bits: int, words: int) -> Work:
    """Once a sweep: inputs are drawn, sums and the teacher's answers worked out."""
    # Four registers of ciphers give one of each of the 8 inputs of a tile, whose bytes are turned.
    turned = {8: 3, 16: 5}.get(bits, 8)
    inputs = _registers(4 * THREEFRY / TILE + turned, 0, 1)
    links = shape.hidden_links + shape.output_links
    planes = planes_for(shape.d)[0]
    pair = _registers(5 + 2 * (planes - 1) + 4, 0, 2)  # two terms into a counter
    return Work().plus(inputs, shape.N * words).plus(pair, links * words)


def of_pallas(shape: Shape, layout: Layout) -> Work:
    """Of a program of the Pallas engine: its text is traced with rows that count what is done to them.

    Raises:
        NotImplementedError: there are loops within a proposal, whose bodies would count once.
    """
    if not (words_written_out(shape, layout) and readers_written_out(shape, layout)):
        raise NotImplementedError("its proposals hold loops, which are not counted")
    counts = {"loads": 0, "stores": 0}
    row = jnp.zeros(layout.row, jnp.int32)

    class Rows:
        """A table, or rows of memory."""

        def __init__(self, table: bool = False):
            self.table = table

        def __getitem__(self, _):
            counts["loads"] += not self.table
            return jnp.int32(1) if self.table else self.traced

        def __setitem__(self, _, value):
            counts["stores"] += 1

    def traced(flip):
        def run(value):
            rows = Rows()
            rows.traced = value
            body = Body(
                shape, layout, 0, readers=Rows(True), mask=rows, kept=rows, flips=rows, sweep=jnp.int32(0)
            )
            return flip(body, jnp.int32(0))

        counts.update(loads=0, stores=0)
        jaxpr = jax.make_jaxpr(run)(row).jaxpr
        logic = popcounts = 0
        for equation in _equations(jaxpr):
            if equation.outvars[0].aval.shape != layout.row or equation.primitive.name in FREE:
                continue
            popcounts += equation.primitive.name == "population_count"
            logic += equation.primitive.name != "population_count"
        return Work(logic, popcounts, 4 * row.size * (counts["loads"] + counts["stores"]))

    def hidden(body, i):
        if shape.scalar:
            return scalar.flip_hidden(body, i, i, i)
        return vector.flip_hidden(body, i, i, i, i)

    def output(body, i):
        return scalar.flip_output(body, i, i, i) if shape.scalar else vector.flip_output(body, i, i, i)

    share = shape.output_links / shape.proposals if shape.train_output else 0
    work = Work().plus(traced(hidden), 1 - share)
    if share:
        work = work.plus(traced(output), share)
    # Tiles are written and read, and four of their bytes make a word.
    words = shape.N * layout.words / shape.proposals
    return work.plus(Work(4 * THREEFRY / TILE + 4 * 4, 0, 3 * 4 * row.size), words)


FREE = ("broadcast_in_dim", "convert_element_type", "copy", "reshape")


def _equations(jaxpr):
    """All equations, those within others too."""
    for equation in jaxpr.eqns:
        inner = [value for value in equation.params.values() if hasattr(value, "jaxpr")]
        if inner:
            for value in inner:
                yield from _equations(value.jaxpr)
        else:
            yield equation
