"""What compiled functions are handed, by name.

Functions are handed addresses, not arrays: an array costs a counted reference wherever it is passed on, which
is more than what is done with it, and compiling its unpacking takes longer than compiling the rest. So a field
is an address or a number. Its annotation says what lies there; `opened` turns addresses into pointers of that
type, inside compiled functions, and the field keeps its name.

Shapes: N inputs, K hidden units, M outputs, in-degrees d and D, B students in a block, W words of B students in
a row, L links of a layer, R the most outputs that read a hidden unit, P planes of a hidden unit's counter and Q
of an output's.
"""

from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np
from numba import types
from numba.extending import intrinsic

Bits = Annotated[int, np.uint8]
"""The address of bits, eight to a byte, the lowest first."""
Int8 = Annotated[int, np.int8]
Int32 = Annotated[int, np.int32]
UInt32 = Annotated[int, np.uint32]
Int64 = Annotated[int, np.int64]
UInt64 = Annotated[int, np.uint64]
Words = Annotated[int, "uint"]
"""The address of words of as many bits as the block's."""
SignedWords = Annotated[int, "int"]


class Sizes(NamedTuple):
    """N, K, M, d and D; the number of the first proposal that flips a hidden link; n proposals in a sweep; words
    of a batch, W.
    """

    inputs: int
    units: int
    outputs: int
    degree: int
    output_degree: int
    first_hidden: int
    proposals: int
    words: int


class Order(NamedTuple):
    """The order of proposals.

    links (rows, n): the number of each proposal. A single row serves every sweep, else row r is that of sweep
    `first` + r. Where sweeps go unit by unit, links (K,) are the hidden units in their order, and positions
    (K*d,) the place of each hidden link in the sweep; elsewhere positions are not looked at.
    """

    links: Int32
    rows: int
    first: int
    positions: Int32


class Tables(NamedTuple):
    """The teacher's graph, as `networks.Tables`: hidden_sources (K*d,), output_sources (M*D,), readers (K*R,),
    and R.
    """

    hidden_sources: Int32
    output_sources: Int32
    readers: Int32
    most: int


class TeacherWeights(NamedTuple):
    """w (K*d,) and v (M*D,): 0 (+1) or -1."""

    w: Int8
    v: Int8


class StudentWeights(NamedTuple):
    """w (K*d*B,) and v (M*D*B,) of all students of the block, student innermost: 1 for -1."""

    w: Bits
    v: Bits


class Keys(NamedTuple):
    """Keys under which examples are drawn, an entry for each cipher (`cipher`): both halves; the number of the
    word that each cipher draws; room for both halves with a label folded in.
    """

    first: UInt32
    second: UInt32
    numbers: UInt32
    folded_first: UInt32
    folded_second: UInt32


class Sets(NamedTuple):
    """How batches are drawn from a finite training set (`example_sets`): its size, rows and columns; an entry for
    each cipher of both halves of the key under which examples are chosen, of m, and room for where a batch begins;
    room for a register for each input.
    """

    size: int
    rows: int
    columns: int
    first: UInt32
    second: UInt32
    m: UInt32
    begin: UInt32
    room: UInt32


FRESH = Sets(*[0] * len(Sets._fields))
"""Where all examples are fresh, it is not looked at."""


class Batch(NamedTuple):
    """What is known of a batch in training, rows of W*B words.

    inputs: N rows. hidden: K counters of P rows. outputs: M counters of Q rows, each with the teacher's answer
    behind it. room: a row, and the planes of an effect where sweeps go unit by unit. teacher: the teacher's
    hidden states, K rows.
    """

    inputs: Words
    hidden: Words
    outputs: Words
    room: Words
    teacher: Words


class Exam(NamedTuple):
    """Room for one word of a batch on which students are examined, rows of one register: N inputs, K hidden
    states and M outputs of the student, K hidden states and M outputs of the teacher.
    """

    inputs: Words
    hidden: Words
    outputs: Words
    teacher: Words
    targets: Words


class Heat(NamedTuple):
    """What thermal acceptance needs (`decisions`): limits (E, temperatures) and its two sizes; the column of each
    student's temperature (B,); both halves of the acceptance keys, for whole registers of ciphers; room for the
    numbers drawn, the changes of energy, and the answers.
    """

    limits: UInt32
    most: int
    columns: int
    which: Int64
    first: UInt32
    second: UInt32
    drawn: UInt32
    changes: SignedWords
    flags: Int8


COLD = Heat(*[0] * len(Heat._fields))
"""Where all temperatures are zero, it is not looked at."""


class Tally(NamedTuple):
    """valid (W*B,): ones at the examples that count. total (B,): what is counted is added to it, accepted
    proposals or wrong outputs.
    """

    valid: Words
    total: Int64


class Seats(NamedTuple):
    """Of students that are examined together: how many there are in their block, and the first of them."""

    students: int
    begin: int


class Drawing(NamedTuple):
    """Drawing initial weights of a layer: the teacher's (L,); those to draw (L*B,); 2^24 times the chance that a
    student's weight is the teacher's, (B,); both halves of the keys, and room for as many words.
    """

    teacher: Int8
    weights: Bits
    below: UInt32
    first: UInt32
    second: UInt32
    drawn: UInt32


class Agreement(NamedTuple):
    """Counting agreeing paths: sources (M*D,) of outputs; the students' weights, the teacher's; room for a
    register for each hidden unit; result (B,).
    """

    sources: Int32
    w: Bits
    v: Bits
    teacher_w: Int8
    teacher_v: Int8
    of_units: UInt64
    result: UInt64


# Records that compiled functions make, of pointers.


class Block(NamedTuple):
    """All that proposals need to know."""

    sizes: Any
    tables: Any
    student: Any
    batch: Any
    heat: Any
    tally: Any


class Rows(NamedTuple):
    """Rows of units in an array: that of unit u begins at word u * stride + begin. So one plane of each counter
    can be read as a row, and a unit's rows can lie side by side.
    """

    array: Any
    stride: Any
    begin: Any


class Links(NamedTuple):
    """Weights of links in an array: those of a link lie `apart` from those of the next, and the students at hand
    begin at `first`, so that part of a block can be looked at.
    """

    array: Any
    apart: Any
    first: Any


@intrinsic(prefer_literal=True)
def opened(typing, record, bits):
    """The record with pointers in place of addresses; words have `bits` bits."""
    cls = record.instance_class
    hints = get_type_hints(cls, include_extras=True)
    made = []
    for field, given in zip(cls._fields, record.types, strict=True):
        [kind] = getattr(hints[field], "__metadata__", [None])
        if isinstance(kind, str):
            kind = np.dtype(f"{kind}{bits.literal_value}").type
        made.append(given if kind is None else types.CPointer(getattr(types, np.dtype(kind).name)))
    result = types.BaseTuple.from_types(made, cls)

    def generate(context, builder, signature, values):
        parts = []
        for i, kind in enumerate(made):
            value = builder.extract_value(values[0], i)
            pointer = isinstance(kind, types.CPointer)
            parts.append(builder.inttoptr(value, context.get_value_type(kind)) if pointer else value)
        return context.make_tuple(builder, result, parts)

    return result(record, bits), generate
