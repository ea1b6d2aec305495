"""Studies of single questions: ablation, samplers, estimates, networks, versions."""
