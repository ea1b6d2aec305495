"""Solvers of the probability-flow ODE. Plain torch, with the host's sampler signature."""
