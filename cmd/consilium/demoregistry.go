package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"consilium/client/render"
	"consilium/cmd/consilium/verify"
	"consilium/examples"
	"consilium/job"
	"consilium/protocols"
)

// The lists of the registry's example.
const (
	exampleWaiting = "kidney"
	exampleDonors  = "donors"
	examplePairs   = "pairs"
)

// matches ranks the waiting list for every donor of whom the list is known, and finds an
// exchange. It says how many runs there were, and how many gave what they should.
func (d *demo) matches(ctx context.Context) (ran, matched int, err error) {
	expected, donors, err := expectedLists()
	if err != nil {
		return 0, 0, err
	}
	for _, donor := range donors {
		fmt.Fprintf(d.out, "\n──── consilium match rank --donor %s --all\n", donor)
		result, err := d.match(ctx, protocols.MatchRank, exampleWaiting, map[string]any{protocols.ArgDonors: exampleDonors, protocols.ArgDonor: donor, "all": true})
		if err != nil {
			return ran, matched, err
		}
		verdict := "differs from"
		if ran++; slices.EqualFunc(rankedRows(result), expected[donor], slices.Equal) {
			matched, verdict = matched+1, "is, row by row,"
		}
		fmt.Fprintf(d.out, "\nThe list %s the one that the reference gives over all hospitals' rows.\n", verdict)
	}
	fmt.Fprintf(d.out, "\n──── consilium match exchange --list %s\n", examplePairs)
	result, err := d.match(ctx, protocols.MatchExchange, examplePairs, map[string]any{"cycle": 3})
	if err != nil {
		return ran, matched, err
	}
	ran++
	if err := d.replay(ctx, fmt.Sprint(result.Value.(map[string]any)["run"])); err != nil { // of every match
		return ran, matched, err
	}
	return ran, matched + 1, nil
}

// match takes one match through client, coordinator and nodes, and prints its result.
func (d *demo) match(ctx context.Context, analysis, list string, args map[string]any) (*protocols.Result, error) {
	file, err := protocols.MatchFile(d.client.Roster().Roster, analysis, list, args, time.Now())
	if err != nil {
		return nil, err
	}
	prepared, err := d.client.Prepare(file)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	result, err := d.ask(ctx, prepared)
	if err != nil {
		return nil, err
	}
	if err := render.Text(d.out, result, render.Page{}); err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(d.out, "From signature to result: %.2f s.\n", time.Since(begin).Seconds())
	return result, err
}

// replay is what an auditor does who has every hospital's file of a run.
func (d *demo) replay(ctx context.Context, run string) error {
	id, err := job.ParseHash(run)
	if err != nil {
		return err
	}
	stored, err := d.client.Stored(id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, localDeadline)
	defer cancel()
	var runs []*protocols.MatchRun
	inputs := ""
	for _, n := range d.layout.Nodes {
		if !strings.HasPrefix(n.Name, "hospital-") {
			continue
		}
		kept, err := verify.Kept(ctx, filepath.Join(n.Dir, "state"), run)
		if err != nil {
			return err
		}
		runs, inputs = append(runs, kept), inputs+" --inputs "+filepath.Join(n.Name, "state")
	}
	fmt.Fprintf(d.out, "\n──── consilium match replay %s%s\n", id.Short(), inputs)
	result, err := d.conn.Replay(ctx, stored.Signed, runs)
	if err != nil {
		return err
	}
	return printReplay(d.out, id, protocols.MatchExchange, result)
}

// expectedLists are the ranked lists of expected.csv by donor, and the donors in order. A
// row is rank, candidate, tier, points and mismatches.
func expectedLists() (lists map[string][][]string, donors []string, err error) {
	text, err := fs.ReadFile(examples.Registry(), "expected.csv")
	if err != nil {
		return nil, nil, err
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		return nil, nil, err
	}
	lists = map[string][][]string{}
	for _, row := range rows[1:] {
		if lists[row[0]] == nil {
			donors = append(donors, row[0])
		}
		lists[row[0]] = append(lists[row[0]], row[1:])
	}
	return lists, donors, nil
}

// rankedRows are the rows of a ranked list in the form of expected.csv.
func rankedRows(result *protocols.Result) [][]string {
	var out [][]string
	for _, x := range result.Value.(map[string]any)["rows"].([]any) { // of every match
		row := x.(map[string]any)
		var cells []string
		for _, name := range []string{"sequence", "candidate", "tier", "points", "mismatches"} {
			cells = append(cells, fmt.Sprint(row[name]))
		}
		out = append(out, cells)
	}
	return out
}
