# The commands a developer needs. Each installs what it lacks first; all may be repeated.
PYTHON ?= python3
PORT ?= 3000
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test live sail sail-examples ui check canary bench bench-models clean

demo: .venv/runtime ## Build the sample company's Customer 360 and show it
	@$(BIN)/c360 run
	@$(BIN)/c360 show customer_360 --limit 1
	@echo "Look around: make ui, then http://127.0.0.1:3000. More commands: $(BIN)/c360 --help"

test: .venv/test ## Run the tests
	@$(BIN)/python -m pytest -m "not live and not sail" --numprocesses auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

live: .venv/test ## Run the tests that start servers and watch them for minutes
	@$(BIN)/python -m pytest -m live --numprocesses 2 --dist loadscope --no-loadscope-reorder

sail: .venv-sail/ready ## Make the derived tables on a second engine and compare them, row by row
	@.venv-sail/bin/python -m pytest -m sail -W ignore tests/test_sail.py

sail-examples: .venv-sail/ready ## Compute the examples and laws of tables on the second engine, too (a quarter of an hour)
	@.venv-sail/bin/python -m pytest -p tests.on_sail -W ignore -m "not live" $(addprefix tests/c360_assets/,conformed analytics serving)

ui: .venv/runtime ## Open the Dagster UI on http://127.0.0.1:3000, or another PORT=
	@$(BIN)/c360 ui --port $(PORT)

check: .venv/test .venv-datacontract/ready ## Formats, lint, types, import rules, contracts, definitions
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/c360 lint
	@find governance/contracts -name '*.odcs.yaml' | sort | \
	  xargs -P 2 -n 40 .venv-datacontract/bin/python tests/lint_contracts.py
	@$(BIN)/dagster definitions validate -w workspace.yaml --log-level warning

canary: ## Run the tests, or those in TESTS=, with the newest versions that pyproject.toml allows; say which are newer
	@$(PYTHON) -m venv --clear .venv-canary
	@echo "Installing the newest of everything into .venv-canary (a few minutes) ..."
	@.venv-canary/bin/python -m pip --disable-pip-version-check install --quiet --editable '.[test]'
	@.venv-canary/bin/python -m pip freeze --exclude-editable | grep -vixFf constraints.txt || echo "All as in constraints.txt"
	@.venv-canary/bin/python -m pytest -m "not live and not sail" --numprocesses auto --maxprocesses 4 --dist loadscope $(TESTS)

bench: .venv/runtime ## Compare with hand-written SQL
	@$(BIN)/c360 bench

bench-models: .venv-peers/ready ## Compare the models of CUSTOMERS=100000 with the libraries a user would pick instead
	@$(BIN)/c360 bench --models $(or $(CUSTOMERS),100000) --rounds 1

clean: ## Remove environments and everything built
	rm -rf .venv .venv-datacontract .venv-sail .venv-canary .venv-peers .c360 examples/*/.c360

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with make PYTHON=...")'
	@$(PYTHON) -m venv .venv

.venv/runtime: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing the product into .venv (once, a few minutes) ..."
	@$(PIP) --editable .
	@$(BIN)/python -m compileall -q c360_assets checks examples governance lens portal resources
	@touch $@

.venv/test: .venv/runtime
	@echo "Installing what the tests need (once) ..."
	@$(PIP) --editable '.[test]'
	@touch $@

# Great Expectations takes longer to import where PySpark is beside it, so it lies apart and finds the rest in .venv.
.venv-sail/ready: .venv/test
	@echo "Installing the second engine into .venv-sail (once) ..."
	@$(BIN)/python -m venv .venv-sail
	@$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > \
	  "$$(.venv-sail/bin/python -c 'import site; print(site.getsitepackages()[0])')/ours.pth"
	@.venv-sail/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt \
	  'pysail==0.7.2' 'pyspark-client==4.2.0'
	@touch $@

# Other ways to the same figures, which ask for other versions of what we use.
.venv-peers/ready: .venv/runtime
	@echo "Installing what models are compared with into .venv-peers (once) ..."
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip --disable-pip-version-check install --quiet \
	  'lifetimes==0.11.3' 'implicit==0.7.3' 'mlxtend==0.25.0' 'statsforecast==2.1.1' 'pandas<3' 'pyarrow>=20'
	@touch $@

# datacontract-cli pins much of what we pin otherwise, so it lives alone.
.venv-datacontract/ready: .venv/bin/python
	@echo "Installing the contract linter into .venv-datacontract (once) ..."
	@$(PYTHON) -m venv .venv-datacontract
	@.venv-datacontract/bin/python -m pip --disable-pip-version-check install --quiet 'datacontract-cli==1.2.8'
	@touch $@
