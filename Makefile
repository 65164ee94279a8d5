# The commands of samcarry; `make` lists them. Nothing is installed outside .venv and .venv-docs.
.DEFAULT_GOAL := help
.PHONY: help install demo test test-envs faults fuzz bench lint lock sbom reference docs clean

BIN := $(CURDIR)/.venv/bin
INSTALLED := .venv/requirements.lock
DOCS := .venv-docs/requirements-docs.lock
# Snakemake runs the first `python` on the path.
export PATH := $(BIN):$(PATH)

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## Install everything into .venv; the other commands do this first

demo: $(INSTALLED) ## Run the demo (config.yaml) into results/demo; resumes a stopped run
	@tools/unlock.sh
	@"$(BIN)/snakemake" --cores 8 --resources gpu=1

test: lint ## Check style and types, then run all tests and print the library's coverage
	"$(BIN)/python" -m pytest -n 2 --dist loadfile --cov --cov-report=term

test-envs: $(INSTALLED) ## Install each file of envs/ in a clean environment and run its rules (slow)
	"$(BIN)/python" -m pytest tests/envs

faults: $(INSTALLED) ## Kill runs, fill disks, damage files; check that results are unaffected (slow)
	"$(BIN)/python" tests/faults.py

fuzz: $(INSTALLED) ## Fuzz each parser, guided by coverage, for SECONDS=1800 each (slow)
	@for parser in $$("$(BIN)/python" tests/fuzz_guided.py --list); do \
		echo "== $$parser"; mkdir -p fuzz/$$parser; \
		FUZZ_PARSER=$$parser "$(BIN)/python" tests/fuzz_guided.py fuzz/$$parser -artifact_prefix=fuzz/$$parser- \
			-max_total_time=$(or $(SECONDS),1800) > fuzz/$$parser.log 2>&1 \
			|| { echo "a finding: fuzz/$$parser.log"; failed=1; }; \
	done; exit $${failed:-0}

bench: $(INSTALLED) ## Time all stages, and write the table in benchmarks/README.md (five minutes)
	"$(BIN)/python" benchmarks/table.py

lint: $(INSTALLED) ## Check style and types only
	"$(BIN)/ruff" check
	"$(BIN)/ruff" format --check
	"$(BIN)/snakefmt" --check Snakefile workflow
	"$(BIN)/mypy"
	"$(BIN)/lint-imports"
	"$(BIN)/snakemake" --lint

lock: ## Update requirements.lock from requirements.in, and the pins in envs/ (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: python3.11 -m pip install uv"; exit 1; }
	uv pip compile requirements.in --python-version 3.11 --universal --generate-hashes \
		--no-annotate --no-header -o requirements.lock
	uv pip compile requirements-docs.in -c requirements.lock --python-version 3.11 --universal --generate-hashes \
		--no-annotate --no-header -o requirements-docs.lock
	python3 tools/pin_envs.py

sbom: ## Write sbom.cdx.json, the bill of materials of requirements.lock (CycloneDX)
	python3 tools/write_sbom.py

reference: $(INSTALLED) ## Write the generated parts of docs/ (config, methods, files)
	"$(BIN)/python" tools/write_reference.py

docs: $(DOCS) ## Build the documentation as a site in .docs/site
	.venv-docs/bin/python tools/build_docs.py

clean: ## Remove the caches of the tools; keep .venv and results
	rm -rf .docs .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find scripts tests benchmarks tools -name __pycache__ -prune -exec rm -rf {} +

define FIND_PYTHON
for python in python3.11 python3; do \
	$$python -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' \
		2>/dev/null && break; \
	python=; \
done; \
[ -n "$$python" ] || { echo "Python 3.11 with venv is needed (Debian: apt-get install python3.11-venv)"; exit 1; }
endef

# The lock file is copied last, so that an interrupted install does not count as done.
$(INSTALLED): requirements.lock
	@if cmp -s requirements.lock $(INSTALLED); then touch $(INSTALLED); exit; fi; \
	$(FIND_PYTHON); \
	echo "Installing into .venv what requirements.lock names" && \
	"$$python" -m venv .venv && \
	tools/install_locked.sh "$(BIN)/python" "$(TORCH_INDEX)" && \
	"$(BIN)/python" -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable . && \
	cp requirements.lock $(INSTALLED)

$(DOCS): requirements-docs.lock
	@$(FIND_PYTHON); \
	"$$python" -m venv .venv-docs && \
	.venv-docs/bin/python -m pip install --disable-pip-version-check --require-hashes -r requirements-docs.lock && \
	cp requirements-docs.lock $(DOCS)
