"""Other pictures of the same person: re-expressed, re-posed, relit, recoloured, degraded."""
