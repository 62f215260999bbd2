# `make help` lists what there is. The scripts behind lint, race and fuzz are in .ci, so that CI needs no make.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 30s
BENCH ?= .

.DEFAULT_GOAL := build
.PHONY: demo test lint race components damage conversion fuzz bench microbench picture crash build tools help

demo: ## run the demo: simulated vendors, sample documents, the real engine
	go run ./cmd/kbsyncd demo

test: ## run all tests
	go test ./...

lint: ## formatting, vet, go.mod, golangci-lint
	.ci/lint

race: ## run all tests with the race detector, in random order
	.ci/race

components: ## run the tests of sources with real servers: git, sshd, git-lfs, nginx; installs them where it may
	.ci/components

fuzz: ## run every fuzz test for FUZZTIME (default 30s)
	FUZZTIME=$(FUZZTIME) .ci/fuzz

damage: ## give every reader of foreign formats 10,000 damaged documents
	KBSYNC_MUTATIONS=10000 go test -count=1 -run Damaged -timeout 40m ./internal/convert/...

conversion: ## measure conversion against pandoc and pdftotext, for docs/conversion.md; needs libreoffice as well
	KBSYNC_CONVERSION=1 go test -count=1 -v -run TestConversion -timeout 20m ./internal/bench

bench: ## compare with find, sha256sum, rclone and the ideal; KBSYNC_BENCH_FILES=100000,1000000 chooses sizes
	go test -run '^$$' -bench '$(BENCH)' -benchtime 1x -timeout 60m ./internal/bench

microbench: ## run the benchmarks of single functions
	go test -run '^$$' -bench '$(BENCH)' -benchmem $$(go list ./... | grep -v internal/bench)

picture: build ## draw the README's picture from the real program
	(printf '$$ kbsyncd demo --once\n'; script -qec './kbsyncd demo --once' /dev/null | sed -E 's#/[^ ]*/kbsyncd-demo-[0-9]+#/tmp/kbsyncd-demo#') \
		| go run ./docs/picture > docs/demo.svg

crash: ## kill the program at every step and check that it recovers
	go test -count=1 -tags crash -timeout 40m ./internal/crashtest

build: ## build ./kbsyncd, static
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.stamp=$(VERSION)' -o kbsyncd ./cmd/kbsyncd

tools: ## install golangci-lint when it is missing
	.ci/tools

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12
