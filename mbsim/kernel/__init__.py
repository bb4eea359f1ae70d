"""The compiled part of mbsim: graphs, bits, networks, dynamics, lanes. Imports only jax and numpy."""
