"""What compiled functions are told, by name.

What a function needs lies in memory as one row of 64-bit numbers, the fields of some records one after the other, and
the function is handed the row's address: a field is a number, or the address of an array. `told` reads a record
from a row, with pointers in place of addresses: a field's annotation says what lies there. (An array as argument
costs a counted reference wherever it is passed on, which is more than what is done with it.)

A row is the sum of two. The rows of all blocks (`groups`) have zeros at what belongs to the thread that does the
work; each thread has one row of its own (`rooms`) with zeros at the rest.

Shapes: N inputs, K hidden units, M outputs, in-degrees d and D, B students in a block, W words of B students in
a row, L links of a layer, R the most outputs that read a hidden unit, P planes of a hidden unit's counter and Q
of an output's.
"""

from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np
from llvmlite import ir
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
    """N, K, M, d and D; the number of the first proposal that flips a hidden link; n proposals in a sweep, and
    between fresh batches; words of a batch, W.
    """

    inputs: int
    units: int
    outputs: int
    degree: int
    output_degree: int
    first_hidden: int
    proposals: int
    refresh: int
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


class Links(NamedTuple):
    """Which layer's links: 0 hidden, 1 outputs; how many; students, and ciphers, of the block."""

    layer: int
    links: int
    students: int
    ciphers: int


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


class Ordering(NamedTuple):
    """Drawing random orders (`orders`): both halves of a teacher's key, 16 times each; the numbers 0 to 15; room for
    two words of each proposal; what is drawn, (sweeps, n).
    """

    first: UInt32
    second: UInt32
    counters: UInt32
    high: UInt32
    low: UInt32
    result: Int32


class TeacherDrawing(NamedTuple):
    """Drawing teachers (`engines/drawing`): sources (T, K*d) and (T, M*D), and weights of these shapes, to fill;
    states of the generators (T, 6); room for the readers (K,), and for whole registers of keys, of the sources of
    two readers, and of places.
    """

    hidden_sources: Int32
    output_sources: Int32
    w: Int8
    v: Int8
    states: UInt64
    readers: Int64
    keys: UInt64
    pool: UInt64
    places: UInt64


class Work(NamedTuple):
    """What is done with some blocks (`work`): where their rows lie for training, for exams on test examples and on
    the next mini-batch (`parts` of each for a block), for agreement and for drawing weights (`layers` of them); the
    functions that do it; the times to measure at (measured,), and the numbers of the next mini-batches then.
    """

    training: int
    tests: int
    batches: int
    agreements: int
    drawings: int
    parts: int
    layers: int
    train: int
    test: int
    examine: int
    agree: int
    draw: int
    measured: int
    times: Int64
    numbers: Int64


class Results(NamedTuple):
    """Where counts go, (blocks, times, B) int64 each: agreement, test_wrong, batch_wrong, accepted; `times` of them,
    the first measured one `first`; students of a block.
    """

    agreement: int
    test_wrong: int
    batch_wrong: int
    accepted: int
    times: int
    first: int
    students: int


class Room(NamedTuple):
    """Of one thread: rows to add to those of a block (training, exam, agreement), and rows for the sums."""

    training: int
    exam: int
    agreement: int
    sum: int


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


ROWS: dict[str, tuple[type, ...]] = {
    "training": (
        Sizes, Tables, TeacherWeights, StudentWeights, Order, Batch, Keys, Sets, Heat, Tally,
    ),
    "exam": (Sizes, Seats, Tables, TeacherWeights, StudentWeights, Keys, Sets, Exam, Tally),
    "agreement": (Sizes, Seats, Agreement),
    "drawing": (Links, Drawing),
    "orders": (Ordering,),
    "teachers": (TeacherDrawing,),
    "work": (Work, Results, Room),
}  # fmt: skip
"""The records of each kind of row."""


def row_of(*records: tuple[Any, ...]) -> np.ndarray:
    """A row, (words,) int64; fields may be arrays (blocks, ...) alike, then so is the row (blocks, ..., words)."""
    fields = np.broadcast_arrays(*(np.asarray(field, np.int64) for record in records for field in record))
    return np.stack(fields, axis=-1)


def nothing(kind: type) -> Any:
    """A record of zeros: what the other row tells."""
    return kind(*[0] * len(kind._fields))


def place_of(row: str, record: type, field: str) -> int:
    """The place of a field in a row."""
    before = ROWS[row][: ROWS[row].index(record)]
    return sum(len(one._fields) for one in before) + record._fields.index(field)  # type: ignore[attr-defined]


def length_of(row: str) -> int:
    """Words of a row."""
    return sum(len(one._fields) for one in ROWS[row])


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


class LinkWeights(NamedTuple):
    """Weights of links in an array: those of a link lie `apart` from those of the next, and the students at hand
    begin at `first`, so that part of a block can be looked at.
    """

    array: Any
    apart: Any
    first: Any


def pointers(cls: type, bits: int) -> list[Any]:
    """The types of a record's fields in compiled code: pointers to what the annotations say, or None for a number;
    words have `bits` bits.
    """
    hints = get_type_hints(cls, include_extras=True)
    made: list[Any] = []
    for field in cls._fields:
        [kind] = getattr(hints[field], "__metadata__", [None])
        if isinstance(kind, str):
            kind = np.dtype(f"{kind}{bits}").type
        made.append(None if kind is None else types.CPointer(getattr(types, np.dtype(kind).name)))
    return made


@intrinsic(prefer_literal=True)
def told(typing, place, row, record, bits):
    """The record of this name in the row of this kind that lies at an address."""
    [cls] = [one for one in ROWS[row.literal_value] if one.__name__ == record.literal_value]
    begin = place_of(row.literal_value, cls, cls._fields[0])
    made = pointers(cls, bits.literal_value)
    result = types.BaseTuple.from_types([types.int64 if kind is None else kind for kind in made], cls)

    def generate(context, builder, signature, values):
        word = ir.IntType(64)
        words = builder.inttoptr(values[0], word.as_pointer())
        parts = []
        for i, kind in enumerate(made):
            value = builder.load(builder.gep(words, [ir.Constant(word, begin + i)]))
            parts.append(value if kind is None else builder.inttoptr(value, context.get_value_type(kind)))
        return context.make_tuple(builder, result, parts)

    return result(types.int64, row, record, bits), generate
