"""Where time and memory go: `python -m evaluation bench`."""
