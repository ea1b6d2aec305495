"""How good the pack is: pictures without the graph (`generate`), measures, the demonstration and the bench.

Run from the project root: `python -m evaluation generate|evaluate|identity|expression|words|ablation|balance|demo|bench`.
No module of the pack imports this.
"""
