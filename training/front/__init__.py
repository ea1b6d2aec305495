"""Training of the small network that tells what stands in front of a face: drawn occluders over portraits."""
