"""Faces: finding them, 478 landmarks, 52 blendshapes, choice of a face, alignment, masks and mesh warps."""
