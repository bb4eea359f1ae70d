"""The Metropolis dynamics on CPU cores: the same bits as the programs of XLA, many times faster.

XLA runs a sweep as thousands of small kernels over all lanes, each of which streams through the cache. Here
numba compiles one loop over the proposals; it carries one vector register of students at a time, whose whole
state stays in the first levels of the cache. Files, in the order in which data flow:

    sizes     of registers, counters and what a core holds; needs no numba
    vectors   SIMD registers and bit-sliced counters as types of numba
    cipher    threefry on registers: the random words of `kernel/streams.py`
    networks  forward passes; wrong outputs; agreement with the teacher
    decisions, vector_output, scalar_output   proposals, one after the other
    unit_sweeps  sequential sweeps with all links of a unit in turn
    kept      machine code on disk, from one process to the next
    compiled  what is compiled for a kind of block: draw weights, train, examine
    blocks    which students share a register
    members   the students of a block, ready for compiled functions
    students  all of them on all cores
    training  the loop over time

Conventions. A word holds as many examples as it has bits; bit 1 is -1. A *row* is one value of every student
of the block, words outermost: word q of row r of B students starts at (r * words + q) * B. Flat arrays
throughout. Weights are a bit for each student, 1 for -1, student innermost, eight to a byte; the teacher's
are int8, 0 (+1) or -1.
"""
