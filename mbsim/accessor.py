"""`ds.mbsim`: the analysis and its figures as methods of a dataset.

Thin: each method is the free function of the same name in `mbsim.fss` or `mbsim.figures`, with the dataset put
first and the same arguments; see there for what they mean, what comes back, and the errors. Datasets of
`mbsim.open_run` and `mbsim.run` have it; for others `import mbsim.accessor`.

    ds = mbsim.open_run("runs/quickstart")
    ds.mbsim.midpoint().to_dataframe()
    ds.mbsim.summaries().sel(d=5).mbsim.summary_figure("binder")

Neither scipy nor matplotlib is imported before a method is called.

Reference: xarray, "Extending xarray using accessors".
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import xarray as xr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mbsim.fss import Analysis, Collapse, Critical, Hysteresis, OverTime, Records, Verdict

Samples = tuple[str, str]
AnySamples = str | Sequence[str] | None
Errors = str | Mapping[str, tuple[str, str]] | None
Window = tuple[float, float] | None
SAMPLES: Samples = ("teacher", "replica")


@xr.register_dataset_accessor("mbsim")
class MbsimAccessor:
    """Finite-size scaling of this dataset, and its figures."""

    def __init__(self, ds: xr.Dataset):
        self._ds = ds

    def analyze(
        self,
        order_parameter: str | None = None,
        *,
        label: str = "init_overlap",
        connectivity: str = "d",
        size: str = "N",
        control: str = "m",
        samples: Samples = SAMPLES,
        bootstrap: int = 1000,
        seed: int = 0,
    ) -> "Analysis":
        """`fss.analyze`: everything that can be said, and why of what cannot."""
        from mbsim import fss

        return fss.analyze(
            self._ds, order_parameter, label=label, connectivity=connectivity, size=size, control=control,
            samples=samples, bootstrap=bootstrap, seed=seed,
        )  # fmt: skip

    def collapse(
        self,
        order_parameter: str | None = None,
        *,
        quantity: str | Sequence[str] = "mean",
        m_c: float | None = None,
        nu: float | None = None,
        beta: float | Mapping[str, float] | None = None,
        correction: float | Literal["fit"] | None = None,
        window: Window = None,
        scaled_window: Window = None,
        start: Mapping[str, float] | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        size: str = "N",
        control: str = "m",
        samples: AnySamples = SAMPLES,
        bootstrap: int = 1000,
        seed: int = 0,
        error: Errors = None,
    ) -> "Records[Collapse]":
        """`fss.collapse`: m_c and the exponents that bring all sizes onto one curve."""
        from mbsim import fss

        return fss.collapse(
            self._ds, order_parameter, quantity=quantity, m_c=m_c, nu=nu, beta=beta, correction=correction,
            window=window, scaled_window=scaled_window, start=start, bounds=bounds, size=size,
            control=control, samples=samples, bootstrap=bootstrap, seed=seed, error=error,
        )  # fmt: skip

    def estimates(
        self,
        estimators: Sequence[str] | None = None,
        order_parameter: str | None = None,
        *,
        size: str = "N",
        control: str = "m",
        samples: AnySamples = SAMPLES,
        bootstrap: int = 1000,
        seed: int = 0,
        error: Errors = None,
    ) -> "Records[Critical]":
        """`fss.estimates`: m_c at each (N, d) by each estimator."""
        from mbsim import fss

        return fss.estimates(
            self._ds, estimators, order_parameter, size=size, control=control, samples=samples,
            bootstrap=bootstrap, seed=seed, error=error,
        )  # fmt: skip

    def hysteresis(
        self,
        order_parameter: str | None = None,
        *,
        label: str = "init_overlap",
        size: str = "N",
        control: str = "m",
        samples: Samples = SAMPLES,
        bootstrap: int = 1000,
        seed: int = 0,
    ) -> "Records[Hysteresis]":
        """`fss.hysteresis`: the loop between random and planted starts."""
        from mbsim import fss

        return fss.hysteresis(
            self._ds, order_parameter, label=label, size=size, control=control, samples=samples,
            bootstrap=bootstrap, seed=seed,
        )  # fmt: skip

    def midpoint(
        self,
        order_parameter: str | None = None,
        *,
        control: str = "m",
        samples: AnySamples = SAMPLES,
        scale: Literal["linear", "log"] = "linear",
        minimum_rise: float = 0.0,
        bootstrap: int = 1000,
        seed: int = 0,
        error: str | None = None,
    ) -> "Records[Critical]":
        """`fss.midpoint`: m_c at each (N, d), half-way between both branches of the order parameter."""
        from mbsim import fss

        return fss.midpoint(
            self._ds, order_parameter, control=control, samples=samples, scale=scale,
            minimum_rise=minimum_rise, bootstrap=bootstrap, seed=seed, error=error,
        )  # fmt: skip

    def over_time(
        self,
        order_parameter: str | None = None,
        *,
        size: str = "N",
        control: str = "m",
        samples: Samples = SAMPLES,
        time: str = "time",
        estimator: str = "midpoint",
        bootstrap: int = 1000,
        seed: int = 0,
    ) -> "Records[OverTime]":
        """`fss.over_time`: m_c at every measured time, and whether it still moves."""
        from mbsim import fss

        return fss.over_time(
            self._ds, order_parameter, size=size, control=control, samples=samples, time=time,
            estimator=estimator, bootstrap=bootstrap, seed=seed,
        )  # fmt: skip

    def summaries(
        self,
        order_parameter: str | None = None,
        *,
        size: str = "N",
        control: str = "m",
        samples: AnySamples = SAMPLES,
        bootstrap: int = 1000,
        seed: int = 0,
        error: Errors = None,
    ) -> xr.Dataset:
        """`fss.summaries`: means, cumulants and success against m, with intervals."""
        from mbsim import fss

        return fss.summaries(
            self._ds, order_parameter, size=size, control=control, samples=samples, bootstrap=bootstrap,
            seed=seed, error=error,
        )  # fmt: skip

    def transition_order(
        self,
        order_parameter: str | None = None,
        *,
        label: str = "init_overlap",
        size: str = "N",
        control: str = "m",
        samples: Samples = SAMPLES,
        bootstrap: int = 1000,
        seed: int = 0,
    ) -> "Records[Verdict]":
        """`fss.transition_order`: first or second order, and on what evidence."""
        from mbsim import fss

        return fss.transition_order(
            self._ds, order_parameter, label=label, size=size, control=control, samples=samples,
            bootstrap=bootstrap, seed=seed,
        )  # fmt: skip

    def order_parameter_figure(
        self,
        critical: "Sequence[Critical]" = (),
        ax: "Axes | None" = None,
        *,
        order_parameter: str | None = None,
        size: str = "N",
        control: str = "m",
    ) -> "Axes":
        """`figures.order_parameter_figure`: the order parameter against m, with m_c where it is given."""
        from mbsim import figures

        return figures.order_parameter_figure(
            self._ds, critical, ax, order_parameter=order_parameter, size=size, control=control
        )

    def order_parameter_panels(
        self,
        critical: "Sequence[Critical]" = (),
        *,
        order_parameter: str | None = None,
        size: str = "N",
        control: str = "m",
    ) -> "Figure":
        """`figures.order_parameter_panels`: the same, a panel for each d and any other label."""
        from mbsim import figures

        return figures.order_parameter_panels(
            self._ds, critical, order_parameter=order_parameter, size=size, control=control
        )

    def phase_diagram(
        self,
        across: str = "d",
        ax: "Axes | None" = None,
        *,
        quantity: str = "mean",
        critical: "Sequence[Critical]" = (),
        control: str = "m",
    ) -> "Axes":
        """`figures.phase_diagram`, of summaries: the order parameter as colour over m and another dimension."""
        from mbsim import figures

        return figures.phase_diagram(
            self._ds, across, ax, quantity=quantity, critical=critical, control=control
        )

    def relaxation_figure(
        self,
        ax: "Axes | None" = None,
        *,
        controls: Sequence[float] = (),
        critical: "Sequence[Critical]" = (),
        order_parameter: str | None = None,
        size: str = "N",
        control: str = "m",
        samples: Samples = SAMPLES,
        time: str = "time",
    ) -> "Axes":
        """`figures.relaxation_figure`: the order parameter against time at several values of the control."""
        from mbsim import figures

        return figures.relaxation_figure(
            self._ds, ax, controls=controls, critical=critical, order_parameter=order_parameter, size=size,
            control=control, samples=samples, time=time,
        )  # fmt: skip

    def summary_figure(
        self,
        quantity: str = "mean",
        ax: "Axes | None" = None,
        *,
        critical: "Sequence[Critical]" = (),
        size: str = "N",
        control: str = "m",
    ) -> "Axes":
        """`figures.summary_figure`, of summaries: one of them against m, with intervals."""
        from mbsim import figures

        return figures.summary_figure(self._ds, quantity, ax, critical=critical, size=size, control=control)

    def teacher_figure(
        self,
        ax: "Axes | None" = None,
        *,
        critical: "Sequence[Critical]" = (),
        order_parameter: str | None = None,
        size: str = "N",
        control: str = "m",
        samples: Samples = SAMPLES,
    ) -> "Axes":
        """`figures.teacher_figure`: how far each teacher lies from the mean of all."""
        from mbsim import figures

        return figures.teacher_figure(
            self._ds, ax, critical=critical, order_parameter=order_parameter, size=size, control=control,
            samples=samples,
        )  # fmt: skip
