"""The q-state Potts model on the periodic square lattice by the Swendsen-Wang cluster algorithm.

H = -Σ δ(s_i, s_j); β_c = ln(1 + √q). The Ising model is q = 2 with β twice its own. First order for q > 4.
Many chains at many β go in step: the clusters of all of them are the components of one graph.

Exact at q = 2, in terms of N = L²: 1/ν = 1/2, β/ν = 1/16, γ/ν = 7/8.
"""

import numpy as np
import xarray as xr
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def critical(q):
    return np.log(1 + np.sqrt(q))


def chains(q, length, betas, count, sweeps, burn, rng, thin=1):
    """Order parameter (q max_a N_a / N - 1) / (q - 1), shape (chain, measurement, β).

    Half of the chains start ordered, half at random.
    """
    sites, systems = length * length, len(betas) * count
    lattice = np.arange(systems * sites).reshape(systems, length, length)
    pairs = [(lattice.ravel(), np.roll(lattice, -1, axis=axis).ravel()) for axis in (1, 2)]
    one, other = (np.concatenate(ends).astype(np.int32) for ends in zip(*pairs, strict=True))
    joins = np.tile(np.repeat(1 - np.exp(-np.asarray(betas)), count * sites), 2)
    spins = rng.integers(q, size=systems * sites, dtype=np.int8).reshape(systems, sites)
    spins[::2] = 0
    spins = spins.ravel()
    found = []
    for sweep in range(burn + sweeps):
        bonds = (spins[one] == spins[other]) & (rng.random(len(one)) < joins)
        graph = coo_matrix(
            (np.ones(int(bonds.sum()), np.int8), (one[bonds], other[bonds])), shape=(len(spins),) * 2
        )
        clusters, label = connected_components(graph, directed=False)
        spins = rng.integers(q, size=clusters, dtype=np.int8)[label]
        if sweep >= burn and (sweep - burn) % thin == 0:
            by_system = spins.reshape(systems, sites)
            most = np.max([(by_system == state).mean(axis=1) for state in range(q)], axis=0)
            found.append((q * most - 1) / (q - 1))
    return np.stack(found).reshape(-1, len(betas), count).transpose(2, 0, 1)


def dataset(q, by_length, count, sweeps, burn, seed=0, thin=1):
    """Order parameter `magnetisation` over N = L², m = β, chain (teacher) and measurement (replica).

    by_length: {L: values of β}; the grids need not agree.
    """
    rng = np.random.default_rng(seed)
    m = np.unique(np.concatenate(list(by_length.values())))
    values = []
    for length, betas in by_length.items():
        made = chains(q, length, betas, count, sweeps, burn, rng, thin)
        whole = np.full((*made.shape[:2], len(m)), np.nan)
        whole[..., np.searchsorted(m, betas)] = made
        values.append(whole)
    sizes = [length**2 for length in by_length]
    return xr.Dataset(
        {"magnetisation": (("N", "teacher", "replica", "m"), np.stack(values))}, {"N": sizes, "m": m}
    )
