"""Committees trained by mbsim beside their differential equations, as a figure.

    python benchmarks/committees.py [--N 1024] [--m 1 4 16] [--out committees.png]

Erf committees with two hidden units and fixed output weights learn a committee of two units, each of which
reads three inputs, from normal inputs with noisy labels: one run for each m, and the equations
(`mbsim.theory.committees`) from that run's own initial weights, as deep as its fluctuations of order
1/sqrt(N) allow. Prints the largest deviation.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from mbsim.engines.batched import ensemble as sgd_ensemble
from mbsim.engines.networks import stacked
from mbsim.figures.theory import trajectory_figure
from mbsim.physics import teachers
from mbsim.theory import committees, scaling
from mbsim.theory.order_parameters import Committee, OrderParameters, overlaps

UNITS, DEGREE = 2, 3
LR, NOISE = 3.0, 0.2  # in the theory's units
END, POINTS = 24.0, 13  # of alpha, steps over N
SEED = 2


def order_parameters(N: int, m: int, alpha: np.ndarray) -> list[OrderParameters]:
    """Q, R and T of one run at these times: a run of that length for each, as weights are kept at the end."""
    teacher = teachers.draw_real_teacher(N, UNITS, 1, DEGREE, False, False, SEED, 0)
    taught = stacked([teacher])
    shape = sgd_ensemble.shape_of(taught, N, dense=True, train_output=False, activation="erf")
    rate = LR / scaling.committee_units(1.0, N, teacher_hidden=UNITS).lr
    units = scaling.committee_units(rate, N, teacher_hidden=UNITS)
    links = np.zeros((UNITS, N))
    np.put_along_axis(links, teacher.hidden_sources, teacher.w, axis=1)
    dynamics = sgd_ensemble.Sgd(inputs="normal", noise=NOISE)
    zero = np.zeros(1, int)
    student = sgd_ensemble.SgdLabels(zero, np.array([m]), zero, np.array([rate]))
    found = []
    for steps in np.rint(alpha * N).astype(int):
        times = np.unique([0, steps])
        _, weights = sgd_ensemble.train(taught, zero, shape, student, times, dynamics, seed=SEED, test_size=2)
        w = units.weights * weights.w[0].T.astype(float)
        found.append(overlaps(w, scaling.teacher_weights(links, DEGREE)))
    return found


def compared(N: int, m: int) -> tuple[xr.Dataset, xr.Dataset]:
    """The equations on a fine grid of times, and the run."""
    alpha = np.linspace(0, END, POINTS)
    run = order_parameters(N, m, alpha)
    outputs = scaling.committee_units(1.0, N, teacher_hidden=UNITS).outputs
    committee = Committee(outputs, outputs, NOISE)
    fine = np.linspace(0, END, 8 * (POINTS - 1) + 1)
    theory = committees.trajectory(run[0], fine, lr=LR, m=m, N=N, committee=committee)
    seen = theory.sel(alpha=alpha)[["R", "Q"]].copy(deep=True)
    for name, dims in (("R", theory.R.dims), ("Q", theory.Q.dims)):
        rest = [dim for dim in dims if dim != "alpha"]
        values = xr.DataArray(np.stack([getattr(one, name) for one in run]), dims=["alpha", *rest])
        seen[name] = values.assign_coords(alpha=alpha).transpose(*dims)
    return theory, seen


def main() -> None:
    """Draw the figure and print how far the runs are from the equations."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--N", type=int, default=1024)
    parser.add_argument("--m", type=int, nargs="+", default=(1, 4, 16))
    parser.add_argument("--out", default="committees.png")
    options = parser.parse_args()
    size = 3.6 * len(options.m), 3.6
    figure, panels = plt.subplots(1, len(options.m), figsize=size, sharey=True, layout="constrained")
    for ax, m in zip(np.atleast_1d(panels), options.m, strict=True):
        theory, seen = compared(options.N, m)
        trajectory_figure({"$R$": (theory.R, seen.R), "$Q$": (theory.Q, seen.Q)}, ax)
        ax.set_title(f"$m$ = {m}")
        ax.set_ylabel("overlaps")
        ax.label_outer()
        handles, _ = ax.get_legend_handles_labels()
        ax.get_legend().remove()
        off = max(float(abs(seen[name] - theory[name].sel(alpha=seen.alpha)).max()) for name in ("R", "Q"))
        root = options.N**-0.5
        print(f"N = {options.N}, m = {m}: largest deviation of R and Q {off:.3f}, 1/sqrt(N) {root:.3f}")
    said = ["$R$, student with teacher", "$Q$, within the student"]
    title = f"lines: theory; points: one run, N = {options.N:,}"
    ax.legend(handles, said, title=title, fontsize="small", title_fontsize="small", frameon=False)
    figure.savefig(options.out, dpi=150)
    print(f"figure: {options.out}")


if __name__ == "__main__":
    main()
