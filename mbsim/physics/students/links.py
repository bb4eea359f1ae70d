"""What students on the teacher's links share: how many links their units have."""

from mbsim.physics.problem import Problem


class TeachersLinks:
    """Hidden unit k reads the d inputs, and output o the D hidden units, that those of the teacher read."""

    def fan_in(self, problem: Problem) -> tuple[int, int]:
        """The teacher's in-degrees, d and D."""
        return problem.d, problem.output_degree

    def fan_out(self, problem: Problem) -> tuple[int, int]:
        """In the mean, rounded up."""
        return -(-problem.K * problem.d // problem.N), -(-problem.M * problem.output_degree // problem.K)
