# `make demo` and `make test` do everything; `make test-all` adds what takes minutes, `make benchmarks`
# takes hours.
PYTHON ?= python3
BIN := .venv/bin

# Modules are compiled when they are first imported, and have to stay so.
unexport PYTHONDONTWRITEBYTECODE

# Tests run on as many processes as there are cores, each on one thread.
test test-all test-lowest test-processor coverage: export OMP_NUM_THREADS = 1

.PHONY: demo test test-all test-lowest test-processor coverage check format docs benchmarks page clean

demo: .venv/installed
	$(BIN)/arcal demo

test: .venv/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

# Where sums decide; `.ci/run` runs it with the kernels of other processors.
test-processor: .venv/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "processor and not slow"

# How much of the source the tests of `make test` run, and which lines they do not.
coverage: .venv/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" -q --cov=arcal --cov-report=term-missing

test-all: .venv/installed-test .venv/installed-frameworks
	$(BIN)/python -m pytest -n 2 --dist loadfile

# With the lowest releases that pyproject.toml allows. They warn of one another.
test-lowest: .venv-lowest/installed
	.venv-lowest/bin/python -m pytest -n 2 --dist loadfile -m "not slow" -W default

check: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --threads 2

format: .venv/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The site, in site/.
docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

benchmarks: .venv-benchmarks/installed
	.venv-benchmarks/bin/python -m benchmarks.attacks

# The page that audits are poured into; needs Node, which nobody else does. Its file is committed.
page: page/node_modules
	cd page && npm run check && npm run build
	cp page/dist/index.html src/arcal/report/explorer.html

page/node_modules: page/package-lock.json
	cd page && npm ci
	touch $@

# Of its own: torchattacks wants an old requests, and visdom, which adv-lib needs, an old setuptools.
.venv-benchmarks/installed: pyproject.toml
	$(PYTHON) -m venv .venv-benchmarks
	.venv-benchmarks/bin/pip install --quiet -e '.[benchmarks]' 'setuptools<80' wheel
	.venv-benchmarks/bin/pip install --quiet --no-build-isolation visdom adv-lib
	touch $@

.venv-lowest/installed: pyproject.toml
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) scripts/lowest_versions.py > .venv-lowest/lowest.txt
	.venv-lowest/bin/pip install --quiet --no-compile -c .venv-lowest/lowest.txt -e '.[test]'
	touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

# Modules are compiled when they are first imported: all of torch's take as long as the installation.
.venv/installed: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --no-compile -e .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/pip install --quiet --no-compile -e '.[test]'
	$(BIN)/pip install --quiet --no-deps 'imagecorruptions>=1.1.2'  # its photographs of frost
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/pip install --quiet --no-compile -e '.[docs]'
	touch $@

.venv/installed-frameworks: .venv/installed-test
	$(BIN)/pip install --quiet -e '.[frameworks]'
	touch $@

clean:
	rm -rf .venv .venv-benchmarks .venv-lowest .benchmarks arcal-demo runs report site
