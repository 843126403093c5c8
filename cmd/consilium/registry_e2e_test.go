package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/verify"
	"consilium/examples"
)

// startRegistry makes and starts the example of an organ registry.
func startRegistry(t *testing.T) *localnet.Layout {
	t.Helper()
	layout, err := createExample(filepath.Join(t.TempDir(), "my-registry"), registryExample(), nil)
	must(t, err)
	exe, err := os.Executable()
	must(t, err)
	network, err := localnet.Start(t.Context(), exe, layout)
	must(t, err)
	t.Cleanup(func() {
		if err := network.Stop(); err != nil {
			t.Log("stop:", err)
		}
	})
	return layout
}

// walk runs the commands of the registry's README in its folder, with the latest run in the
// place of RUN, and returns what each printed.
func walk(t *testing.T, layout *localnet.Layout) map[string]string {
	t.Helper()
	text, err := fs.ReadFile(examples.Registry(), "README.md")
	must(t, err)
	exe, err := os.Executable()
	must(t, err)
	printed, run := map[string]string{}, ""
	submitted := regexp.MustCompile(`job ([0-9a-f]{8,}) submitted`)
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "consilium ")
		if !ok || strings.HasPrefix(command, "demo ") {
			continue
		}
		args := strings.Fields(strings.ReplaceAll(command, "RUN", run))
		if at := slices.Index(args, "--state"); at >= 0 {
			_, err := verify.Kept(t.Context(), filepath.Join(layout.Dir, args[at+1]), run)
			must(t, err)
		}
		cmd := exec.CommandContext(t.Context(), exe, args...)
		var out, errs bytes.Buffer
		cmd.Dir, cmd.Stdout, cmd.Stderr = layout.Dir, &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("consilium %s: %v\n%s%s", command, err, out.String(), errs.String())
		}
		if found := submitted.FindStringSubmatch(errs.String()); found != nil && args[1] != "next" {
			run = found[1]
		}
		printed[command] += out.String()
	}
	return printed
}

// TestRegistryWalk: what the registry's README says to type works, and the ranked list is
// the expected one.
func TestRegistryWalk(t *testing.T) {
	printed := walk(t, startRegistry(t))
	find := func(prefix string) string {
		all := ""
		for command, out := range printed {
			if strings.HasPrefix(command, prefix) {
				all += out
			}
		}
		return all
	}
	lists, _, err := expectedLists()
	must(t, err)
	list := find("match rank --donor D02")
	for _, row := range lists["D02"][:10] { // rank, candidate, tier, points, mismatches
		line := fmt.Sprintf(`(?m)^\s*%s\s+%s\s+%s\s+%s\s+%s\s+hospital-`, row[0], row[2], row[3], row[4], row[1])
		if !regexp.MustCompile(line).MatchString(list) {
			t.Errorf("no row of %v in\n%s", row, list)
		}
	}
	offered := find("match show RUN")
	for _, row := range lists["D02"][:2] {
		if line := fmt.Sprintf(`(?m)^\s*%s\s+%s\s+%s\s+%s\s+%s\s+hospital-[34]\s+(refused 812|accepted)`, row[0], row[2], row[3], row[4], row[1]); !regexp.MustCompile(line).MatchString(offered) {
			t.Errorf("no row of %v and its answer in\n%s", row, offered)
		}
	}
	for prefix, want := range map[string]string{
		"datasets":                                    "kidney",
		"match show RUN --state":                      "Donor gives to pair",
		"match replay":                                "is one that they can give",
		"match exchange --list pairs -":               "transplants in cycles of at most 3 pairs",
		"match exchange --list pairs-weighted --yes":  "cycles of high mean weight were taken first",
		"match exchange --list pairs-weighted --mode": "there can be no more weight in sum",
		"match cpra":                                  "",
	} {
		if out := find(prefix); out == "" || !strings.Contains(out, want) {
			t.Errorf("%s does not print %q:\n%s", prefix, want, out)
		}
	}
}

// TestRegistryDemo: every match of the demonstration gives what it should.
func TestRegistryDemo(t *testing.T) {
	stdout, stderr, code := program(t, "demo", "--registry")
	if code != 0 || !strings.Contains(stdout, "demo: 5 jobs, 5 match the reference") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}
