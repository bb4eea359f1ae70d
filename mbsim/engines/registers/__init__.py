"""The Metropolis dynamics on CPU cores: the bits of the reference engine, many times faster.

Written for one student and mapped by JAX, a sweep is thousands of small kernels, each of which streams all students
through the cache. Here numba compiles one loop over the proposals; it carries one vector register of students at a
time, whose whole state stays in the first levels of the cache. A *block* is the students that share a register, all
of one teacher. Files, in the order in which data flow:

    sizes     of registers, counters and what a core holds; needs no numba
    parts     how functions are compiled, those that Python calls and those that only compiled functions call
    kept      compiled functions, named by what they are made of; machine code from one process to the next
    vectors, loading, counters   registers, memory and bit-sliced sums as types and instructions of numba
    records, rows   what compiled functions are told, by name, and how it lies in memory
    calls     functions called by their addresses
    cipher, tiles, example_sets   threefry on registers: examples of `sampling/`, fresh or of a training set
    orders    orders of proposals, random and sequential
    networks  forward passes; wrong outputs; agreement with the teacher
    decisions, vector_output, scalar_output   proposals, one after the other
    vector_terms  the same flips where d = 3, of terms that are kept in place of sums
    unit_sweeps, unit_terms  sequential sweeps with all links of a hidden unit in turn, by sums and by terms
    compiled  what is compiled for a kind of block: draw weights, train, examine
    work      a block through some sweeps, measured on the way, without Python
    blocks    which students share a register
    groups    all blocks of one kind, and the rows that tell of them
    rooms     the memory of one thread, and the rows that tell of it
    training  the queue from which every core takes the next blocks

Conventions. A word holds as many examples as it has bits; bit 1 is -1. A *row* is one value of every student
of the block, words outermost: word q of row r of B students starts at (r * words + q) * B. Flat arrays
throughout. Weights are a bit for each student, 1 for -1, student innermost, eight to a byte; the teacher's
are int8, 0 (+1) or -1.
"""
