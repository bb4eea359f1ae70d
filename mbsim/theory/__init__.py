"""Exact results that the simulations are held against, and that can be drawn over them.

    linear.critical_batch_size(lr, N)                  m_c of the linear student, in closed form
    linear.trajectory(steps, lr=, m=, N=, start=)      its mean squared distance to the teacher
    order_parameters.overlaps(student, teacher)        Q, R, T of weights
    committees.trajectory(start, alpha, lr=, m=, N=)   their course, for erf and linear committees
    scaling.linear_learning_rate, committee_units      a run's learning rate and weights for the theory

Nothing here needs JAX or a run; `mbsim.figures.theory` draws it over simulations. Each module opens with its
convention, equations and references.
"""

from mbsim.theory import committees, integrals, linear, order_parameters, scaling
from mbsim.theory.checks import TheoryError

__all__ = ["TheoryError", "committees", "integrals", "linear", "order_parameters", "scaling"]
