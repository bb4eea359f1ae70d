"""Systems whose transition is known, by exact or fast sampling: none, continuous, and first order.

Every student is one independent configuration (of the lattice: a chain of its own, measured several times). A
dataset has its order parameter `q` over (N, teacher, replica, m), m the control of each system.

    ring             1D Ising ring in a field m: ⟨q⟩ smooth, χ = exp(2K) at most: a crossover
    free             spins without coupling in a field: a crossover
    curie_weiss      |magnetisation| against the coupling, 1 at the transition; in N: 1/ν = 1/2, β/ν = 1/4
    giant_component  largest component of G(N, c/N) against c, 1 at the transition; 1/ν = 1/3, β/ν = 1/3
    square_ising     |magnetisation| of the periodic square lattice against β; 1/ν = 1/2, β/ν = 1/16, N = L²
    two_peaks        two phases whose weights change over as exp(N (m - m_c)): 1/ν = 1, β/ν = 0
"""

import numpy as np
import xarray as xr
from numba import njit
from scipy.special import gammaln

TEACHERS, REPLICAS = 16, 32
BETA_C = np.log(1 + np.sqrt(2)) / 2


def dataset(sizes, m, make, seed, teachers=TEACHERS, replicas=REPLICAS):
    """`make(N, m, students, rng)` gives (student, point); m is a grid, or a function of N."""
    rng = np.random.default_rng(seed)
    grids = [np.asarray(m(size) if callable(m) else m, float) for size in sizes]
    union = np.unique(np.concatenate(grids))
    values = np.full((len(sizes), teachers, replicas, len(union)), np.nan)
    for at, (size, grid) in enumerate(zip(sizes, grids, strict=True)):
        made = make(size, grid, teachers * replicas, rng)
        values[at][..., np.searchsorted(union, grid)] = made.reshape(teachers, replicas, -1)
    return xr.Dataset({"q": (("N", "teacher", "replica", "m"), values)}, {"N": list(sizes), "m": union})


def ring(xi, sizes=(16, 32, 64, 128), seed=0, points=21, **samples):
    """Mean spin of rings with correlation length xi at zero field, by the transfer matrix."""
    coupling = np.arctanh(np.exp(-1 / xi))
    fields = 6 * np.exp(-2 * coupling) * np.linspace(-1, 1, points)
    return dataset(sizes, fields, lambda *args: ring_spins(coupling, *args), seed, **samples)


def ring_spins(coupling, size, fields, students, rng):
    """Mean spin, (student, field): each spin from its law given the one before it and the first one."""
    spin = np.array([1.0, -1.0])
    exponent = coupling * np.outer(spin, spin) + fields[:, None, None] * (spin[:, None] + spin) / 2
    transfer = np.exp(exponent)
    powers = [np.broadcast_to(np.eye(2), transfer.shape)]
    for _ in range(size):
        product = powers[-1] @ transfer
        powers.append(product / product.max(axis=(1, 2), keepdims=True))
    shape, point = (students, len(fields)), np.arange(len(fields))
    closed = np.stack([powers[size][:, 0, 0], powers[size][:, 1, 1]])
    first = (rng.random(shape) > closed[0] / closed.sum(axis=0)).astype(int)
    here, total = first, spin[first]
    for left in range(size - 1, 0, -1):
        weights = [transfer[point, here, to] * powers[left][point, to, first] for to in (0, 1)]
        here = (rng.random(shape) > weights[0] / (weights[0] + weights[1])).astype(int)
        total = total + spin[here]
    return total / size


def free(sizes=(16, 32, 64, 128), seed=0, points=21, **samples):
    """Mean of N spins that do not see each other, in a field."""
    fields = np.linspace(-3, 3, points)

    def make(size, grid, students, rng):
        return 2 * rng.binomial(size, 1 / (1 + np.exp(-2 * grid)), (students, len(grid))) / size - 1

    return dataset(sizes, fields, make, seed, **samples)


def about(place, reach, power, points):
    """A grid for each N about a transition, as wide in the scaled control (m - place) N^power."""
    return lambda size: np.round(place + np.linspace(-reach, reach, points) * size**-power, 9)


def curie_weiss(sizes=(64, 128, 256, 512), seed=0, points=25, grid=None, **samples):
    """|M| / N with weight exp(J M² / 2N), from its exact law."""
    couplings = np.linspace(0.4, 2.2, points) if grid is None else grid

    def make(size, grid, students, rng):
        up = np.arange(size + 1)
        entropy = gammaln(size + 1) - gammaln(up + 1) - gammaln(size - up + 1)
        magnetisation = np.abs(2 * up - size)
        found = []
        for coupling in grid:
            law = np.exp((logs := entropy + coupling * magnetisation**2 / (2 * size)) - logs.max())
            found.append(rng.choice(magnetisation, students, p=law / law.sum()) / size)
        return np.stack(found, axis=-1)

    return dataset(sizes, couplings, make, seed, **samples)


def giant_component(sizes=(64, 128, 256, 512), seed=0, points=25, grid=None, **samples):
    """Share of the nodes in the largest component of a random graph; a student's edges arrive one by one."""
    degrees = np.linspace(0.2, 2.6, points) if grid is None else grid

    def make(size, grid, students, rng):
        edges = rng.poisson(np.diff(grid, prepend=0.0) * size / 2, (students, len(grid))).cumsum(axis=1)
        return _largest(size, edges, int(rng.integers(2**31)))

    return dataset(sizes, degrees, make, seed, **samples)


@njit(cache=True)
def _largest(size, edges, seed):
    np.random.seed(seed)
    found = np.zeros(edges.shape)
    for student in range(edges.shape[0]):
        parent, weight, best, placed = np.arange(size), np.ones(size), 1.0, 0
        for point in range(edges.shape[1]):
            while placed < edges[student, point]:
                placed += 1
                one, other = np.random.randint(size), np.random.randint(size)
                while parent[one] != one:
                    parent[one] = parent[parent[one]]
                    one = parent[one]
                while parent[other] != other:
                    parent[other] = parent[parent[other]]
                    other = parent[other]
                if one != other:
                    parent[one] = other
                    weight[other] += weight[one]
                    best = max(best, weight[other])
            found[student, point] = best / size
    return found


def square_ising(lengths=(8, 12, 16, 24), seed=0, teachers=TEACHERS, replicas=REPLICAS, sweeps=3):
    """|M| / N by single clusters (Wolff), `sweeps` sweeps apart; a teacher is a chain."""
    reduced = np.r_[-7.0, -5.0, np.linspace(-3.5, 2.5, 13), 4.0]

    def grid(size):
        return np.round(BETA_C * (1 + reduced / (1.4 * np.sqrt(size))), 6)

    def make(size, betas, students, rng):
        length = int(np.sqrt(size))
        made = _wolff(length, betas, teachers, replicas, sweeps, int(rng.integers(2**31)))
        return made.reshape(students, len(betas))

    return dataset([length**2 for length in lengths], grid, make, seed, teachers, replicas)


@njit(cache=True)
def _wolff(length, betas, chains, measurements, sweeps, seed):
    np.random.seed(seed)
    sites = length * length
    found = np.zeros((chains, measurements, len(betas)))
    stack = np.zeros(sites, np.int64)
    for at in range(len(betas)):
        join = 1 - np.exp(-2 * betas[at])
        for chain in range(chains):
            spins = np.ones(sites, np.int8)
            if chain % 2:
                for site in range(sites):
                    spins[site] = 1 if np.random.random() < 0.5 else -1
            for measurement in range(-10, measurements):
                flipped = 0
                while flipped < sweeps * sites:
                    site = np.random.randint(sites)
                    old, depth = spins[site], 1
                    stack[0], spins[site] = site, -old
                    flipped += 1
                    while depth:
                        depth -= 1
                        row, column = stack[depth] // length, stack[depth] % length
                        for way in range(4):
                            near_row = (row + (way == 0) - (way == 1)) % length
                            near = near_row * length + (column + (way == 2) - (way == 3)) % length
                            if spins[near] == old and np.random.random() < join:
                                spins[near] = -old
                                stack[depth] = near
                                depth += 1
                                flipped += 1
                if measurement >= 0:
                    found[chain, measurement, at] = abs(spins.astype(np.float64).sum()) / sites
    return found


STRONG = {"low": 0.15, "high": 0.95, "spread": 0.6}
"""The valley is empty at every size."""
WEAK = {"low": 0.3, "high": 0.7, "spread": 1.0}
"""The barrier, N (high - low)² / 8 spread², grows from 0.6 at N = 32 to 5 at N = 256."""


def two_peaks(low, high, spread, sizes=(32, 64, 128, 256), seed=0, points=33, rate=1.0, grid=None, **samples):
    """Two values of q, low and high, each with a normal spread / √N; high has the weight 1 / (1 + exp(-rate N m))."""
    grid = np.linspace(-0.16, 0.16, points) if grid is None else grid

    def make(size, grid, students, rng):
        learnt = rng.random((students, len(grid))) < 1 / (1 + np.exp(-rate * size * grid))
        noise = spread / np.sqrt(size) * rng.normal(size=learnt.shape)
        return np.where(learnt, high, low) + noise

    return dataset(sizes, grid, make, seed, **samples)
