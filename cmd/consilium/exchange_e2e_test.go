package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"consilium/cmd/consilium/localnet"
	"consilium/job"
)

const (
	pairsHeader = "pair,recipient_abo,unacceptable,donor_abo,donor_hla_a_1,donor_hla_a_2,donor_hla_b_1,donor_hla_b_2,donor_hla_dr_1,donor_hla_dr_2\n"
	donorHLA    = ",A1,A2,B7,B8,DR1,DR4\n"
	// Two pairs suit each other; nobody suits the third.
	pairsA = "424242,A,,B" + donorHLA
	pairsB = "515151,B,A3,A" + donorHLA + "616161,O,B7,AB" + donorHLA
)

// newPairs starts a study with a list of pairs at two hospitals.
func newPairs(t *testing.T, lists map[int]string) *world {
	t.Helper()
	dir := t.TempDir()
	pairs := job.Dataset{Name: "pairs", Title: "Kidney exchange", List: job.List{Policy: "kidney-exchange", Side: job.Pairs}}
	files := map[string]map[string]string{pairs.Name: {}}
	for k := 1; k <= 5; k++ {
		if text, ok := lists[k]; ok {
			path := filepath.Join(dir, fmt.Sprintf("pairs-%d.csv", k))
			write(t, path, pairsHeader+text)
			files[pairs.Name][localnet.NodeName(k)] = path
			pairs.Sites = append(pairs.Sites, job.Site{Node: localnet.NodeName(k), Rows: 3})
		}
	}
	return startWorld(t, dir, []job.Dataset{pairs}, files, "kidney-exchange")
}

func TestMatchExchange(t *testing.T) {
	w := newPairs(t, map[int]string{4: pairsA, 5: pairsB})
	for _, c := range []struct {
		flags []string
		says  string
	}{
		{nil, "cycles of pairs that are in few cycles were taken first"},
		{[]string{"--cycle", "2", "--mode", "exact"}, "see the graph of who could give to whom"},
	} {
		stdout, stderr, code := program(t, append([]string{"match", "exchange", "--client", w.layout.ClientDir(), "--yes", "--json"}, c.flags...)...)
		if code != 0 || !strings.Contains(stderr, c.says) {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		var answer struct {
			Job, Status string
			Value       struct{ Transplants int }
		}
		must(t, json.Unmarshal([]byte(stdout), &answer))
		if answer.Status != "ok" || answer.Value.Transplants != 2 || strings.Contains(stdout, "424242") {
			t.Errorf("the office is told: %s", stdout)
		}
		for k, want := range map[int][]string{4: {"424242", "515151", "hospital-5"}, 5: {"515151", "424242", "hospital-4"}} {
			stdout, stderr, code := program(t, "match", "show", answer.Job[:8], "--state", w.state(k))
			for _, text := range want {
				if code != 0 || !strings.Contains(stdout, text) || strings.Contains(stdout, "616161") {
					t.Errorf("hospital %d, exit code %d, no %q in: %s%s", k, code, text, stdout, stderr)
				}
			}
		}
		wantRefused(t, []string{"match", "show", answer.Job, "--state", w.state(1)}, "keeps no match run")
		replay := []string{"match", "replay", answer.Job[:8], "--client", w.layout.ClientDir(), "--inputs", w.state(4)}
		stdout, stderr, code = program(t, append(replay, "--inputs", w.state(5))...)
		if code != 0 || !strings.Contains(stdout, "is one that they can give") || !strings.Contains(stdout, "424242") {
			t.Errorf("replay, exit code %d: %s%s", code, stdout, stderr)
		}
		wantRefused(t, replay, "the input of hospital-5 of list pairs is missing")
	}
	w.neverTells(t, "424242")
}

// TestMatchExchangeExactNeedsOtherParties: who has pairs must not see the graph.
func TestMatchExchangeExactNeedsOtherParties(t *testing.T) {
	w := newPairs(t, map[int]string{1: pairsA, 5: pairsB})
	wantRefused(t, []string{"match", "exchange", "--client", w.layout.ClientDir(), "--yes", "--mode", "exact"}, "hospital-1 is a party and has pairs in list pairs")
	wantRefused(t, []string{"match", "exchange", "--client", w.layout.ClientDir(), "--yes", "--cycle", "4"}, "neither 2 nor 3")
}
