"""Short names for axes, legends and heads of columns; those of estimators are in `mbsim.fss.names`."""

QUANTITIES = {
    "mean": "order parameter",
    "binder": "Binder cumulant $U_4$",
    "susceptibility": r"susceptibility $\chi$",
    "success": "success probability",
    "success_time": "median time of success",
}
