# Every target builds and uses .venv in this folder, and reuses what is already there.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip
# Question sets that are not part of this repository.
DATA ?= ../shared/data/bench
# llama.cpp is compiled once: for any x86-64 CPU since 2013 (AVX2), and by all cores. pip keeps the wheel.
LLAMA_FLAGS ?= -DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DLLAVA_BUILD=OFF
INSTALL := CMAKE_ARGS="$(LLAMA_FLAGS)" CMAKE_BUILD_PARALLEL_LEVEL=$$(nproc 2>/dev/null || echo 2) $(PIP) install -q -c constraints.txt

.PHONY: demo test test-crash check fix docs bench bench-llm bench-answers bench-retrieval clean

demo: $(VENV)/demo.done
	$(VENV)/bin/python demo/run_demo.py build/demo

test: check
	$(VENV)/bin/python -m pytest

test-crash: $(VENV)/dev.done
	CRASH_KILLS=200 $(VENV)/bin/python -m pytest tests/integration/test_crash.py

check: $(VENV)/dev.done
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo

fix: $(VENV)/dev.done
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: $(VENV)/demo.done
	$(VENV)/bin/python docs/build_cli_reference.py docs/cli.md
	$(VENV)/bin/python docs/build_tree.py docs/tree.md

bench: $(VENV)/dev.done
	$(VENV)/bin/python benchmarks/run_all.py

bench-llm: $(VENV)/dev.done
	$(VENV)/bin/python benchmarks/run_llm.py

bench-answers: $(VENV)/dev.done
	$(VENV)/bin/python benchmarks/answers.py

bench-retrieval: $(VENV)/dev.done
	$(VENV)/bin/python benchmarks/retrieval.py --data $(DATA) --cache build/vectors

clean:
	rm -rf $(VENV) build

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q -U pip

$(VENV)/demo.done: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[offline]' typst
	$(PIP) install -q --no-deps rinoh-typeface-notosanscjk
	touch $@

$(VENV)/dev.done: $(VENV)/demo.done
	$(INSTALL) -e '.[offline,xllamacpp,hf,quantized,convert,ocr,milvus,app,dev]'
	@# The tests of the page drive a real browser; without one they say so and are left out.
	@if ! command -v chromedriver >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    chromium chromium-driver fonts-noto-cjk) >/dev/null || echo "no browser: the tests of the page are left out"; fi
	touch $@
