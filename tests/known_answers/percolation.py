"""Site percolation on the square lattice by union-find.

Sites are occupied one after the other in random order (Newman and Ziff, Phys. Rev. Lett. 85, 4104 (2000)),
so that one configuration gives the whole curve against p. Many configurations go in step, each
with its own order; every union and every find is done for all of them at once. A site has a uniform threshold
and is occupied at p above it, so that the number of occupied sites fluctuates as it should.

Exact: p_c = 0.592746; in terms of the number of sites N = L²: 1/ν = 3/8, β/ν = 5/96, γ/ν = 43/48.
"""

import numpy as np
import xarray as xr

P_C, INVERSE_NU, BETA_OVER_NU, GAMMA_OVER_NU = 0.59274605, 3 / 8, 5 / 96, 43 / 48


def percolation(length, configurations, shares, rng, spanning=False):
    """Largest cluster per site at each p, shape (configuration, p); periodic boundaries.

    spanning: instead, whether a cluster joins the first and the last row; open rows, periodic columns.
    """
    sites = length * length
    thresholds = rng.random((configurations, sites))
    order = np.argsort(thresholds, axis=1)
    counts = (thresholds[..., None] < np.asarray(shares)).sum(axis=1)
    rows = np.arange(configurations)
    top, bottom = sites, sites + 1
    parent = np.tile(np.arange(sites + 2), (configurations, 1))
    size = np.ones((configurations, sites + 2))
    occupied = np.zeros((configurations, sites + 2), bool)
    occupied[:, [top, bottom]] = spanning
    largest = np.zeros(configurations)
    curve = np.zeros((configurations, counts.max() + 1))
    for step in range(1, counts.max() + 1):
        site = order[:, step - 1]
        occupied[rows, site] = True
        row, column = np.divmod(site, length)
        up, down = (row - 1) % length * length + column, (row + 1) % length * length + column
        if spanning:
            up, down = np.where(row == 0, top, up), np.where(row == length - 1, bottom, down)
        left, right = row * length + (column - 1) % length, row * length + (column + 1) % length
        root = site
        for neighbour in (up, down, left, right):
            other = find(parent, rows, neighbour)
            joins = occupied[rows, neighbour] & (other != root)
            larger = np.where(size[rows, other] > size[rows, root], other, root)
            smaller = np.where(larger == other, root, other)
            parent[rows[joins], smaller[joins]] = larger[joins]
            size[rows[joins], larger[joins]] += size[rows[joins], smaller[joins]]
            root = np.where(joins, larger, root)
        largest = np.maximum(largest, size[rows, root])
        if spanning:
            ends = (find(parent, rows, np.full(configurations, end)) for end in (top, bottom))
            curve[:, step] = np.equal(*ends)
        else:
            curve[:, step] = largest / sites
    return np.take_along_axis(curve, counts, axis=1)


def find(parent, rows, node):
    """Root of one node in each configuration, halving the paths."""
    while True:
        above = parent[rows, node]
        if (above == node).all():
            return node
        parent[rows, node] = parent[rows, above]
        node = parent[rows, node]


def dataset(lengths, configurations, shares, seed=0, spanning=False):
    """Order parameter `largest` (or `success`, spanning) over N = L², m = p and configuration."""
    rng = np.random.default_rng(seed)
    values = [percolation(length, configurations, shares, rng, spanning) for length in lengths]
    name = "success" if spanning else "largest"
    return xr.Dataset(
        {name: (("N", "teacher", "m"), np.stack(values))},
        {"N": [length**2 for length in lengths], "m": np.asarray(shares)},
    )
