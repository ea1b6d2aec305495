"""How the weights are made: data, synthesis, networks' training, export. Imports `modules`; nobody imports it."""
