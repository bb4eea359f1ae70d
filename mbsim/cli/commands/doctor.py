"""`mbsim doctor`: is this machine fit to run mbsim?"""

from mbsim.cli.exit_codes import DONE, FAILED


def command() -> int:
    """Is this machine fit to run mbsim? Versions, devices, and known answers of the compiled kernels."""
    from mbsim.cli import terminal
    from mbsim.engines.settings import check_shell
    from mbsim.running import doctor

    check_shell()
    return DONE if doctor.examine(terminal.say) else FAILED
