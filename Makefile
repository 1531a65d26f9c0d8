# make app    install what is needed and open the app (PORT=7860)
# make test   install what the tests need, a browser too, and run them
# make screenshots   the images in the README

PORT ?= 7860
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
# Two more than there are cores: tests wait for programs and pages.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)

.PHONY: app test check browser screenshots clean

app: $(VENV)/.app-ready
	$(BIN)/python app.py --port $(PORT)

test: $(VENV)/.test-ready browser check
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

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

screenshots: $(VENV)/.test-ready browser
	mkdir -p assets/screenshots
	CL_SCREENSHOTS=$(CURDIR)/assets/screenshots $(BIN)/python -m pytest -q tests/browser

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
