# Every target sets up what it needs first; see `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-blenders lint bench train avatar extension docs clean

export AUDIO PORTRAIT EMOTION

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

setup: ## Set up Debian packages, .venv and Python packages (the other targets do this too)
	@bash scripts/setup_environment.sh

demo: setup ## Animate a sample, or AUDIO=my.wav PORTRAIT=me.jpg EMOTION=angry:0.8, into out/demo
	@.venv/bin/dreamtalk demo --out out/demo $${AUDIO:+--audio "$$AUDIO"} \
		$${PORTRAIT:+--portrait "$$PORTRAIT"} $${EMOTION:+--emotion "$$EMOTION"}

test: lint ## Check style and types, run all tests
	@OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n auto --dist loadfile

lint: setup ## Check style and types only
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@# The extension imports its packages as parts of one parent: give that parent its name to check it so.
	@mkdir -p build/types && ln -sfn ../.. build/types/dream_talk
	@cd build/types && ../../.venv/bin/mypy --config-file ../../pyproject.toml -p dream_talk.dream_blender

bench: setup ## Measure speed and memory on this machine
	@.venv/bin/dreamtalk bench

train: setup ## Make the shipped weights again from nothing (a day; resumes; see docs/training.md)
	@.venv/bin/dreamtalk corpus build
	@.venv/bin/dreamtalk train encoder -o model_server/weights/speech_encoder.safetensors
	@.venv/bin/dreamtalk corpus perform
	@.venv/bin/dreamtalk train emodiff --data runs/performances -o model_server/weights/emodiff.safetensors
	@.venv/bin/dreamtalk train lips --data runs/performances -o model_server/weights/lip_refiner.safetensors

avatar: setup ## Build the proxy avatar's asset anew
	@.venv/bin/python -m avatar_builder

test-blenders: setup ## Run the Blender tests in 4.2 and 4.5, and a story in a real window (DREAMTALK_BLENDER)
	@.venv/bin/python scripts/test_blenders.py

extension: setup ## Build dist/dream_talk-<version>.zip for Blender, and check it
	@package=$$(.venv/bin/python scripts/build_extension.py) && echo "$$package" && \
		.venv/bin/python scripts/check_platform_rules.py "$$package"

docs: setup ## Build the documentation into build/site
	@.venv/bin/python scripts/write_openapi.py && .venv/bin/python scripts/write_command_reference.py
	@.venv/bin/python -m mkdocs build --strict

clean: ## Remove .venv and all that was built
	rm -rf .venv build dist out *.egg-info .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
