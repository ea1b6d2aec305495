"""Training of the small network that tells hard and coloured light from skin: light drawn over soft portraits."""
