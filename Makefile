# `make help` lists what there is. The scripts behind lint, race and fuzz are in .ci, so that CI needs no make.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 30s
BENCH ?= .

.DEFAULT_GOAL := build
.PHONY: demo test lint race fuzz bench crash build tools help

demo: ## run the demo: simulated vendors, sample documents, the real engine
	go run ./cmd/kbsyncd demo

test: ## run all tests
	go test ./...

lint: ## formatting, vet, go.mod, golangci-lint
	.ci/lint

race: ## run all tests with the race detector, in random order
	.ci/race

fuzz: ## run every fuzz test for FUZZTIME (default 30s)
	FUZZTIME=$(FUZZTIME) .ci/fuzz

bench: ## run the benchmarks; BENCH=regexp chooses
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

crash: ## kill the daemon at every step and check that it recovers
	go test -run TestCrash -count=1 -tags crash -timeout 40m ./internal/crashtest

build: ## build ./kbsyncd, static
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.stamp=$(VERSION)' -o kbsyncd ./cmd/kbsyncd

tools: ## install golangci-lint when it is missing
	.ci/tools

help: ## list the targets
	@sed -n 's/^\([a-z]*\): ## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 10
