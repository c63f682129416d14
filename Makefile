# Ostler. "make" lists the targets; docs/ tells the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)
export PATH := $(CURDIR)/.bin:$(PATH)

# One temporary PostgreSQL cluster for all packages of a test run.
WITHPG := go run ./internal/pgtest/cmd/withpg
RACE   := ./controlplane/jobs/... ./controlplane/ledger/... ./agents/host/...
UNITS   = $$(go list ./... | grep -v '^ostler/e2e\(/\|$$\)')
# The packages that have slow tests.
SLOW    = $$({ grep -rlE '^//go:build.*\bslow\b' --include='*_test.go' --exclude-dir=node_modules . || true; } | xargs -r dirname | sort -u)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/ostler and bin/ostler-agent
	@mkdir -p bin
	go build -buildvcs=false -ldflags '-X main.version=$(VERSION)' -o bin/ ./cmd/ostler ./cmd/ostler-agent

.PHONY: demo
demo: tools web build ## a whole company on this machine, in a folder of its own (SEED=n to repeat one, VAULT=1 with a real Vault)
	@exec bin/ostler demo $(if $(SEED),--seed $(SEED),) $(if $(VAULT),--vault,)

# Tools are built from pinned sources, again only when the pins change.
.PHONY: tools
tools: .bin/restic .bin/staticcheck ## restic, rest-server and staticcheck, in .bin/
	@.bin/restic version

.bin/restic: tools/go.mod tools/go.sum
	@mkdir -p .bin
	cd tools && go build -buildvcs=false -o ../.bin/ tool
	@touch $@

.bin/staticcheck: tools/lint/go.mod tools/lint/go.sum
	@mkdir -p .bin
	cd tools/lint && go build -buildvcs=false -o ../../.bin/ tool
	@touch $@

# A real Vault, in memory, from a module of its own: about ten minutes and 3 GB
# of modules, so only for who asks.
.PHONY: vault-core
vault-core: .bin/vault-core ## a real Vault, for make test-vault and make demo VAULT=1 (about ten minutes, 3 GB)

.bin/vault-core: tools/vault/go.mod tools/vault/go.sum tools/vault/main.go
	@mkdir -p .bin
	cd tools/vault && go build -buildvcs=false -o ../../.bin/vault-core .
	@touch $@

.PHONY: test-vault
test-vault: .bin/vault-core ## the conformance test of keys and the faults of Vault, on a real Vault too
	OSTLERTEST_VAULT_CORE=$(CURDIR)/.bin/vault-core go test -count=1 -v -run 'Conformance|SignIn|SecretID|Token|Policy|Key|Sealed|Erased|Signer|Removals|CredentialDenied' ./controlplane/secrets
	OSTLERTEST_VAULT_CORE=$(CURDIR)/.bin/vault-core go test -count=1 -v -tags slow -run 'SlowMoveIsKilled' ./e2e

.PHONY: web
web: web/static/vendor/icons.svg ## scripts and icons from npm, for the pages

web/static/vendor/icons.svg: package.json package-lock.json tools/web.mjs
	npm ci --no-fund --no-audit
	node tools/web.mjs

.PHONY: deps-test
deps-test: ## what the tests need of this machine (apt): PostgreSQL, Chromium, nginx, Ansible, sshd, a C compiler, npm
	@tools/deps-test

.PHONY: lint
lint: .bin/staticcheck
	@bad=$$(find . -name '*.go' -not -path './node_modules/*' -not -path './.*' -print0 | xargs -0 gofmt -l); \
		if [ -n "$$bad" ]; then echo "gofmt would change:"; echo "$$bad"; exit 1; fi
	go vet ./...
	go test ./internal/archtest
	.bin/staticcheck ./...

.PHONY: check
check: lint ## format, vet, staticcheck, architecture, and the fast tests on SQLite
	go test -short $(UNITS)

.PHONY: test
test: deps-test tools web lint ## everything but the slow tests, on SQLite and PostgreSQL
	$(WITHPG) $(MAKE) --no-print-directory test-all

.PHONY: test-all
test-all: # inside WITHPG
	go test -race $(RACE)
	go test -timeout 20m ./e2e/... $(UNITS)

.PHONY: test-slow
test-slow: deps-test tools web ## the tests behind the build tag "slow"
	@slow="$(SLOW)"; if [ -z "$$slow" ]; then echo "no slow tests yet"; else \
		echo "go test -tags slow -run Slow" $$slow; \
		$(WITHPG) go test -tags slow -run Slow -timeout 40m $$slow; fi

.PHONY: bench
bench: tools ## measure the budgets (about 30 minutes; nothing else should be busy)
	go test -run '^$$' -bench . -benchtime 1x -timeout 40m ./e2e/bench
	go test -run '^$$' -bench Snapshots -benchtime 1x -timeout 10m ./backups/catalogue
	go test -run '^$$' -bench . -benchtime 1x -timeout 40m ./controlplane/access
	go test -run '^$$' -bench . -benchtime 1x -timeout 10m ./controlplane/sessions ./controlplane/sessions/cast ./controlplane/incidents

.PHONY: clean
clean: ## remove what the targets above made here
	rm -rf bin .bin node_modules e2e/testdata/axe.min.js
	find web/static/vendor -type f ! -name README -delete
