# Pinned tools; `go run` fetches and builds them on first use.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
PROTOC_GO   := google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
PROTOC_GRPC := google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2

FUZZTIME ?= 30s
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.PHONY: build test check demo bench fuzz soak proto

build: ## bin/consilium
	go build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/consilium ./cmd/consilium

test: build ## every test once; builds what it needs
	go vet ./...
	go test -timeout 15m ./...

check: ## format, a tidy module, vet, staticcheck and the race tests
	go mod tidy -diff
	@out=$$(go run $(GOFUMPT) -l $$(git ls-files '*.go' ':!*.pb.go')); test -z "$$out" || { echo "not formatted (gofumpt -w):"; echo "$$out"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	go test -race -timeout 30m ./...

demo: build ## five hospitals, a coordinator and a researcher on this machine
	bin/consilium demo

bench: ## every operation among three processes beside the machine's floor: benchmarks/RESULTS.md
	go run ./benchmarks --report benchmarks/RESULTS.md

fuzz: ## every decoder of foreign bytes, FUZZTIME each
	@set -e; for pkg in $$(go list ./...); do \
	  all=$$(go test -list '^Fuzz' $$pkg); \
	  for f in $$(echo "$$all" | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg; \
	  done; done

soak: ## the long loops of the tests at full size
	CONSILIUM_SOAK=1 go test -count 1 -timeout 60m ./...

proto: ## regenerate api/*.pb.go (needs protoc 3.21)
	@tmp=$$(mktemp -d); GOBIN=$$tmp go install $(PROTOC_GO) && GOBIN=$$tmp go install $(PROTOC_GRPC) && \
	cd api && PATH=$$tmp:$$PATH protoc --go_out=. --go_opt=paths=source_relative \
	  --go-grpc_out=. --go-grpc_opt=paths=source_relative consilium.proto
