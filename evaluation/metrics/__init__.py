"""The measures on people kept out of training: `python -m evaluation evaluate`."""
