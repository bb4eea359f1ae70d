"""The orders of proposals of some teachers, each for all students of its own: `physics/order.py`, bit for bit."""

from typing import NamedTuple

import numpy as np
from numba import config

from mbsim.engines.networks import Shape
from mbsim.engines.registers.cipher import CIPHERS, threefry
from mbsim.engines.registers.kept import inner, kept
from mbsim.engines.registers.loading import address, load, moved, store
from mbsim.engines.registers.records import Colouring, Ordering
from mbsim.engines.registers.rows import row_of, told
from mbsim.engines.registers.vectors import filled, zero_like
from mbsim.physics.order import greedy_colours


@inner
def words(first, second, count, counters, result):
    """The words 0 to count - 1 of a stream: both halves of the cipher, one added to the other without carry."""
    zero, place = zero_like(first), counters
    for at in range(0, count, CIPHERS):
        x, y = threefry(first, second, zero, place)
        store(result, at, x ^ y)
        place = place + filled(place, np.uint32(CIPHERS))


@kept
def draw(teachers, begin, stop, n, row):
    """Draw the proposals of sweeps begin to stop: of two words h and l, (h mod n) (2^32 mod n) + (l mod n), mod n."""
    of = told(row, "orders", "Ordering", 32)
    counters, span = load(of.counters, 0), np.uint32(n)
    zero, half = zero_like(counters), np.uint32(2**16) % span
    carry = np.uint32(half * half) % span
    for teacher in range(teachers):
        first, second = load(of.first, teacher * CIPHERS), load(of.second, teacher * CIPHERS)
        for sweep in range(begin, stop):
            one, other = threefry(first, second, zero, filled(first, np.uint32(sweep)))
            for part, result in ((0, of.high), (1, of.low)):
                x, y = threefry(one, other, zero, filled(one, np.uint32(part)))
                words(x, y, n, counters, result)
            place = (teacher * (stop - begin) + sweep - begin) * n
            for i in range(n):
                drawn = np.uint32(np.uint32((of.high[i] % span) * carry) + of.low[i] % span)
                of.result[place + i] = np.int32(drawn % span)


def random_orders(keys: np.ndarray, begin: int, stop: int, n: int) -> np.ndarray:
    """The proposals (teachers, stop - begin, n) int32 of sweeps, under raw keys (teachers, 2)."""
    result = np.empty((len(keys), stop - begin, n), np.int32)
    first, second = (np.repeat(half.astype(np.uint32)[:, None], CIPHERS, axis=1) for half in keys.T)
    counters = np.arange(CIPHERS, dtype=np.uint32)
    high, low = (np.empty(n + CIPHERS, np.uint32) for _ in range(2))
    row = row_of(Ordering(*map(address, (first, second, counters, high, low, result))))
    draw(len(keys), begin, stop, n, address(row))
    return result


@kept
def colour(teachers, units, outputs, degree, most, row):
    """Colour the units of so many teachers, as `greedy_colours`, from the graph alone: what is barred for a unit are
    the colours of earlier ones at its outputs.
    """
    of = told(row, "colours", "Colouring", 64)
    for teacher in range(teachers):
        sources = moved(of.output_sources, teacher * outputs * degree)
        readers = moved(of.readers, teacher * units * most)
        colours = moved(of.colours, teacher * units)
        for number in range(units):
            of.barred[number] = -1
        for unit in range(units):
            for reader in range(unit * most, (unit + 1) * most):
                out = readers[reader]
                if out < 0:
                    break
                first = out // degree * degree
                for link in range(first, first + degree):
                    other = sources[link]
                    if other < unit:
                        of.barred[colours[other]] = unit
            free = 0
            while of.barred[free] == unit:
                free += 1
            colours[unit] = free


def colours_of(shape: Shape, output_sources: np.ndarray, readers: np.ndarray) -> np.ndarray:
    """Colours (T, K) int32 of the hidden units of teachers; output_sources (T, M*D) and readers (T, K, R) int32."""
    T, K = len(output_sources), shape.K
    if shape.scalar:  # all conflict
        return np.broadcast_to(np.arange(K, dtype=np.int32), (T, K))
    if config.DISABLE_JIT:  # an accelerator trains; compiled functions do not run as Python
        graphs = output_sources.reshape(T, shape.M, -1)
        return np.stack([greedy_colours(graph, K) for graph in graphs]).astype(np.int32)
    colours, barred = np.empty((T, K), np.int32), np.empty(K, np.int32)
    row = row_of(Colouring(*map(address, (output_sources, readers, colours, barred))))
    colour(T, K, shape.M, shape.output_degree, shape.readers, address(row))
    return colours


class Sequential(NamedTuple):
    """Sequential orders of teachers, int32: all proposals (T, n); the hidden units (T, K) in an order in which the
    same sweep may be done with all links of a unit in turn; the place (T, K*d) of each hidden link in the sweep.
    """

    proposals: np.ndarray
    units: np.ndarray
    positions: np.ndarray


def sequential_orders(shape: Shape, colours: np.ndarray) -> Sequential:
    """Output links slot by slot, then hidden links colour by colour and slot by slot; colours (T, K)."""
    T, K, d = len(colours), shape.K, shape.d
    first = shape.first_hidden
    proposals, positions = np.empty((T, shape.proposals), np.int32), np.empty((T, K * d), np.int32)
    proposals[:, :first] = np.arange(first).reshape(-1, shape.output_degree).T.ravel()
    slots = np.arange(d)[:, None]
    in_turn = (colours[:, None] * d + slots).reshape(T, d * K)  # of the links, slot by slot
    small = in_turn.astype(np.min_scalar_type(in_turn.max()))  # NumPy sorts small numbers by their digits
    found = np.argsort(small, axis=1, kind="stable")
    links = found % K * d + found // K
    proposals[:, first:] = first + links
    np.put_along_axis(positions, links, np.arange(first, shape.proposals, dtype=np.int32)[None], axis=1)
    units = np.argsort(colours, axis=1, kind="stable").astype(np.int32)
    return Sequential(proposals, units, positions)
