"""The denoiser's own parts: its configuration and the balanced cross-attention. Plain torch."""
