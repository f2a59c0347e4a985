# xpay-serverless. `make` alone prints this help.
.DEFAULT_GOAL := help
SHELL := /bin/sh
FUZZTIME ?= 5s
TESTFLAGS ?=
OLD := $(shell sed -n 's/^module //p' go.mod)
STATICCHECK := go tool -modfile=tools/go.mod staticcheck

.PHONY: help run build demo test check unit fuzz test-dynamodb compare bench rename clean

help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

unit: ## all tests: with the race detector, and against AWS's protocol, where the machine can
	@tools/unit $(TESTFLAGS)

fuzz: ## fuzz every parser of strangers' bytes for FUZZTIME each (default 5s)
	@tools/fuzz $(FUZZTIME)

test-dynamodb: ## the DynamoDB tests against any DynamoDB: ENDPOINT=http://... or ENDPOINT=aws
	@tools/test-dynamodb '$(ENDPOINT)'

compare: ## other people's clients against the simulated WeChat; downloads what is compared with
	@cd bench && go vet ./... && go test ./...

bench: ## measure; prints and writes bench.txt
	@{ tools/with-moto go run ./internal/bench; a=$$?; echo; (cd bench && go run .); b=$$?; exit $$((a|b)); } >bench.txt; code=$$?; cat bench.txt; exit $$code

# --- AWS ---
LAMBDA_ARCH ?= arm64
STAGE ?=
LAMBDA_GOARCH = $(if $(filter x86_64,$(LAMBDA_ARCH)),amd64,arm64)
FUNCTIONS = $(notdir $(wildcard functions/*))
# Without net/rpc, paths, symbols and commit: half the size, and the same bytes from the same code whoever builds it.
GO_LAMBDA = CGO_ENABLED=0 GOOS=linux GOARCH=$(LAMBDA_GOARCH) go build -tags lambda.norpc -trimpath -buildvcs=false -ldflags "-s -w"
export SAM_CLI_TELEMETRY = 0

.PHONY: functions sam-validate sam-build sam-local sam-api deploy deploy-cn

# `sam build` calls build-<LogicalId>: build-CreateOrderFunction builds functions/createorder.
build-%Function:
	$(GO_LAMBDA) -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(shell echo $* | tr '[:upper:]' '[:lower:]')
	cp goods.yaml "$(ARTIFACTS_DIR)/"

functions: ## build the Lambda binaries into bin/lambda/NAME/bootstrap (LAMBDA_ARCH=arm64 or x86_64)
	@for name in $(FUNCTIONS); do \
		mkdir -p bin/lambda/$$name && cp goods.yaml bin/lambda/$$name/ && $(GO_LAMBDA) -o bin/lambda/$$name/bootstrap ./functions/$$name || exit 1; \
	done
	@wc -c bin/lambda/*/bootstrap

sam-validate: ## check template.yaml: SAM, cfn-lint for three regions, both partitions, cfn-guard
	@tools/sam-validate

sam-build: goods ## build what `sam deploy` uploads into .aws-sam/build (LAMBDA_ARCH=arm64 or x86_64)
	@LAMBDA_ARCH=$(LAMBDA_ARCH) "$$(tools/venv sam)/sam" build --parameter-overrides Architecture=$(LAMBDA_ARCH)

.PHONY: goods
goods: # a slip in goods.yaml is found before it is deployed
	@go test -count=1 -run '^TestTheGoodsCanBeSold$$' ./internal/template >.goods.log 2>&1 || { cat .goods.log; rm -f .goods.log; exit 1; }
	@rm -f .goods.log

deploy: goods ## build and deploy the stack xpay-STAGE, asking the first time: make deploy STAGE=dev; docs/how-to/deploy.md
	@tools/deploy '$(STAGE)'

deploy-cn: goods ## the same in AWS China: make deploy-cn STAGE=dev
	@tools/deploy '$(STAGE)' cn

sam-local: build ## run each Lambda once in Docker, against a simulated WeChat and AWS; docs/how-to/sam-local.md
	@go run ./internal/samlocal

sam-api: build ## the same functions behind http://127.0.0.1:3000, until Ctrl-C
	@go run ./internal/samlocal -api
# --- end of AWS ---

rename: ## move the module: make rename MODULE=example.com/me/shop
	@echo '$(MODULE)' | grep -Eq '^[A-Za-z0-9][A-Za-z0-9./_~-]*$$' || { echo "say where to: make rename MODULE=example.com/me/shop"; exit 2; }
	@grep -rlF --include='*.go' --include='go.mod' --include='*.md' --include='Makefile' --include='*.yaml' '$(OLD)' . | while read -r f; do \
		sed 's|$(OLD)|$(MODULE)|g' "$$f" >"$$f.renamed" && cat "$$f.renamed" >"$$f" && rm "$$f.renamed"; done
	@gofmt -w $$(find . -name '*.go')
	@go build ./... && echo "the module is now $(MODULE)"

clean: ## remove what was built and the Python tools; .xpay/ stays
	rm -rf bin bench.txt .aws-sam .tools
