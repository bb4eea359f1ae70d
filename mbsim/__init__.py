"""mbsim: the critical mini-batch size of two-layer networks that learn a sparse teacher."""
