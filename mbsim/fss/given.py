"""Means with errors in place of samples, as tables of other programs have them.

Every analysis here takes its errors from samples. So a mean A with its covariance C becomes 512 artificial
samples a_t with just this mean and just this covariance of the mean::

    Σ a_t / T = A,  Σ (a_t - A)(a_t - A)ᵀ / (T (T - 1)) = C

Estimators, crossings and collapses that read a mean work on them unchanged, and so many samples have Student's
t of the normal law. Nothing else may be read off them: they have no variance or histogram of their own.

The variable of errors is told by its dimensions: those of the mean, standard errors; one dimension more, as long
as the control and symmetric with it, a covariance; any other dimension more, draws of the mean.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.fss.door import label_of, real_numbers
from mbsim.fss.interval import Label
from mbsim.fss.resample import generator

Array = NDArray[np.float64]

SAMPLES = 512
FAR = 6.0
"""Draws whose mean is so many of their standard deviations off the value are draws of something else."""


def as_samples(
    values: xr.DataArray, error: xr.DataArray, samples: tuple[str, str], control: str
) -> xr.DataArray:
    """Artificial samples of a mean, with dimensions (labels..., *samples, control).

    Args:
        values: the means, over labels and control (sorted), NaN where there is none.
        error: their standard errors, covariance or draws.
        samples: names of the two dimensions of samples.
        control: the dimension of the control.

    Raises:
        DatasetError: the errors do not belong to the means, or are not positive.
    """
    labels = [str(dim) for dim in values.dims if dim != control]
    values = values.transpose(*labels, control)
    extra = [str(dim) for dim in error.dims if dim not in values.dims]
    missing = [str(dim) for dim in values.dims if dim not in error.dims]
    if missing or len(extra) > 1:
        raise DatasetError(
            f"error = {error.name!r} has dimensions {', '.join(map(str, error.dims))}: must have those of "
            f"{values.name}, {', '.join(map(str, values.dims))}, and at most one more"
        )
    real_numbers(error, str(error.name))
    if (
        extra and error.sizes[extra[0]] == error.sizes[control]
    ):  # a covariance, whose rows are in the same order
        order = error.indexes[control].get_indexer(values.indexes[control])
        error = error.isel({extra[0]: order[order >= 0]})
    error = error.reindex_like(values).transpose(*labels, *extra, control)
    means, spreads = values.to_numpy().astype(float), error.to_numpy().astype(float)
    found = np.full((*means.shape[:-1], SAMPLES, 1, means.shape[-1]), np.nan)
    for place in np.ndindex(means.shape[:-1]):
        inside = np.isfinite(means[place])
        if not inside.any():
            continue
        here: dict[str, Label] = {
            dim: label_of(values, dim, at) for dim, at in zip(labels, place, strict=True)
        }
        root = _root(means[place][inside], spreads[place][..., inside], inside, str(error.name))
        # Quantities of one table are taken for independent: each has numbers of its own.
        numbers = _standard(len(root), here | {"quantity": str(values.name)})
        found[place][:, 0, inside] = means[place][inside] + numbers @ root
    coords = {name: one for name, one in values.coords.items() if name in values.dims or one.ndim == 0}
    return xr.DataArray(found, coords, (*labels, *samples, control), values.name, values.attrs)


def _root(mean: Array, spread: Array, inside: NDArray[np.bool_], name: str) -> Array:
    """A matrix whose square is the covariance, (any, point)."""
    if spread.ndim == 1:
        if not (np.isfinite(spread) & (spread > 0)).all():
            bad = spread[~(np.isfinite(spread) & (spread > 0))][0]
            raise DatasetError(f"error = {name!r} holds {bad:g}: must be positive where there is a mean")
        return np.diag(spread)
    if len(spread) == len(inside) and np.allclose(spread[inside], spread[inside].T, rtol=1e-6):
        value, vector = np.linalg.eigh((spread[inside] + spread[inside].T) / 2)
        if not (np.diag(spread[inside]) > 0).all() or value.min() < -1e-6 * value.max():
            raise DatasetError(f"error = {name!r}: a covariance must be positive definite")
        return np.asarray(np.sqrt(np.clip(value, 0, None))[:, None] * vector.T)
    draws = spread[np.isfinite(spread).all(axis=1)]
    if len(draws) < 2:
        raise DatasetError(f"error = {name!r} holds {len(draws)} whole draws: must be two or more")
    centred = draws - draws.mean(axis=0)
    if (np.abs(draws.mean(axis=0) - mean) > FAR * draws.std(axis=0) + 1e-12 * np.abs(mean)).any():
        raise DatasetError(f"error = {name!r}: draws of a mean must scatter about it, these lie elsewhere")
    # The triangle of a QR decomposition has the same square as the draws, and no more rows than points.
    return np.asarray(np.linalg.qr(centred / np.sqrt(len(draws) - 1), mode="r"))


def _standard(rows: int, labels: dict[str, Label]) -> Array:
    """Numbers (sample, row) with mean zero and covariance T (T - 1) times that of a mean of unit variance."""
    rng = generator(0, labels)
    numbers = rng.normal(size=(max(SAMPLES, rows + 2), rows))[:SAMPLES]
    if rows > SAMPLES - 2:
        raise DatasetError(f"{rows} points with errors and no samples: must be at most {SAMPLES - 2}")
    orthogonal, _ = np.linalg.qr(numbers - numbers.mean(axis=0))
    return np.asarray(orthogonal * np.sqrt(SAMPLES * (SAMPLES - 1)))
