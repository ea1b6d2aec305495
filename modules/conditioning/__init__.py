"""What the UNet is told: tokens of identity and expression, the masked background, the guide."""
