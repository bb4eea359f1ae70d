"""Random bipartite graphs: which sources each unit of a layer reads.

Why this file exists: the graph is part of the quenched disorder, so its law has to be the one that the
design names, without a double link and at any size. It runs once per teacher, on the host, in NumPy.

Conventions
-----------
* A layer has `sources` (the units below) and `readers` (its own units); each reader reads `degree` distinct
  sources.
* A graph is its source table, (readers, degree) int32: row k holds the sources that unit k reads, ascending.
* The link in slot a of reader k has the flat number k * degree + a.
* Every random number comes from the generator passed in; the same generator state gives the same graph.
"""

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.int32]

# Rounds of trades after the last double link is gone. Each multiplies what is left of the starting point by
# about 1/2 (second eigenvalue of a round, computed exactly: 0.50 for 3 and 4 units of degree 1, 0.67 for 4 of
# degree 2, 0.56 for 5 of degree 2), and the start, a repaired configuration model, is already near
# uniform. The worst of these: (2/3)^24 = 6e-5.
MIXING_ROUNDS = 24

# Links treated at once: small enough for the cache. The draws depend on it: another value gives other graphs.
_BLOCK = 1 << 16


def random_sources(sources: int, readers: int, degree: int, rng: np.random.Generator) -> Table:
    """Draw one layer's graph uniformly among those without a double link.

    sources == readers: uniform over all simple bipartite graphs in which every reader has in-degree `degree`
    and every source out-degree `degree` (random regular). Otherwise every reader reads a subset of `degree`
    sources, uniform over all subsets and independent of the other readers. A reader of degree `sources` (the
    scalar output) reads everything.

    Args:
        sources: number of units that can be read, at least 1.
        readers: number of units that read, at least 1.
        degree: in-degree, 1 to `sources`.
        rng: the only source of randomness.

    Returns:
        (readers, degree) int32; row k holds the distinct sources of reader k, ascending. So the slot of a
        link tells something about its source; whatever is put on the links must not depend on the slot.

    Raises:
        ValueError: readers < 1, degree < 1 or degree > sources.

    Example:
        >>> random_sources(4, 2, 4, np.random.default_rng(0)).tolist()
        [[0, 1, 2, 3], [0, 1, 2, 3]]

    Reference: configuration model, then rounds of curveball trades: G. Strona et al., Nat. Commun. 5, 4114
    (2014). Their limit is uniform: C. J. Carstens, Phys. Rev. E 91, 042812 (2015); for rounds of simultaneous
    trades, C. J. Carstens, A. Berger, G. Strona, arXiv:1609.05137.
    """
    if readers < 1:
        raise ValueError(f"readers = {readers}: a layer needs at least 1 unit")
    if not 1 <= degree <= sources:
        raise ValueError(f"degree = {degree}: must lie between 1 and the number of sources, {sources}")

    # The absent links form a graph of the same law; when degree > sources / 2 they are fewer.
    smaller = min(degree, sources - degree)
    if smaller == 0:
        return np.tile(np.arange(sources, dtype=np.int32), (readers, 1))
    if sources == readers:
        table = _regular(sources, smaller, rng)
    else:
        table = _subsets(sources, readers, smaller, rng)
    return table if smaller == degree else _complement(table, sources)


def readers_of(source_table: Table, sources: int) -> tuple[Table, Table]:
    """Turn a source table round: for every source, the links that read it.

    Args:
        source_table: (readers, degree) integers in [0, sources).
        sources: number of units that can be read.

    Returns:
        links (sources, D) int32: the flat numbers reader * degree + slot, ascending, filled up with -1; D is
        the largest out-degree, at least 1. And the out-degrees, (sources,) int32.

    Raises:
        ValueError: an entry outside [0, sources), or more links than int32 can number.

    Example:
        >>> links, degree = readers_of(np.array([[0, 1], [0, 2]], dtype=np.int32), 4)
        >>> links.tolist(), degree.tolist()
        ([[0, 2], [1, -1], [3, -1], [-1, -1]], [2, 1, 1, 0])
    """
    flat = np.asarray(source_table).reshape(-1)
    if flat.size > np.iinfo(np.int32).max:
        raise ValueError(f"source_table has {flat.size} links: more than int32 can number")
    if flat.size and not (0 <= flat.min() and flat.max() < sources):
        raise ValueError(f"sources {flat.min()} to {flat.max()} in source_table: must be in [0, {sources})")

    degree = np.bincount(flat, minlength=sources)
    links = np.full((sources, max(1, int(degree.max(initial=0)))), -1, dtype=np.int32)
    by_source = np.argsort(flat, kind="stable")  # stable: the links of one source stay ascending
    first = np.cumsum(degree) - degree
    links[flat[by_source], np.arange(flat.size) - np.repeat(first, degree)] = by_source
    return links, degree.astype(np.int32)


def _regular(nodes: int, degree: int, rng: np.random.Generator, rounds: int = MIXING_ROUNDS) -> Table:
    """Random regular simple bipartite graph, `nodes` units on each side, 1 <= degree < nodes.

    No trade adds a double link, and a trade with a reader that lacks the doubled source (there always is one)
    removes one, so the first loop ends. Graphs that are easier to reach are favoured when it stops: the
    rounds that follow make the law uniform.
    """
    stubs = np.repeat(np.arange(nodes, dtype=np.int32), degree)
    table = np.sort(rng.permutation(stubs).reshape(nodes, degree), axis=1)
    while _repeats(table).any():
        _global_trade(table, rng)
        table.sort(axis=1)
    for _ in range(rounds):
        _global_trade(table, rng)
    table.sort(axis=1)
    return table


def _global_trade(table: Table, rng: np.random.Generator) -> None:
    """Pair the readers at random (one sits out if their number is odd) and let every pair trade, in place."""
    nodes, degree = table.shape
    pairs = rng.permutation(nodes)[: nodes - nodes % 2].reshape(-1, 2)
    step = max(1, _BLOCK // (2 * degree))
    for start in range(0, len(pairs), step):
        block = pairs[start : start + step]
        table[block] = _trade(table[block], nodes, rng)


def _trade(rows: Table, sources: int, rng: np.random.Generator) -> Table:
    """Curveball trade of pairs of readers: (P, 2, degree) to (P, 2, degree).

    The two rows of a pair are pooled. A source that is in the pool more than once goes to both readers; the
    rest is shuffled and dealt out evenly. Without double links this is the curveball trade: each reader keeps
    the shared sources, and the others are split uniformly. With them, no trade can leave fewer.

    One sort does it: each pooled source becomes a 64-bit key, two bits for "first reader / anyone / second
    reader", then random bits, then the source itself. (Equal random bits, which would favour the smaller
    source, have a chance of 2^-40 or less up to four million sources.)
    """
    pairs, _, degree = rows.shape
    pool = np.sort(rows.reshape(pairs, 2 * degree), axis=1)
    equal = pool[:, 1:] == pool[:, :-1]
    second_copy = equal.copy()
    second_copy[:, 1:] &= ~equal[:, :-1]  # third and further copies are dealt out like the rest

    owner = np.ones(pool.shape, dtype=np.uint64)
    owner[:, :-1][second_copy] = 0  # the first copy, just before it
    owner[:, 1:][second_copy] = 2
    low = np.uint64(sources.bit_length())
    key = rng.integers(0, 1 << 62, size=pool.shape, dtype=np.uint64)
    key = (key >> low) << low
    key |= owner << np.uint64(62)
    key |= pool.astype(np.uint64)
    key.sort(axis=1)
    return (key & ((np.uint64(1) << low) - np.uint64(1))).astype(np.int32).reshape(rows.shape)


def _subsets(sources: int, readers: int, degree: int, rng: np.random.Generator) -> Table:
    """Independent uniform subsets: draw with replacement, draw repeated entries again until none is left.

    All that is ever asked of two sources is whether they are equal, so all subsets are equally likely.
    """
    table = np.sort(rng.integers(0, sources, size=(readers, degree), dtype=np.int32), axis=1)
    unfinished = np.arange(readers)
    while True:
        rows = table[unfinished]
        repeated = _repeats(rows)
        again = repeated.any(axis=1)
        if not again.any():
            return table
        unfinished, rows, repeated = unfinished[again], rows[again], repeated[again]
        rows[repeated] = rng.integers(0, sources, size=np.count_nonzero(repeated), dtype=np.int32)
        table[unfinished] = np.sort(rows, axis=1)


def _repeats(table: Table) -> NDArray[np.bool_]:
    """Mark the entries of ascending rows that equal the one before them."""
    repeated = np.zeros(table.shape, dtype=bool)
    np.equal(table[:, 1:], table[:, :-1], out=repeated[:, 1:])
    return repeated


def _complement(table: Table, sources: int) -> Table:
    """What each reader does not read, ascending: (readers, degree) to (readers, sources - degree)."""
    readers, degree = table.shape
    result = np.empty((readers, sources - degree), dtype=np.int32)
    step = max(1, (1 << 22) // sources)  # a block of the dense matrix at a time
    for start in range(0, readers, step):
        rows = table[start : start + step]
        absent = np.ones((len(rows), sources), dtype=bool)
        np.put_along_axis(absent, rows, False, axis=1)
        result[start : start + step] = np.nonzero(absent)[1].reshape(len(rows), -1)
    return result
