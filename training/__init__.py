"""How the weights are made: data, synthesis, networks' training, export. Imports `modules`; no module imports it."""
