# xpay-serverless. `make` alone prints this help.
.DEFAULT_GOAL := help
SHELL := /bin/sh
FUZZTIME ?= 5s
TESTFLAGS ?=
OLD := $(shell sed -n 's/^module //p' go.mod)
STATICCHECK := go tool -modfile=tools/go.mod staticcheck

.PHONY: help run build demo test check unit fuzz bench rename clean

help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build bin/xpay and run the local stack: API on :8080, simulated WeChat on :8090
	@bin/xpay dev

build: ## build bin/xpay
	@echo "building bin/xpay (the first time takes a minute or two: SQLite is compiled) ..."
	@mkdir -p bin && go build -trimpath -o bin/xpay ./cmd/xpay
	@echo "built bin/xpay"

demo: build ## one purchase with a lost notification, in virtual time
	@bin/xpay demo

test: check unit fuzz ## everything: format, vet, staticcheck, all tests, a short fuzz of what strangers send
	@echo "make test: all passed"

check: ## gofmt, vet, staticcheck
	@out=$$(gofmt -l . 2>&1); if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi
	go vet ./...
	$(STATICCHECK) ./...

unit: ## all tests, with the race detector where a C compiler is installed
	@command -v curl >/dev/null 2>&1 || echo "SKIPPED: the walk-through test needs curl (apt-get install curl)"
	@if command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1; then \
		echo "go test -race ./..."; CGO_ENABLED=1 go test -race $(TESTFLAGS) ./...; \
	elif [ -n "$$CI" ]; then \
		echo "MISSING: the race detector needs gcc; CI does not pass without it"; exit 1; \
	else \
		echo "SKIPPED: the race detector needs a C compiler (apt-get install gcc, or xcode-select --install); testing without it"; \
		go test $(TESTFLAGS) ./...; \
	fi

fuzz: ## fuzz every parser of strangers' bytes for FUZZTIME each (default 5s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | sort | while read -r file; do \
		grep -o '^func Fuzz[A-Za-z0-9_]*' "$$file" | cut -c6- | while read -r target; do \
			echo "fuzz $$target in $$(dirname $$file)"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname $$file)" >.fuzz.log 2>&1 || { cat .fuzz.log; rm -f .fuzz.log; exit 1; }; \
		done || exit 1; \
	done
	@rm -f .fuzz.log

bench: ## measure; prints and writes bench.txt
	@go run ./internal/bench >bench.txt; code=$$?; cat bench.txt; exit $$code

rename: ## move the module: make rename MODULE=example.com/me/shop
	@echo '$(MODULE)' | grep -Eq '^[A-Za-z0-9][A-Za-z0-9./_~-]*$$' || { echo "say where to: make rename MODULE=example.com/me/shop"; exit 2; }
	@grep -rlF --include='*.go' --include='go.mod' --include='*.md' --include='Makefile' --include='*.yaml' '$(OLD)' . | while read -r f; do \
		sed 's|$(OLD)|$(MODULE)|g' "$$f" >"$$f.renamed" && cat "$$f.renamed" >"$$f" && rm "$$f.renamed"; done
	@gofmt -w $$(find . -name '*.go')
	@go build ./... && echo "the module is now $(MODULE)"

clean: ## remove what was built; .xpay/ stays
	rm -rf bin bench.txt .fuzz.log
