package consilium_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed is the picture of docs/architecture.md: a package may import the
// project's packages named here and no others.
var allowed = map[string][]string{
	"api":                       {},
	"api/wire":                  {"api", "job"},
	"daemon":                    {},
	"job":                       {},
	"mpc":                       {},
	"mpc/ring":                  {},
	"mpc/spool":                 {},
	"mpc/rss":                   {"mpc", "mpc/ring", "mpc/spool"},
	"mpc/memnet":                {"mpc"},
	"mpc/mhe":                   {"mpc"},
	"organ/hla":                 {},
	"organ/policy":              {"job", "organ/hla"},
	"policies":                  {},
	"protocols":                 {"job", "mpc", "mpc/ring", "mpc/rss", "mpc/mhe", "organ/hla", "organ/policy", "protocols/match", "protocols/oblivious"},
	"protocols/match":           {"mpc", "mpc/ring", "mpc/rss", "organ/policy"},
	"protocols/oblivious":       {"job", "mpc", "mpc/ring", "mpc/rss"},
	"node":                      {"api", "api/wire", "daemon", "job", "organ/policy", "protocols", "mpc", "mpc/rss", "mpc/spool", "node/source", "node/peer", "node/overlay", "node/sharestore", "node/vault"},
	"node/source":               {"job", "node/mapping"},
	"node/mapping":              {"job"},
	"node/statedir":             {"daemon", "job"},
	"node/vault":                {"job", "mpc", "mpc/mhe", "node/statedir", "protocols"},
	"node/sharestore":           {"job", "mpc", "mpc/ring", "node/statedir", "node/vault", "protocols"},
	"node/peer":                 {"mpc"},
	"node/overlay":              {"mpc", "node/peer"},
	"node/linktest":             {"mpc", "mpc/memnet", "node/peer", "node/overlay"},
	"node/linktest/proxy":       {},
	"coordinator":               {"api", "api/wire", "daemon", "job"},
	"client":                    {"api", "api/wire", "job", "protocols"},
	"examples":                  {},
	"synthetic":                 {"job"},
	"testkit":                   {"mpc/rss", "mpc/spool"},
	"client/render":             {"client", "job", "protocols"},
	"client/plot":               {"job", "protocols"},
	"benchmarks":                {"*"},
	"benchmarks/measure":        {},
	"benchmarks/source":         {"benchmarks/measure", "job", "node/source", "synthetic"},
	"cmd/consilium":             {"*"},
	"cmd/consilium/localnet":    {"*"},
	"cmd/consilium/localserver": {},
	"cmd/consilium/setup":       {"*"},
	"cmd/consilium/verify":      {"*"},
}

// importers names, for a library that must stay behind one package, the
// packages that may import it.
var importers = map[string]string{
	"github.com/duckdb/duckdb-go/v2":       "node/source benchmarks/source cmd/consilium/localserver",
	"github.com/duckdb/duckdb-go-bindings": "node/source",
	"github.com/jackc/pgx/v5":              "node/source",
	"github.com/go-sql-driver/mysql":       "node/source",
	"github.com/mailru/go-clickhouse/v2":   "node/source",
	"github.com/trinodb/trino-go-client":   "node/source",
	"github.com/tuneinsight/lattigo/v5":    "mpc/mhe",
	"filippo.io/age":                       "mpc/mhe node/vault",
	// Its bootstrapping lacks a security fix that version 6.1.1 has.
	"github.com/tuneinsight/lattigo/v5/he/hefloat/bootstrapping": "",
	"go.dedis.ch/onet/v3":                 "node/overlay",
	"go.dedis.ch/kyber/v3":                "node/overlay",
	"github.com/hashicorp/yamux":          "node/peer",
	"modernc.org/sqlite":                  "daemon",
	"google.golang.org/grpc/credentials":  "coordinator node client node/source",
	"crypto/hpke":                         "job protocols",
	"math/rand":                           "",
	"math/rand/v2":                        "",
	"consilium/mpc/memnet":                "node/linktest",
	"consilium/node/linktest":             "",
	"consilium/testkit":                   "",
	"testing":                             "node/linktest node/linktest/proxy testkit",
	"charm.land/lipgloss/v2":              "client/render",
	"gonum.org/v1/plot":                   "client/plot",
	"github.com/vbauerster/mpb/v8":        "client/render",
	"github.com/spf13/cobra":              "cmd/consilium",
	"github.com/prometheus/client_golang": "coordinator daemon node",
	"github.com/prometheus/client_golang/prometheus/promhttp": "daemon",
	"github.com/google/cel-go":                                "organ/policy",
	"go.yaml.in/yaml/v3":                                      "job cmd/consilium cmd/consilium/setup",
}

const module = "consilium/"

// imports returns the direct imports, tests left out, of each package of the project.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}:{{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	list := make(map[string][]string)
	for line := range strings.Lines(string(out)) {
		path, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name, ok := strings.CutPrefix(path, module); ok {
			list[name] = strings.Fields(rest)
		}
	}
	if len(list) < 10 {
		t.Fatalf("go list shows only %d packages", len(list))
	}
	return list
}

func TestImportsFollowTheLayout(t *testing.T) {
	for pkg, list := range imports(t) {
		may, ok := allowed[pkg]
		if !ok {
			t.Errorf("package %s is not in the layout: add it to docs/architecture.md and here", pkg)
			continue
		}
		for _, imp := range list {
			local, ours := strings.CutPrefix(imp, module)
			if ours && !slices.Contains(may, local) && !slices.Contains(may, "*") {
				t.Errorf("%s imports %s, which the layout does not allow", pkg, local)
			}
		}
	}
}

func TestLibrariesStayBehindOnePackage(t *testing.T) {
	for pkg, list := range imports(t) {
		for _, imp := range list {
			for lib, may := range importers {
				if (imp == lib || strings.HasPrefix(imp, lib+"/") && lib != "testing") && !slices.Contains(strings.Fields(may), pkg) {
					t.Errorf("%s imports %s; only %q may", pkg, imp, may)
				}
			}
		}
	}
}

// TestBenchmarksLinkNoDatabase: the pages of DuckDB and of the drivers would count in
// the peak memory of every operation.
func TestBenchmarksLinkNoDatabase(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./benchmarks").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		for lib, may := range importers {
			sources := slices.Contains(strings.Fields(may), "node/source") && !slices.Contains(strings.Fields(may), "node")
			if dep == module+"node/source" || sources && (dep == lib || strings.HasPrefix(dep, lib+"/")) {
				t.Errorf("%s is linked into ./benchmarks: what needs it belongs in ./benchmarks/source", dep)
				break
			}
		}
	}
}

// TestOnlyNodesLinkTheirTransports: what is no node has none of their libraries in
// it, not even by way of others.
func TestOnlyNodesLinkTheirTransports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./api/...", "./client/...", "./coordinator/...", "./job/...", "./mpc/...", "./organ/...", "./policies", "./protocols/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		for _, lib := range []string{"go.dedis.ch/", "go.etcd.io/bbolt", "github.com/gorilla/websocket", "github.com/hashicorp/yamux"} {
			if strings.HasPrefix(dep, lib) {
				t.Errorf("%s is linked into what is no node", strings.TrimSpace(dep))
			}
		}
	}
}

func TestMpcUsesTheStandardLibraryOnly(t *testing.T) {
	for pkg, list := range imports(t) {
		if pkg != "mpc" && pkg != "mpc/ring" {
			continue
		}
		for _, imp := range list {
			if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s", pkg, imp)
			}
		}
	}
}
