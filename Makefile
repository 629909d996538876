# Builds its own virtual environment in .venv and re-uses it.

PYTHON ?= python3
RUN := .venv/bin/python
READY := .venv/.ready

# Scripts in benchmarks/ that compare ours with its peers; together they take an hour or more.
BENCHMARKS := crawl dedup filter fetch contamination train

.PHONY: setup demo test test-slow benchmarks lint clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt "torch==$$(sed -n 's/^torch==//p' constraints.txt)"
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,s3]'
	touch $@

demo: $(READY)
	$(RUN) recipes/demo/make_inputs.py --output build/demo
	$(RUN) cli.py run recipes/demo.yaml build/demo/site.warc.gz --run runs/demo

test: $(READY)
	$(RUN) -m pytest -n auto --dist loadfile

test-slow: $(READY)
	$(RUN) -m pytest -m slow

benchmarks: $(READY)
	for name in $(BENCHMARKS); do $(RUN) benchmarks/$$name.py --json build/benchmarks/$$name.json || exit 1; done

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

clean:
	rm -rf .venv build runs
	find . -type d -name __pycache__ -prune -exec rm -rf {} +
