"""Teachers with regular graphs in compiled code: those of `physics/teachers/`, bit for bit, many at once.

There NumPy sorts a row for each pair of readers that trade. Rows are short, so here a key's place is the number of
keys below it, counted for eight keys at a time in a vector register.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mbsim.engines.devices import cores
from mbsim.engines.drawing.pcg import U64, next_word, shuffle, signs
from mbsim.engines.drawing.seeds import states
from mbsim.engines.registers.kept import inner, kept
from mbsim.engines.registers.loading import address, load, moved, store
from mbsim.engines.registers.records import TeacherDrawing
from mbsim.engines.registers.rows import row_of, told
from mbsim.engines.registers.vectors import below, filled, zero_like
from mbsim.physics.graphs import MIXING_ROUNDS
from mbsim.physics.problem import Problem, Teacher

LANES = 8  # keys of 64 bits in a register
LAST = U64(2**64 - 1)
FEWEST = 16  # teachers for which a thread is worth starting


@inner
def place(keys, count, places):
    """How many of `count` different keys are below each; arrays filled up to whole registers."""
    for at in range(0, count, LANES):
        mine = load(keys, at)
        below_it = zero_like(mine)
        for other in range(count):
            below_it = below_it - below(filled(mine, keys[other]), mine)
        store(places, at, below_it)


@inner
def sort(table, nodes, degree):
    """Sort each row, in place; returns whether a row has a source twice."""
    twice = False
    for begin in range(0, nodes * degree, degree):
        for i in range(begin + 1, begin + degree):
            value, j = table[i], i - 1
            while j >= begin and table[j] > value:
                table[j + 1] = table[j]
                j -= 1
            table[j + 1] = value
            twice |= j >= begin and table[j] == value
    return twice


@inner
def trade(table, nodes, degree, low, state, of):
    """`graphs._global_trade`; `low` bits hold a source."""
    keys, pool, places = of.keys, of.pool, of.places
    both, mask = 2 * degree, (U64(1) << low) - U64(1)
    for reader in range(nodes):
        of.readers[reader] = reader
    shuffle(state, of.readers, nodes)
    for pair in range(nodes // 2):
        first, second = of.readers[2 * pair] * degree, of.readers[2 * pair + 1] * degree
        for slot in range(degree):
            keys[slot] = U64(table[first + slot]) * U64(both) + U64(slot)
            keys[degree + slot] = U64(table[second + slot]) * U64(both) + U64(degree + slot)
        place(keys, both, places)
        for slot in range(degree):
            pool[places[slot]] = U64(table[first + slot])
            pool[places[degree + slot]] = U64(table[second + slot])
        pool[both] = LAST
        before, before_that = LAST, LAST
        for slot in range(both):
            source, after, owner = pool[slot], pool[slot + 1], U64(1)
            if after == source and before != source:
                owner = U64(0)  # the first copy of two, and then the second
            elif before == source and before_that != source:
                owner = U64(2)
            before_that, before = before, source
            drawn = ((next_word(state) >> U64(2)) >> low) << low
            keys[slot] = drawn | (owner << U64(62)) | source
        place(keys, both, places)
        for slot in range(both):
            to = np.int64(places[slot])
            row = first + to if to < degree else second + to - degree
            table[row] = np.int32(keys[slot] & mask)


@inner
def regular(table, nodes, degree, rounds, state, of):
    """`graphs._regular`: fill a table (nodes * degree,) with sources."""
    for link in range(nodes * degree):
        table[link] = link // degree
    shuffle(state, table, nodes * degree)
    low = U64(0)
    while (U64(nodes) >> low) > U64(0):
        low += U64(1)
    while sort(table, nodes, degree):
        trade(table, nodes, degree, low, state, of)
    for _ in range(rounds):
        trade(table, nodes, degree, low, state, of)
    sort(table, nodes, degree)


@kept
def draw(teachers, nodes, degree, outputs, rounds, row):
    """Fill the tables of so many teachers; one output reads every unit, else outputs are as many as inputs."""
    of = told(row, "teachers", "TeacherDrawing", 64)
    links, output_links = nodes * degree, nodes * (degree if outputs > 1 else 1)
    for teacher in range(teachers):
        state = moved(of.states, 6 * teacher)
        regular(moved(of.hidden_sources, teacher * links), nodes, degree, rounds, state, of)
        sources = moved(of.output_sources, teacher * output_links)
        if outputs > 1:
            regular(sources, nodes, degree, rounds, state, of)
        else:
            for unit in range(nodes):
                sources[unit] = unit
        signs(state, moved(of.w, teacher * links), links)
        signs(state, moved(of.v, teacher * output_links), output_links)


def teachers_of(problem: Problem, seed: int, numbers: np.ndarray) -> Teacher:
    """Teachers with these numbers, arrays (teachers, ...) each, drawn on all cores."""
    T, N, d, M, D = len(numbers), problem.N, problem.d, problem.M, problem.output_degree
    hidden, outputs = np.empty((T, N, d), np.int32), np.empty((T, M, D), np.int32)
    w, v = np.empty(hidden.shape, np.int8), np.empty(outputs.shape, np.int8)
    drawn = hidden, outputs, w, v, states((seed, N, d), numbers)

    def some(first: int, stop: int) -> None:
        keys, pool, places = np.full((3, 2 * d + LANES), LAST)
        own = *(array[first:stop] for array in drawn), np.empty(N, np.int64), keys, pool, places
        row = row_of(TeacherDrawing(*map(address, own)))
        draw(stop - first, N, d, M, MIXING_ROUNDS, address(row))

    workers = max(1, min(cores(), T // FEWEST))
    bounds = [T * worker // workers for worker in range(workers + 1)]
    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(some, bounds, bounds[1:]))
    return Teacher(hidden, outputs, w, v if problem.train_output else np.ones_like(v))
