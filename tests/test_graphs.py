"""The law of the random graphs: uniform, simple, regular; and the way back from sources to readers.

Every chi-square test has a fixed seed and a false-alarm probability of `FALSE_ALARM`. Small cases are
compared with the list of all graphs, found by brute force; the samples are large enough to see that a graph
was only repaired, not mixed.
"""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from mbsim.physics import graphs
from mbsim.physics.graphs import random_sources, readers_of

FALSE_ALARM = 1e-7


def all_regular(nodes: int, degree: int) -> np.ndarray:
    """Every simple regular bipartite graph, as (graphs, nodes, degree) rows of ascending sources."""
    rows = np.array(list(itertools.combinations(range(nodes), degree)))
    adjacency = np.zeros((len(rows), nodes), dtype=np.int8)
    np.put_along_axis(adjacency, rows, 1, axis=1)
    chosen, sums = np.zeros((1, 0), dtype=np.int64), np.zeros((1, nodes), dtype=np.int8)
    for left in range(nodes - 1, -1, -1):
        grown = sums[:, None, :] + adjacency
        possible = ((grown <= degree) & (grown + left >= degree)).all(axis=-1)
        graph, row = np.nonzero(possible)
        chosen, sums = np.column_stack([chosen[graph], row]), grown[graph, row]
    return rows[chosen]


def chi_square_p(observed: np.ndarray, probability: np.ndarray) -> float:
    return float(stats.chisquare(observed, probability * observed.sum()).pvalue)


def counts_of(drawn: list[bytes], states: list[bytes]) -> np.ndarray:
    """How often each state was drawn; a draw outside the list is a KeyError."""
    index = {state: i for i, state in enumerate(states)}
    return np.bincount([index[key] for key in drawn], minlength=len(states))


def as_bytes(table: np.ndarray) -> bytes:
    return table.astype(np.int8).tobytes()


def shared_pairs(tables: np.ndarray) -> np.ndarray:
    """4-cycles: pairs of readers that share a pair of sources. (graphs, nodes, degree) to (graphs,)."""
    nodes = tables.shape[1]
    adjacency = np.zeros((*tables.shape[:2], nodes), dtype=np.float32)
    np.put_along_axis(adjacency, tables, 1, axis=2)
    shared = adjacency @ adjacency.transpose(0, 2, 1)
    shared = shared[:, *np.triu_indices(nodes, 1)].astype(np.int64)
    return (shared * (shared - 1) // 2).sum(axis=1)


# What every graph must be


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5, 8, 33, 64, 257])
def test_regular_graphs_have_both_degrees_and_no_double_link(nodes: int) -> None:
    rng = np.random.default_rng(nodes)
    degrees = {1, 2, 3, 5, nodes // 2, nodes // 2 + 1, nodes - 2, nodes - 1, nodes}
    for degree in sorted(d for d in degrees if 1 <= d <= nodes):
        table = random_sources(nodes, nodes, degree, rng)
        assert table.shape == (nodes, degree)
        assert table.dtype == np.int32
        assert np.all(np.diff(table, axis=1) > 0), "rows must be ascending, without a double link"
        assert np.array_equal(np.bincount(table.ravel(), minlength=nodes), np.full(nodes, degree))


@pytest.mark.parametrize(("nodes", "degree"), [(100_000, 5), (3_000, 31), (600, 300)])
def test_large_regular_graphs(nodes: int, degree: int) -> None:
    table = random_sources(nodes, nodes, degree, np.random.default_rng(1))
    assert np.all(np.diff(table, axis=1) > 0)
    assert np.all(np.bincount(table.ravel(), minlength=nodes) == degree)


@pytest.mark.parametrize(
    ("sources", "readers"), [(1, 2), (2, 1), (7, 1), (7, 4), (7, 30), (300, 100), (100, 301)]
)
def test_irregular_graphs_have_the_in_degree_and_no_double_link(sources: int, readers: int) -> None:
    rng = np.random.default_rng(sources)
    for degree in sorted({1, (sources + 1) // 2, sources // 2 + 1, max(1, sources - 1), sources}):
        table = random_sources(sources, readers, degree, rng)
        assert table.shape == (readers, degree)
        assert table.dtype == np.int32
        assert np.all(np.diff(table, axis=1) > 0)
        assert table.min() >= 0
        assert table.max() < sources


def test_full_degree_reads_everything() -> None:
    for sources, readers in ((6, 6), (6, 1), (6, 9)):
        table = random_sources(sources, readers, sources, np.random.default_rng(0))
        assert np.array_equal(table, np.broadcast_to(np.arange(sources), (readers, sources)))


@pytest.mark.parametrize(("sources", "readers"), [(50, 50), (50, 20)])
def test_the_generator_decides_the_graph(sources: int, readers: int) -> None:
    first, same, other = (random_sources(sources, readers, 3, np.random.default_rng(s)) for s in (5, 5, 6))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("sources", "readers", "degree"), [(4, 4, 5), (4, 3, 5), (4, 4, 0), (4, 3, -1), (4, 0, 1), (0, 3, 1)]
)
def test_impossible_sizes_are_refused(sources: int, readers: int, degree: int) -> None:
    with pytest.raises(ValueError, match=r"degree = |readers = "):
        random_sources(sources, readers, degree, np.random.default_rng(0))


# Uniformity of the regular graphs


@pytest.mark.parametrize(
    ("nodes", "degree", "number", "samples"),
    [
        (3, 1, 6, 600),
        (3, 2, 6, 600),
        (4, 3, 24, 1_200),
        pytest.param(5, 2, 2_040, 3_060, marks=pytest.mark.slow),
    ],
)
def test_regular_graphs_are_uniform(nodes: int, degree: int, number: int, samples: int) -> None:
    states = [as_bytes(table) for table in all_regular(nodes, degree)]
    assert len(states) == len(set(states)) == number
    rng = np.random.default_rng(20)
    drawn = [as_bytes(random_sources(nodes, nodes, degree, rng)) for _ in range(samples)]
    assert chi_square_p(counts_of(drawn, states), np.full(number, 1 / number)) > FALSE_ALARM


def four_by_four(rounds: int) -> tuple[float, float]:
    """p-values of 5,000 graphs of degree 2: over all 90, over the two shapes (an 8-cycle, two 4-cycles)."""
    rng = np.random.default_rng(21)
    tables = np.array([graphs._regular(4, 2, rng, rounds) for _ in range(5_000)])
    states = [as_bytes(table) for table in all_regular(4, 2)]
    each = counts_of([as_bytes(table) for table in tables], states)
    shapes = np.bincount(shared_pairs(tables), minlength=3)[[0, 2]]
    return chi_square_p(each, np.full(90, 1 / 90)), chi_square_p(shapes, np.array([72 / 90, 18 / 90]))


@pytest.mark.slow
def test_four_by_four_graphs_are_uniform_and_unmixed_ones_are_not() -> None:
    assert min(four_by_four(graphs.MIXING_ROUNDS)) > FALSE_ALARM
    assert four_by_four(0)[1] < FALSE_ALARM, "too few samples to see the bias of the repair"


@pytest.mark.slow
def test_four_cycles_of_six_by_six_graphs() -> None:
    """Degree 3: the graphs have 3, 4, 6, 10 or 18 four-cycles; the last is too rare to be a class."""
    tables = all_regular(6, 3)
    assert len(tables) == 297_200
    probability = np.bincount(np.minimum(shared_pairs(tables), 10)) / len(tables)
    rng = np.random.default_rng(22)
    drawn = np.array([random_sources(6, 6, 3, rng) for _ in range(1_500)])
    observed = np.bincount(np.minimum(shared_pairs(drawn), 10), minlength=len(probability))
    assert np.all(observed[probability == 0] == 0)
    assert chi_square_p(observed[probability > 0], probability[probability > 0]) > FALSE_ALARM


def test_four_cycles_of_large_graphs_are_those_of_the_configuration_model() -> None:
    """Poisson with mean (d-1)^4 / 4 for N >> d^2.

    N^4 / 4 choices of two readers and two sources; each of the 4 units has d(d-1) ways to give its two links
    their slots, and four given pairs of slots are matched with probability 1 / (N d)^4.
    """
    nodes, degree, samples = 2_000, 5, 30
    rng = np.random.default_rng(22)
    found = []
    for _ in range(samples):
        links, _ = readers_of(random_sources(nodes, nodes, degree, rng), nodes)
        readers = links // degree  # every two readers in a row share that source
        paths = [readers[:, a] * nodes + readers[:, b] for a, b in itertools.combinations(range(degree), 2)]
        _, times = np.unique(np.concatenate(paths), return_counts=True)
        found.append(np.sum(times * (times - 1) // 2))
    mean = (degree - 1) ** 4 / 4
    assert abs(np.mean(found) - mean) < 5 * math.sqrt(mean / samples)
    low, high = stats.chi2.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], samples - 1) / (samples - 1)
    assert low < np.var(found, ddof=1) / mean < high


# One trade


def test_a_trade_splits_the_unshared_sources_uniformly() -> None:
    pairs = np.tile(np.array([[0, 1, 4, 6], [1, 2, 3, 6]], dtype=np.int32), (6_000, 1, 1))
    traded = np.sort(graphs._trade(pairs, 7, np.random.default_rng(30)), axis=2)
    for reader in (0, 1):
        splits = [as_bytes(np.array(sorted((1, 6, *two)))) for two in itertools.combinations((0, 2, 3, 4), 2)]
        observed = counts_of([as_bytes(row) for row in traded[:, reader]], splits)
        assert chi_square_p(observed, np.full(6, 1 / 6)) > FALSE_ALARM
    assert np.all(np.sort(traded.reshape(-1, 8), axis=1) == [0, 1, 1, 2, 3, 4, 6, 6])


@pytest.mark.parametrize("rows", [[[2, 2, 5], [0, 1, 3]], [[2, 2, 2], [0, 1, 3]], [[2, 2, 2], [2, 3, 3]]])
def test_a_trade_leaves_as_few_double_links_as_it_can(rows: list[list[int]]) -> None:
    pairs = np.tile(np.array(rows, dtype=np.int32), (50, 1, 1))
    traded = np.sort(graphs._trade(pairs, 7, np.random.default_rng(31)), axis=2)
    assert np.all(np.sort(traded.reshape(50, -1), axis=1) == sorted(rows[0] + rows[1]))
    _, copies = np.unique(rows, return_counts=True)
    double_links = np.count_nonzero(np.diff(traded, axis=2) == 0, axis=(1, 2))
    assert np.all(double_links == np.maximum(copies - 2, 0).sum())


def test_a_global_trade_reaches_every_reader() -> None:
    """Of a ring's links about half stay: each of a pair's 2d sources (hardly ever shared) goes either way."""
    nodes, degree = 40_000, 3  # more pairs than one block holds
    assert nodes * degree > graphs._BLOCK
    ring = ((np.arange(nodes)[:, None] + np.arange(degree)) % nodes).astype(np.int32)
    table = ring.copy()
    graphs._global_trade(table, np.random.default_rng(32))
    stayed = (ring[:, :, None] == table[:, None, :]).any(axis=2).sum(axis=1)
    law = np.array([math.comb(degree, k) ** 2 for k in range(degree + 1)]) / math.comb(2 * degree, degree)
    for part in np.split(stayed, 4):
        # the two readers of a pair keep equally many, so no more than half of the counts are independent
        assert chi_square_p(np.bincount(part, minlength=degree + 1) / 2, law) > FALSE_ALARM


# Unequal sides


@pytest.mark.parametrize(("sources", "degree"), [(6, 2), (6, 3), (6, 5), (9, 4), (9, 7)])
def test_unequal_sides_give_uniform_subsets(sources: int, degree: int) -> None:
    subsets = [as_bytes(np.array(c)) for c in itertools.combinations(range(sources), degree)]
    table = random_sources(sources, 50 * len(subsets), degree, np.random.default_rng(40))
    observed = counts_of([as_bytes(row) for row in table], subsets)
    assert chi_square_p(observed, np.full(len(subsets), 1 / len(subsets))) > FALSE_ALARM


def test_readers_of_unequal_sides_choose_independently() -> None:
    rng = np.random.default_rng(41)
    rows = [np.array(c) for c in itertools.combinations(range(4), 2)]
    states = [as_bytes(np.array(both)) for both in itertools.product(rows, rows)]
    drawn = [as_bytes(random_sources(4, 2, 2, rng)) for _ in range(3_600)]
    assert chi_square_p(counts_of(drawn, states), np.full(36, 1 / 36)) > FALSE_ALARM


# The way back


@pytest.mark.parametrize(
    ("sources", "readers", "degree"), [(1, 1, 1), (30, 30, 3), (30, 7, 4), (7, 50, 6), (12, 1, 12)]
)
def test_readers_of_lists_every_link_once_under_its_source(sources: int, readers: int, degree: int) -> None:
    table = random_sources(sources, readers, degree, np.random.default_rng(50))
    links, out_degree = readers_of(table, sources)
    assert links.dtype == out_degree.dtype == np.int32
    assert links.shape == (sources, max(1, out_degree.max()))
    expected = [[link for link, s in enumerate(table.ravel()) if s == source] for source in range(sources)]
    assert [row[row >= 0].tolist() for row in links] == expected
    assert np.array_equal(out_degree, [len(row) for row in expected])
    assert np.all((links >= 0) == (np.arange(links.shape[1]) < out_degree[:, None])), "-1 only at the end"


def test_readers_of_takes_rows_in_any_order_and_unread_sources() -> None:
    links, out_degree = readers_of(np.array([[3, 0], [0, 3], [5, 3]], dtype=np.int32), 7)
    assert links.tolist() == [[1, 2, -1], [-1] * 3, [-1] * 3, [0, 3, 5], [-1] * 3, [4, -1, -1], [-1] * 3]
    assert out_degree.tolist() == [2, 0, 0, 3, 0, 1, 0]


@pytest.mark.parametrize("wrong", [-1, 4])
def test_readers_of_refuses_sources_that_do_not_exist(wrong: int) -> None:
    with pytest.raises(ValueError, match=r"must be in \[0, 4\)"):
        readers_of(np.array([[0, wrong]], dtype=np.int32), 4)
