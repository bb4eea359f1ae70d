"""Sizes of registers, counters and of what a core holds; no numba, so that a run can be checked before it
starts.
"""

from mbsim.engines.networks import Shape

BYTES = 64
"""Of a register; LLVM splits it where the machine's are narrower."""


TERMS = 3
"""Links of a unit whose terms are kept in place of their sum (`vector_terms`)."""
ROOM = 64
"""Registers in which a batch of a training set is put together (`example_sets`)."""


def planes_for(terms: int) -> tuple[int, int]:
    """(P, offset) of the counter of a sum of an odd number of ±1 terms, see `counters.Counter`."""
    half = (terms + 1) // 2
    planes = (half - 1).bit_length() + 1
    return planes, 2 ** (planes - 1) - half


def students_in(bits: int) -> int:
    """How many words of `bits` bits fill a register."""
    return BYTES * 8 // bits


def word_bits(m: int, readers: int) -> int:
    """The narrowest word that holds m examples and the change in their wrong answers at `readers` outputs."""
    for bits in (8, 16, 32):
        if m <= bits and bits * readers < 2 ** (bits - 1):
            return bits
    return 64


def readers_of(shape: Shape) -> int:
    """Outputs whose answer a flip may change."""
    return 1 if shape.scalar else shape.readers


def effect_planes(shape: Shape) -> int:
    """Planes of a counter in two's complement of -R to R, R the most outputs that read a unit."""
    return shape.readers.bit_length() + 1


def unit_rows(shape: Shape) -> tuple[int, int]:
    """Rows that are kept of a hidden unit, and of an output: terms, or planes of a sum and the teacher's answer."""
    if keeps_terms(shape):
        return TERMS, TERMS
    return planes_for(shape.d)[0], planes_for(shape.output_degree)[0] + 1


def keeps_terms(shape: Shape) -> bool:
    """Whether terms are kept in place of sums."""
    return shape.d == TERMS and not shape.scalar


def weight_bytes(shape: Shape, students: int) -> int:
    """Memory of the weights of so many students, a multiple of eight."""
    return (shape.hidden_links + shape.output_links) * students // 8


def block_bytes(shape: Shape, bits: int, words: int) -> int:
    """Memory of a block of students in training: rows and counters of a batch, and weights."""
    hidden, output = unit_rows(shape)
    rows = shape.N + shape.K * hidden + shape.M * output + shape.K + 1 + effect_planes(shape)
    return rows * words * BYTES + weight_bytes(shape, students_in(bits))


def core_bytes(shape: Shape, most_m: int) -> int:
    """Memory of a core that trains blocks with batches up to `most_m`, one after the other, and measures
    them.
    """
    bits = word_bits(most_m, readers_of(shape))
    training = block_bytes(shape, bits, -(-most_m // bits))
    measuring = (shape.N + 2 * shape.K + 2 * shape.M) * BYTES
    return max(training, measuring) + (shape.K + 1 + ROOM) * BYTES
