# Commands for people and CI. Everything they make is in .venv, .lab, build and ~/.cache/restartx.
# ansible-core 2.19, the version tested with, runs on Python 3.11 to 3.13: the first one found is taken.
# Another: make setup PYTHON=/path/to/python3
FITS = import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 /usr/bin/python3; do \
	$$python -c '$(FITS)' 2>/dev/null && echo $$python && break; done)

BIN := .venv/bin
READY := .venv/ready
export PATH := $(CURDIR)/$(BIN):$(PATH)
.DEFAULT_GOAL := help

.PHONY: help
help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: setup
setup: $(READY) ## make the virtual environment .venv with everything pinned in requirements-dev.txt

$(READY): requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 to 3.13 with venv and ensurepip is on the PATH." \
		"Install one (Debian: apt-get install python3-venv), or name it: make setup PYTHON=..." >&2; exit 1; }
	@$(BIN)/python -c '$(FITS)' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

.PHONY: lab lab-down demo
lab: $(READY) ## start the lab: clusters eu-west and us-east, kubeconfig .lab/kubeconfig
	@$(BIN)/python -m lab up
lab-down: $(READY) ## stop the lab
	@$(BIN)/python -m lab down
demo: $(READY) ## restart a sample shop on two clusters, break it, repair it, resume
	@$(BIN)/python -m lab.demo

.PHONY: test unit sanity lint docs site integration system matrix soak
test: unit lint docs site sanity integration system ## everything a change must pass
unit: $(READY) ## unit tests
	$(BIN)/pytest --numprocesses 2 -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true
sanity: $(READY) ## ansible-test sanity
	$(BIN)/python -m tools.ansible_test sanity
# Not the user's: collections in it would come before this checkout.
lint docs: export ANSIBLE_HOME := $(CURDIR)/build/ansible-home
lint: $(READY) ## ruff; mypy; yamllint; ansible-lint, production profile; changelog fragments
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy lab tools benchmarks
	$(BIN)/mypy -p ansible_collections.restartx.core.plugins
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint
	$(BIN)/antsibull-changelog lint
docs: $(READY) ## check the documentation of the collection and its plugins
	$(BIN)/antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
site: $(READY) ## the documentation as a site, with every link checked: build/site/index.html
	$(BIN)/python -m tools.site
integration: $(READY) ## integration targets, on a lab of their own
	$(BIN)/python -m tools.integration
system: $(READY) ## system tests, on labs of their own
	$(BIN)/pytest --numprocesses 2 --durations 25 --durations-min 20 tests/system
matrix: $(READY) ## the first steps with each version of ansible-core and Python that is found
	$(BIN)/pytest --numprocesses 2 tests/system/test_matrix.py -m "matrix or not matrix"
soak: $(READY) ## kills, faults and careful restarts under load, for an hour; then a hundred strategies and budgets
	$(BIN)/pytest tests/soak --kills 100 --faults 100 --loads 3 --quorums 5 --minutes 57 --ignore tests/soak/test_strategies.py
	$(BIN)/pytest tests/soak/test_strategies.py --strategies 8

.PHONY: bench picture
bench: $(READY) ## what a restart costs, beside other ways to do it: half an hour, written to docs/benchmark.md
	$(BIN)/python -m benchmarks
picture: $(READY) ## docs/images/progress.svg, the terminal of a restart in the lab: two minutes
	$(BIN)/python -m tools.picture
