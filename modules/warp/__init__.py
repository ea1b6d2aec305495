"""The coarse warp: one face drawn in the place of another, as the face model moves it. Plain torch."""
