# Each target makes .venv if it must, and is quick when nothing changed.

# 3.11, 3.12 and 3.13 are tested.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13,$(shell command -v $(name))) python3.11)
BIN := .venv/bin
INSTALLED := .venv/.installed
LOWEST := .venv-lowest
EXTRAS := transformer,lora,embedding,setfit,static,sweep,dev

.PHONY: train news test lowest check ui clean

train: $(INSTALLED)
	$(BIN)/textcls train configs/tfidf.yaml
	$(BIN)/textcls train configs/minilm.yaml
	$(BIN)/textcls compare
	@echo "look at the runs in MLflow with: make ui   (or: .venv/bin/textcls ui)"

# The written corpus: twenty minutes on two cores.
news: $(INSTALLED)
	$(BIN)/textcls train configs/news-tfidf.yaml
	$(BIN)/textcls train configs/news-minilm.yaml
	$(BIN)/textcls compare

# A process for each of two cores.
test: check
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

# The tests with the oldest of all libraries that pyproject.toml allows, some of which have no wheels for a Python after 3.11. The
# environment is of its own and made by uv, as pip takes only the newest. That old libraries call what others deprecate is no matter.
lowest:
	test -x $(LOWEST)/bin/uv || { $(PYTHON) -m venv $(LOWEST) && $(LOWEST)/bin/python -m pip install --quiet uv; }
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --editable ".[$(EXTRAS)]"
	$(LOWEST)/bin/python -m pytest --numprocesses 2 --dist worksteal -W ignore::DeprecationWarning

check: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

ui: $(INSTALLED)
	$(BIN)/textcls ui

clean:
	rm -rf .venv $(LOWEST) .mypy_cache .pytest_cache .ruff_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip resolves against the exact set that was tested; textcls itself stays editable.
$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not there; name a Python 3.11 or later with: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[$(EXTRAS)]"
	touch $@
