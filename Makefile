# make app         install what is needed and serve the app (PORT=7860)
# make test        install what the tests need, a browser too, and run all of them
# make test-fast   the tests without a browser and without programs of their own
# make check       formatting, types and lint, of Python and of the browser side
# make docs        build the manual into build/docs
# make pins        write requirements.txt and requirements-test.txt from pyproject.toml
# make screenshots the screenshots of the manual

PORT ?= 7860
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
CORES := $(shell getconf _NPROCESSORS_ONLN)
# One more than there are cores: tests wait for programs and pages.
WORKERS := $(shell expr $(CORES) + 1)
PYTEST := $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

.PHONY: app test pytest test-fast check docs pins browser screenshots clean

app: $(VENV)/.app-ready
	$(BIN)/python app.py --port $(PORT)

# Ruff first, for it fails within seconds; the other checks run beside the tests, of which many wait for programs.
test: $(VENV)/.test-ready node_modules/.ready browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory -j 2 pytest check

pytest: $(VENV)/.test-ready
	$(PYTEST) -n $(WORKERS) --maxprocesses 4

test-fast: $(VENV)/.test-ready
	$(PYTEST) -n $(CORES) -m "not slow" --ignore=tests/browser

check: $(VENV)/.test-ready node_modules/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	npm run --silent types
	npm run --silent lint
	$(BIN)/python scripts/pins.py --check

docs: $(VENV)/.test-ready
	$(BIN)/python -m sphinx -W --keep-going -q docs build/docs

pins: $(VENV)/.test-ready
	$(BIN)/python scripts/pins.py

browser: $(VENV)/.test-ready
	$(BIN)/python -m tests.browser.install

$(VENV)/.app-ready: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.test-ready: requirements.txt requirements-test.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	touch $@ $(VENV)/.app-ready

node_modules/.ready: package.json package-lock.json
	npm ci --silent --no-audit --no-fund
	touch $@

screenshots: $(VENV)/.test-ready browser
	mkdir -p assets/screenshots
	CL_SCREENSHOTS=$(CURDIR)/assets/screenshots $(BIN)/python -m pytest -q tests/browser

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache node_modules build
