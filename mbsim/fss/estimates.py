"""Every estimator of m_c(N, d), each with its own name, and the perfect-recovery threshold beside them.

"midpoint": of the order parameter (`midpoint`). "steepest": where it changes fastest (`steepest`). "level": where
it passes a fixed level, if it has a natural scale (`level`). "susceptibility": the peak of N Var (`peak`).
"binder_crossing" and "success_crossing": where the curves of consecutive sizes cross (`crossing`).
"perfect_recovery": the midpoint of the probability of success, which is no estimator of m_c: with ±1 weights
the m at which all N units are right grows like log N where the bulk does not move. Others may be registered
(`estimators`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import xarray as xr

from mbsim.errors import DatasetError
from mbsim.fss.critical import Critical
from mbsim.fss.crossing import BinderCrossing, SuccessCrossing
from mbsim.fss.design import SAMPLES, Design, Errors, Samples, levels, need_dataset
from mbsim.fss.estimators import ESTIMATORS, Estimator, Study, records_of, register
from mbsim.fss.level import Level
from mbsim.fss.midpoint import Midpoint, midpoints
from mbsim.fss.names import MIDPOINT, PERFECT_RECOVERY
from mbsim.fss.peak import Susceptibility
from mbsim.fss.records import Records
from mbsim.fss.samples import order_parameter_of
from mbsim.fss.steepest import SteepestSlope
from mbsim.fss.summaries import SUCCESS


class PerfectRecovery:
    """The midpoint of P(m), the share of students that succeed: a quantity of its own, and not m_c."""

    key = PERFECT_RECOVERY
    title = "perfect recovery, midpoint of success"
    short = "perfect recovery"
    needs = (SUCCESS,)

    def records(self, study: Study) -> Iterator[Critical]:
        """One for each combination of labels."""
        return (replace(one, estimator=self.key) for one in midpoints(study.ds, SUCCESS, study.design))


BUILT_IN: tuple[Estimator, ...] = (
    Midpoint(),
    SteepestSlope(),
    Level(),
    Susceptibility(),
    BinderCrossing(),
    SuccessCrossing(),
    PerfectRecovery(),
)
for _estimator in BUILT_IN:
    register(_estimator, built_in=True)
READ = {
    "mean": (Midpoint.key, SteepestSlope.key, Level().key),
    "susceptibility": (Susceptibility.key,),
    "binder": (BinderCrossing.key,),
    "success": (SuccessCrossing.key,),
}
"""The estimators that read a quantity and nothing else: those of means with errors."""


def estimates(
    ds: xr.Dataset,
    estimators: Sequence[str] | None = None,
    order_parameter: str | None = None,
    *,
    size: str = "N",
    control: str = "m",
    samples: Samples = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
    error: Errors = None,
) -> Records[Critical]:
    """m_c by each of `estimators`, for every combination of labels, with 95 % intervals.

    Args:
        ds: any dataset with the order parameter over size, control, samples and any labels.
        estimators: keys of `ESTIMATORS`; all of them if not given. Those that need a variable which the
            dataset lacks, such as `success`, are left out; with errors all but those of `READ`.
        order_parameter: its name; by default what `order_parameter_of` says.
        size: the dimension of system sizes.
        control: the dimension along which the transition is sought.
        samples: the quenched disorder, then the replicas within it; either may be absent.
        bootstrap: the number of resamples.
        seed: of the resamples.
        error: where there are no samples, the variable of the errors of the means, their covariance or their
            draws; or {quantity: (variable, its error)}. See `mbsim.fss.given`.
            The variable is what each estimator reads: name U4 with "binder_crossing", χ with
            "susceptibility". If no estimators are named, it is that of the midpoint.

    Returns:
        Records, one estimator after the other. A crossing belongs to two sizes, in the labels `size` and
        f"{size}_next". Where a number cannot be had it is NaN, and `because` says why.

    Raises:
        DatasetError: `ds` is no dataset; an unknown estimator; a variable, a dimension or the size is not
            there.

    >>> from mbsim import fss
    >>> found = fss.estimates(fss.planted([64, 256]), ["midpoint", "success_crossing"], bootstrap=100)
    >>> found.to_dataframe()[["N", "estimator", "m_c"]].round(1)
         N         estimator   m_c
    0   64          midpoint  18.0
    1  256          midpoint  17.9
    2   64  success_crossing   NaN
    """
    design = Design(size, control, levels(samples), bootstrap, seed, error)
    if isinstance(error, str) and estimators is None:
        estimators = [MIDPOINT]
    order_parameter = order_parameter_of(need_dataset(ds), order_parameter)
    return estimates_of(Study(ds, order_parameter, design), estimators)


def estimates_of(study: Study, estimators: Sequence[str] | None = None) -> Records[Critical]:
    """What `estimates` gives, of a study."""
    keys = _all(study.design.error) if estimators is None else _known(estimators)
    chosen = [ESTIMATORS[key] for key in keys]
    return Records(
        record
        for one in chosen
        if study.design.error is not None or all(name in study.ds for name in one.needs)
        for record in records_of(one, study)
    )


def _all(error: Errors) -> list[str]:
    """Every estimator; of means with errors those that read what is given."""
    if not isinstance(error, Mapping):
        return list(ESTIMATORS)
    return [key for quantity, keys in READ.items() if quantity in error for key in keys if key in ESTIMATORS]


def _known(estimators: Sequence[str]) -> list[str]:
    if isinstance(estimators, str) or not isinstance(estimators, Iterable):
        such = estimators if isinstance(estimators, str) else MIDPOINT
        raise DatasetError(f"estimators = {estimators!r}: must be a list, such as [{such!r}]")
    for key in estimators:
        if not isinstance(key, str) or key not in ESTIMATORS:
            raise DatasetError(f"estimators = {key!r}: allowed are {', '.join(ESTIMATORS)}")
    return list(dict.fromkeys(estimators))
