"""Data with known answers, made by programs that share nothing with mbsim: what its analysis is held against."""
