# The doors of samcarry. `make` lists them. Nothing is installed outside .venv.
.DEFAULT_GOAL := help
.PHONY: help install demo test test-envs faults lint lock clean

BIN := $(CURDIR)/.venv/bin
INSTALLED := .venv/requirements.lock
# Snakemake starts the `python` that it finds on the path.
export PATH := $(BIN):$(PATH)

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## Install everything into .venv; the other commands do so themselves

demo: $(INSTALLED) ## Run the demo: config.yaml, results in results/demo; goes on where it stopped
	@tools/unlock.sh
	"$(BIN)/snakemake" --cores 8 --resources gpu=1

test: lint ## Check style and types, then run all tests
	"$(BIN)/python" -m pytest

test-envs: $(INSTALLED) ## Install each of envs/ alone in a clean environment and run its rules (slow)
	"$(BIN)/python" -m pytest tests/envs

faults: $(INSTALLED) ## Kill, fill disks, damage files: does every run end as if nothing had been? (slow)
	"$(BIN)/python" tests/faults.py

lint: $(INSTALLED) ## Check style and types only
	"$(BIN)/ruff" check
	"$(BIN)/ruff" format --check
	"$(BIN)/snakefmt" --check Snakefile workflow
	"$(BIN)/mypy"
	"$(BIN)/snakemake" --lint

lock: ## Renew requirements.lock from requirements.in, and what envs/ need (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: python3.11 -m pip install uv"; exit 1; }
	uv pip compile requirements.in --python-version 3.11 --universal --generate-hashes \
		--no-annotate --no-header -o requirements.lock
	python3 tools/pin_envs.py

clean: ## Remove the caches of the tools; .venv and results stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find scripts tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# The copy of the lock file comes last: an install that was interrupted does not count as done.
$(INSTALLED): requirements.lock
	@if cmp -s requirements.lock $(INSTALLED); then touch $(INSTALLED); exit; fi; \
	for python in python3.11 python3; do \
		$$python -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' \
			2>/dev/null && break; \
		python=; \
	done; \
	[ -n "$$python" ] || { echo "Python 3.11 with venv is needed (Debian: apt-get install python3.11-venv)"; exit 1; }; \
	echo "Installing into .venv what requirements.lock names" && \
	"$$python" -m venv .venv && \
	"$(BIN)/python" -m pip install --disable-pip-version-check --require-hashes -r requirements.lock && \
	"$(BIN)/python" -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable . && \
	cp requirements.lock $(INSTALLED)
