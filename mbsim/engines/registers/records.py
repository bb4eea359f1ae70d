"""What compiled functions are told, by name.

A field is a number, or the address of an array: its annotation says what lies there. `rows` says how records are
handed over.

Shapes: N inputs, K hidden units, M outputs, in-degrees d and D, B students in a block, W words of B students in
a row, L links of a layer, R the most outputs that read a hidden unit, P planes of a hidden unit's counter and Q
of an output's.
"""

from typing import Annotated, Any, NamedTuple, TypeAlias

import numpy as np

Number: TypeAlias = Any
"""A number; or one for each block, (blocks,), in rows of many."""
Bits = Annotated[Any, np.uint8]
"""The address of bits, eight to a byte, the lowest first."""
Int8 = Annotated[Any, np.int8]
Int32 = Annotated[Any, np.int32]
UInt32 = Annotated[Any, np.uint32]
Int64 = Annotated[Any, np.int64]
UInt64 = Annotated[Any, np.uint64]
Words = Annotated[Any, "uint"]
"""The address of words of as many bits as the block's."""
SignedWords = Annotated[Any, "int"]


class Sizes(NamedTuple):
    """N, K, M, d and D; the number of the first proposal that flips a hidden link; n proposals in a sweep, and
    between fresh batches; words of a batch, W.
    """

    inputs: Number
    units: Number
    outputs: Number
    degree: Number
    output_degree: Number
    first_hidden: Number
    proposals: Number
    refresh: Number
    words: Number


class Order(NamedTuple):
    """The order of proposals.

    links (rows, n): the number of each proposal. A single row serves every sweep, else row r is that of sweep
    `first` + r. Where sweeps go unit by unit, links (K,) are the hidden units in their order, and positions
    (K*d,) the place of each hidden link in the sweep; elsewhere positions are not looked at.
    """

    links: Int32
    rows: Number
    first: Number
    positions: Int32


class Tables(NamedTuple):
    """The teacher's graph, as `networks.Tables`: hidden_sources (K*d,), output_sources (M*D,), readers (K*R,),
    and R.
    """

    hidden_sources: Int32
    output_sources: Int32
    readers: Int32
    most: Number


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
    room for `sizes.ROOM` registers.
    """

    size: Number
    rows: Number
    columns: Number
    first: UInt32
    second: UInt32
    m: UInt32
    begin: UInt32
    room: UInt32


class Batch(NamedTuple):
    """What is known of a batch in training, rows of W*B words.

    inputs: N rows. hidden: K counters of P rows. outputs: M counters of Q rows, each with the teacher's answer
    behind it. Where d = 3 and outputs are several: three terms of each unit and of each output, the latter times
    the teacher's answer, which is not kept (`vector_terms`). room: a row, and the planes of an effect where sweeps
    go unit by unit. teacher: the teacher's hidden states, K rows.
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
    most: Number
    columns: Number
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

    students: Number
    begin: Number


class Links(NamedTuple):
    """Which layer's links: 0 hidden, 1 outputs; how many; students, and ciphers, of the block."""

    layer: Number
    links: Number
    students: Number
    ciphers: Number


class Drawing(NamedTuple):
    """Drawing initial weights of a layer: the teacher's (L,); those to draw (L*B,); 2^24 times the chance that a
    student's weight is the teacher's, both halves of the keys, and the link beyond the register's first, an entry for
    each cipher: where eight students fill half a register of ciphers, one register draws for two links.
    """

    teacher: Int8
    weights: Bits
    below: UInt32
    first: UInt32
    second: UInt32
    beyond: UInt32


class Ordering(NamedTuple):
    """Drawing random orders (`orders`): both halves of each teacher's key, 16 times each; the numbers 0 to 15; room
    for two words of each proposal; what is drawn, (teachers, sweeps, n).
    """

    first: UInt32
    second: UInt32
    counters: UInt32
    high: UInt32
    low: UInt32
    result: Int32


class Colouring(NamedTuple):
    """Colouring the hidden units of teachers (`orders`): output_sources (T, M*D) and readers (T, K*R), as `Tables`;
    colours (T, K) to fill; for each colour, (K,), the last unit that may not have it.
    """

    output_sources: Int32
    readers: Int32
    colours: Int32
    barred: Int32


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

    training: Number
    tests: Number
    batches: Number
    agreements: Number
    drawings: Number
    parts: Number
    layers: Number
    train: Number
    test: Number
    examine: Number
    agree: Number
    draw: Number
    measured: Number
    times: Int64
    numbers: Int64


class Results(NamedTuple):
    """Where counts go, (blocks, times, B) int64 each: agreement, test_wrong, batch_wrong, accepted; `times` of them,
    the first measured one `first`; students of a block.
    """

    agreement: Number
    test_wrong: Number
    batch_wrong: Number
    accepted: Number
    times: Number
    first: Number
    students: Number


class Room(NamedTuple):
    """Of one thread: rows to add to those of a block (training, exam, agreement), and rows for the sums."""

    training: Number
    exam: Number
    agreement: Number
    sum: Number


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


class LinkWeights(NamedTuple):
    """Weights of links in an array: those of a link lie `apart` from those of the next, and the students at hand
    begin at `first`, so that part of a block can be looked at.
    """

    array: Any
    apart: Any
    first: Any
