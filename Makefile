# Switchboard. Everything a person or CI does with the repository; `make` alone lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# For the programs behind a target: make demo ARGS="--calls 1000"
ARGS ?=
# Which packages: make test PKG=./internal/pipeline/...
PKG ?= ./...

# How long each target of make fuzz runs.
FUZZTIME ?= 2m

.PHONY: help demo test test-long fuzz check golden bench scenario chaos chaos-night soak up down build

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## every role in one process, with calls that come in; nothing to install
	go run ./cmd/switchboard dev --demo $(ARGS)

test: ## all tests, on embedded servers and on a real Kafka and Redis (started here); PKG=./... ARGS="-run TestX"
	@tests/backend/run -count=1 -timeout 14m -p 2 $(ARGS) $(PKG)

test-long: ## the same with the race detector, and the tests that take minutes
	@SWITCHBOARD_LONG=1 tests/backend/run -race -count=1 -timeout 60m -p 2 $(ARGS) $(PKG)

fuzz: ## every fuzz target for FUZZTIME=2m each; ARGS is a pattern of their names
	@tests/fuzz $(FUZZTIME) $(ARGS)

check: ## format, vet, staticcheck, checksums, who may import whom
	@unformatted=$$(git ls-files -co --exclude-standard -- '*.go' | while read -r f; do [ ! -f "$$f" ] || gofmt -l "$$f"; done); \
	  [ -z "$$unformatted" ] || { echo "not formatted (gofmt -w):"; echo "$$unformatted"; exit 1; }
	@for script in .ci/run $$(git ls-files -co --exclude-standard -- deploy tests | xargs grep -lE '^#!.*bash|^# Sourced'); do bash -n "$$script"; done
	go vet ./...
	go tool staticcheck ./...
	go mod verify
	go test ./tests -run 'TestImports|TestPurity'

golden: ## rewrite the golden files; then read the diff
	GOLDEN=1 go test $(PKG)

bench: ## measure, against a real Kafka and Redis started for it; ARGS are the benchmark's, PEERS=1 adds Flink and Kafka Streams
	@go build -o bin/bench ./bench # a signal to go run would not reach it
	@deploy/local/with-servers -- bin/bench $(if $(PEERS),-peers) $(ARGS)

scenario: ## the whole story on a real Kafka and Redis, step by step
	@CI=true deploy/local/with-servers -- tests/scenario/run

chaos: ## break everything at once by a plan made from a seed: SEED=1 MINUTES=2
	@CI=true CHAOS_SEED=$(or $(SEED),1) CHAOS_MINUTES=$(or $(MINUTES),2) go test ./tests/chaos -run TestChaos -count=1 -v -timeout 0 $(ARGS)

chaos-night: ## the same for seeds 1 to SEEDS=200, without those that tests/chaos/RESULTS.md has already, to which it appends; MINUTES=2
	@CI=true CHAOS_SEEDS=$(or $(SEEDS),200) CHAOS_MINUTES=$(or $(MINUTES),2) CHAOS_RESULTS=$(CURDIR)/tests/chaos/RESULTS.md \
	  go test ./tests/chaos -run TestChaos -count=1 -v -timeout 0 $(ARGS)

soak: ## every role at half load: MINUTES=20; fails when memory, goroutines or descriptors grow on
	@CI=true SOAK_MINUTES=$(or $(MINUTES),20) go test ./tests/soak -run TestSoak -count=1 -v -timeout 0 $(ARGS)

up: ## start a real Kafka and Redis on this machine (deploy/local/up says with which settings)
	@deploy/local/up

down: ## stop them; DATA=wipe throws their data away
	@deploy/local/down

build: ## the programs, in bin/
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...
