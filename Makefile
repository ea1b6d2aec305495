# Everything a developer does, one word each. A user who has ComfyUI needs none of this; see README.md.
SYSTEM_PYTHON ?= python3
PYTHON := .venv/bin/python
DATA ?= ../shared/data
SELFIE ?=
BACKGROUND ?=
LABEL ?=
TRAIN ?=
JOBS ?= 2
SOAK ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast soak train evaluate bench lint clean

help: ## this list
	@echo "make ..."
	@sed -n 's/^\([a-z-]*\):.*## /  \1|/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-12s%s\n", $$1, $$2}'

setup: ## makes .venv, .comfyui and .people (about two minutes; later less than a second)
	@$(SYSTEM_PYTHON) dev/setup.py

demo: setup ## a selfie, a word and a background become a picture: make demo [SELFIE=a.png] [BACKGROUND=b.png] [LABEL=joy]
	@echo "demo: running the whole graph in ComfyUI"
	@OMP_NUM_THREADS=1 $(PYTHON) -m evaluation demo \
		$(if $(SELFIE),--selfie "$(SELFIE)") $(if $(BACKGROUND),--background "$(BACKGROUND)") $(if $(LABEL),--label "$(LABEL)")

test: lint ## lint and every test, the real host included, in JOBS processes (2)
	@echo "test: every test"
	@OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -n $(JOBS) --dist loadfile

test-fast: setup ## the tests that need no host
	@echo "test-fast: the tests that need no host"
	@OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -m "not host" -n $(JOBS) --dist loadfile

soak: setup ## the long look: 300 prompts, 30 interruptions, 8 kills, 300 damaged bundles, 300 odd inputs; prints a table
	@echo "soak: an hour of what nobody means to give"
	@OMP_NUM_THREADS=1 $(PYTHON) -m tests.soak $(SOAK)

train: setup ## every training stage, from the data in DATA; TRAIN="--device cuda --minutes 600" for more
	@echo "train: every stage, from $(DATA)"
	@$(PYTHON) -m training all --data "$(DATA)" $(TRAIN)

evaluate: setup ## measures the default weights on the held-out part of DATA
	@echo "evaluate: measuring the default weights on $(DATA)"
	@OMP_NUM_THREADS=1 $(PYTHON) -m evaluation evaluate --data "$(DATA)" --write-docs

bench: setup ## time and memory of each step
	@echo "bench: time and memory of each step"
	@OMP_NUM_THREADS=1 $(PYTHON) -m evaluation bench

lint: setup ## style
	@echo "lint: ruff"
	@$(PYTHON) -m ruff check .

clean: ## removes caches and output/; keeps runs/ (training) and what setup made
	@echo "clean: removing caches and output/"
	@rm -rf output .pytest_cache .ruff_cache
	@find . \( -path ./.venv -o -path ./.comfyui -o -path ./.git \) -prune -o -name __pycache__ -type d -exec rm -rf {} +
