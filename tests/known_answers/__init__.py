"""Data with known answers, made by programs that share nothing with mbsim, to hold its analysis against."""
