package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"consilium/job"
)

// TestStored keeps a dataset encrypted under a key of which two of three sites
// suffice, and asks it with one of them dead, as a person does.
func TestStored(t *testing.T) {
	w := newVaultWorld(t, job.Vault{Quorum: 2}, fileA, fileB, "", fileC, "")
	path := filepath.Join(t.TempDir(), "job.yaml")
	ask := func(where string) (stdout, stderr string, code int) {
		t.Helper()
		write(t, path, "study: test\ndataset: visits\nanalysis: describe\nargs: {columns: [age]}\nstored: true\n"+where)
		return program(t, "run", "--yes", "--json", "--client", w.layout.ClientDir(), path)
	}
	want := func(where, sum string) {
		t.Helper()
		stdout, stderr, code := ask(where)
		if code != 0 || !strings.Contains(stdout, `"sum": `+sum+",") && !strings.Contains(stdout, `"sum": `+sum+"\n") {
			t.Errorf("%q: exit code %d, stderr %q, stdout\n%s", where, code, stderr, stdout)
		}
		if !strings.Contains(stderr, "any 2 of the 3 sites") || !strings.Contains(stderr, "Of the nodes, hospital-1, hospital-2 take part.") {
			t.Errorf("the statement does not say who opens, or who takes part:\n%s", stderr)
		}
	}
	do := func(args ...string) string {
		t.Helper()
		stdout, stderr, code := program(t, append(args, "--yes", "--client", w.layout.ClientDir())...)
		if code != 0 {
			t.Fatalf("%v: exit code %d, %s", args, code, stderr)
		}
		return stdout
	}
	refused := func(words ...string) {
		t.Helper()
		wantRefused(t, []string{"run", "--yes", "--client", w.layout.ClientDir(), path}, words...)
	}

	write(t, path, "study: test\ndataset: visits\nanalysis: describe\nargs: {columns: [age]}\nstored: true\n")
	refused("hospital-", "nothing of this dataset is deposited", "consilium deposit")
	if out := do("rekey", "visits"); !strings.Contains(out, "any 2 of the 3 sites") {
		t.Errorf("rekey says\n%s", out)
	}
	do("deposit", "visits", "--engine", "mhe", "--columns", "age", "--filter", "sex = 'f'")
	want("", "220")

	must(t, w.network.Signal("hospital-4", syscall.SIGKILL))
	want("", "220")
	want("where: sex = 'f'\n", "100")
	if _, stderr, code := ask("where: sex = 'm'\n"); code == 0 || !strings.Contains(stderr, "--filter") && !strings.Contains(stderr, "filter") {
		t.Errorf("a condition that is not deposited: exit code %d, %s", code, stderr)
	}
	must(t, w.network.Signal("hospital-2", syscall.SIGKILL))
	write(t, path, "study: test\ndataset: visits\nanalysis: describe\nargs: {columns: [age]}\nstored: true\n")
	refused("2 of the 3 sites of dataset visits", "hospital-2, hospital-4 are not connected")

	must(t, w.network.Run("hospital-2"))
	must(t, w.network.Run("hospital-4"))
	must(t, w.network.Ready(t.Context()))
	want("", "220")
	do("withdraw", "visits", "--engine", "mhe")
	refused("nothing of this dataset is deposited")
	wantRefused(t, []string{"deposit", "visits", "--client", w.layout.ClientDir()}, "--engine shares", "--engine mhe")
}

// TestStoredShares keeps a dataset as shares, and asks it with all sites but the parties
// dead, as a person does; rows join it, a party's disk is lost, and it is withdrawn.
func TestStoredShares(t *testing.T) {
	w := newVaultWorld(t, job.Vault{}, "", fileA, "", fileB, fileC)
	path := filepath.Join(t.TempDir(), "job.yaml")
	client := []string{"--yes", "--client", w.layout.ClientDir()}
	do := func(args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, code := program(t, append(args, client...)...)
		if code != 0 {
			t.Fatalf("%v: exit code %d, %s", args, code, stderr)
		}
		return stdout, stderr
	}
	ask := func(where, sum string) {
		t.Helper()
		write(t, path, "study: test\ndataset: visits\nanalysis: describe\nargs: {columns: [age]}\nstored: true\nengine: shares\n"+where)
		if stdout, _ := do("run", "--json", path); !strings.Contains(stdout, `"sum": `+sum+",") && !strings.Contains(stdout, `"sum": `+sum+"\n") {
			t.Errorf("%q: want %s in\n%s", where, sum, stdout)
		}
	}
	refused := func(args []string, words ...string) {
		t.Helper()
		wantRefused(t, append(args, client...), words...)
	}
	write(t, path, "study: test\ndataset: visits\nanalysis: describe\nargs: {columns: [age]}\nstored: true\nengine: shares\n")
	refused([]string{"run", path}, "nothing of this dataset is deposited as shares", "consilium deposit")
	refused([]string{"deposit", "visits", "--engine", "mhe", "--append"}, "--engine shares")
	refused([]string{"deposit", "visits", "--engine", "shares", "--append", "--sites", "hospital-9"}, "no node")

	out, statement := do("deposit", "visits", "--engine", "shares", "--rows", "1")
	if !strings.Contains(out, "Version") || !strings.Contains(statement, "two that pool what they keep can read all of it") {
		t.Errorf("the deposit says\n%s%s", statement, out)
	}
	ask("", "170")
	do("deposit", "visits", "--engine", "shares", "--append", "--sites", "hospital-2,hospital-4")
	must(t, w.network.Signal("hospital-4", syscall.SIGKILL))
	must(t, w.network.Signal("hospital-5", syscall.SIGKILL))
	ask("", "220")
	ask("where: sex = 'f'\n", "100")
	do("refresh", "visits")
	ask("", "220")

	must(t, w.network.Signal("hospital-3", syscall.SIGKILL))
	must(t, os.RemoveAll(filepath.Join(w.layout.Nodes[2].Dir, "state", "shares")))
	for _, name := range []string{"hospital-3", "hospital-4", "hospital-5"} {
		must(t, w.network.Run(name))
	}
	must(t, w.network.Ready(t.Context()))
	refused([]string{"run", path}, "nothing of this dataset is deposited as shares")
	do("deposit", "visits", "--rebuild", "hospital-3")
	ask("where: sex = 'f'\n", "100")
	do("withdraw", "visits", "--engine", "shares")
	refused([]string{"run", path}, "nothing of this dataset is deposited as shares")
}

// TestMixed asks the same by the parties, who finish what the sites add up: with the
// dead one's rows, and the figures of a table alone.
func TestMixed(t *testing.T) {
	w := newVaultWorld(t, job.Vault{Quorum: 2, Mixed: true}, fileA, fileB, "", fileC, "")
	path := filepath.Join(t.TempDir(), "job.yaml")
	for _, args := range [][]string{{"rekey", "visits"}, {"deposit", "visits", "--engine", "mhe", "--columns", "age", "--filter", "sex = 'f'"}} {
		if _, stderr, code := program(t, append(args, "--yes", "--client", w.layout.ClientDir())...); code != 0 {
			t.Fatalf("%v: exit code %d, %s", args, code, stderr)
		}
	}
	must(t, w.network.Signal("hospital-4", syscall.SIGKILL))
	write(t, path, "study: test\ndataset: visits\nanalysis: describe\nargs: {columns: [age]}\nwhere: sex = 'f'\nengine: mixed\nstored: true\n")
	stdout, stderr, code := program(t, "run", "--yes", "--json", "--client", w.layout.ClientDir(), path)
	if code != 0 || !strings.Contains(stdout, `"sum": 100,`) && !strings.Contains(stdout, "\"sum\": 100\n") {
		t.Errorf("exit code %d, stderr %q, stdout\n%s", code, stderr, stdout)
	}
	for _, want := range []string{"any 2 of the 3 sites", "as random shares, to hospital-1", "Of the nodes, hospital-1, hospital-2, hospital-3 take part."} {
		if !strings.Contains(stderr, want) {
			t.Errorf("the statement lacks %q:\n%s", want, stderr)
		}
	}
	must(t, w.network.Signal("hospital-3", syscall.SIGKILL))
	wantRefused(t, []string{"run", "--yes", "--client", w.layout.ClientDir(), path}, "engine mixed takes all three parties", "hospital-3 is not connected")
}
