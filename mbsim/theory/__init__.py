"""Exact results that the simulations are held against, and that can be drawn over them.

    linear.critical_batch_size(lr, N)               m_c of the linear student, in closed form
    linear.trajectory(steps, lr=, m=, N=, start=)   its mean squared distance to the teacher
    committees.order_parameters(w, B)               Q, R, T of a student and a teacher
    committees.trajectory(start, alpha, lr=, m=)    their course for erf and linear committees, with the error
    scaling                                         a run's learning rate and weights in the theory's
    normalisation figures                                         theory drawn over simulation

Nothing here needs JAX or a run. Each module opens with its convention, equations and references.
"""

from mbsim.theory import committees, integrals, linear, scaling
from mbsim.theory.checks import TheoryError

__all__ = ["TheoryError", "committees", "integrals", "linear", "scaling"]
