package verify

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"consilium/client"
	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/setup"
	"consilium/job"
	"consilium/protocols"
)

// The files of organ matching in a folder, and what the study calls their lists.
const (
	candidatesFile = "candidates.csv"
	donorsFile     = "donors.csv"
	rankedFile     = "etkas_expected.csv"
	waitingList    = "kidney"
	donorsList     = "donors"
	rankPolicy     = "etkas"
	rankPrefix     = "etkas-"
)

// fullList is up to how many candidates whole lists are asked for, and not as many
// rows as are expected.
const fullList = 10_000

// organ is what the organ files of a folder hold.
type organ struct {
	hospitals map[int][][]string // of the candidates, the header first
	donors    [][]string
	expected  map[string][]rankedRow // by donor
}

// rankedRow is a row of a ranked list, as text.
type rankedRow struct{ rank, candidate, tier, points, mismatches string }

// loadOrgan reads the files of match runs.
func loadOrgan(dir string) (*organ, error) {
	candidates, err := readTable(dir, candidatesFile, "hospital")
	if err != nil {
		return nil, err
	}
	o := &organ{hospitals: map[int][][]string{}, expected: map[string][]rankedRow{}}
	at := slices.Index(candidates[0], "hospital")
	for i, row := range candidates[1:] {
		k, err := strconv.Atoi(row[at])
		if err != nil || k < 1 || k >= job.MaxNodes {
			return nil, fmt.Errorf("%s: row %d has no hospital's number", candidatesFile, i+1)
		}
		if o.hospitals[k] == nil {
			o.hospitals[k] = [][]string{candidates[0]}
		}
		o.hospitals[k] = append(o.hospitals[k], row)
	}
	if o.donors, err = readTable(dir, donorsFile, "id"); err != nil {
		return nil, err
	}
	columns := []string{"donor", "rank", "candidate", "tier", "points", "mismatches"}
	expected, err := readTable(dir, rankedFile, columns...)
	if err != nil {
		return nil, err
	}
	for _, row := range expected[1:] {
		cell := func(k int) string { return row[slices.Index(expected[0], columns[k])] }
		o.expected[cell(0)] = append(o.expected[cell(0)], rankedRow{cell(1), cell(2), cell(3), cell(4), cell(5)})
	}
	return o, nil
}

// readTable reads a CSV file that has those columns.
func readTable(dir, name string, columns ...string) ([][]string, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, column := range columns {
		if len(rows) == 0 || !slices.Contains(rows[0], column) {
			return nil, fmt.Errorf("%s: it has no column %s", name, column)
		}
	}
	return rows, nil
}

// runRanks runs a match for each donor.
func runRanks(ctx context.Context, o Options, donors []string, t *Totals) error {
	files, err := loadOrgan(o.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(o.Log, "starting nodes with a waiting list …")
	return inStudy(ctx, o, files.create, func(s *study) error {
		for _, donor := range donors {
			t.add(o.Out, files.rank(ctx, s.client, s.conn, donor))
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return nil
	})
}

// create makes the study: every hospital's candidates at its node, the donors at one
// more.
func (f *organ) create(dir string) (*localnet.Layout, error) {
	nodes := 3
	for k := range f.hospitals {
		nodes = max(nodes, k)
	}
	nodes++
	waiting := job.Dataset{Name: waitingList, List: job.List{Policy: rankPolicy, Side: job.Candidates}}
	paths := map[string]map[string]string{waitingList: {}, donorsList: {}}
	for k := 1; k < nodes; k++ {
		rows := f.hospitals[k]
		if rows == nil {
			continue
		}
		path, err := writeTable(dir, fmt.Sprintf("waiting-%d.csv", k), rows)
		if err != nil {
			return nil, err
		}
		paths[waitingList][localnet.NodeName(k)] = path
		waiting.Sites = append(waiting.Sites, job.Site{Node: localnet.NodeName(k), Rows: max(1, len(rows)-1)})
	}
	path, err := writeTable(dir, donorsFile, f.donors)
	if err != nil {
		return nil, err
	}
	paths[donorsList][localnet.NodeName(nodes)] = path
	study := &setup.StudyFile{
		Study:    "verify",
		Parties:  []string{localnet.NodeName(1), localnet.NodeName(2), localnet.NodeName(3)},
		Policies: []string{rankPolicy},
		Datasets: []job.Dataset{waiting, {
			Name: donorsList, List: job.List{Policy: rankPolicy, Side: job.Donors},
			Sites: []job.Site{{Node: localnet.NodeName(nodes), Rows: max(1, len(f.donors)-1)}},
		}},
	}
	if err := study.Bundle(dir); err != nil {
		return nil, err
	}
	return localnet.Create(filepath.Join(dir, "study"), localnet.Spec{
		Study: study, Nodes: nodes, Files: paths, Timeout: time.Minute, Deadline: caseDeadline,
	})
}

func writeTable(dir, name string, rows [][]string) (string, error) {
	b, err := csvBytes(rows)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, b, 0o600)
}

func csvBytes(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	err := csv.NewWriter(&b).WriteAll(rows)
	return b.Bytes(), err
}

// rank runs one match and compares its list with the expected one, rank by rank.
func (f *organ) rank(ctx context.Context, c *client.Client, conn *client.Conn, donor string) outcome {
	ctx, cancel := context.WithTimeout(ctx, caseDeadline)
	defer cancel()
	o := outcome{id: rankPrefix + donor, word: fail}
	want := f.expected[donor]
	args := map[string]any{protocols.ArgDonors: donorsList, protocols.ArgDonor: donor}
	rows := 0
	for _, hospital := range f.hospitals {
		rows += len(hospital) - 1
	}
	if rows > fullList {
		args["top"] = max(1, len(want))
	} else {
		args["all"] = true
	}
	begin := time.Now()
	result, err := match(ctx, c, conn, protocols.MatchRank, waitingList, args)
	o.seconds = time.Since(begin).Seconds()
	if err != nil {
		o.reason = err.Error()
		return o
	}
	if o.reason = differs(result, want); o.reason == "" {
		o.word = pass
	}
	return o
}

// match takes one match through client, coordinator and nodes.
func match(ctx context.Context, c *client.Client, conn *client.Conn, analysis, list string, args map[string]any) (*protocols.Result, error) {
	file, err := protocols.MatchFile(c.Roster().Roster, analysis, list, args, time.Now())
	if err != nil {
		return nil, err
	}
	prepared, err := c.Prepare(file)
	if err != nil {
		return nil, err
	}
	signed, err := prepared.Sign()
	if err != nil {
		return nil, err
	}
	id, _, err := conn.Submit(ctx, signed)
	if err != nil {
		return nil, err
	}
	if err := conn.Watch(ctx, id, func(client.Event) {}); err != nil {
		return nil, err
	}
	return conn.Result(ctx, signed)
}

// differs says where a result is not the expected list; "" where it is.
func differs(result *protocols.Result, want []rankedRow) string {
	if result.Status != "ok" && (result.Status != "nobody" || len(want) > 0) {
		return "status " + result.Status
	}
	rows := result.Value.(map[string]any)["rows"].([]any) // as of every match
	for i := range min(len(rows), len(want)) {
		row := rows[i].(map[string]any)
		got := rankedRow{
			fmt.Sprint(row["sequence"]), fmt.Sprint(row["candidate"]), fmt.Sprint(row["tier"]),
			fmt.Sprint(row["points"]), fmt.Sprint(row["mismatches"]),
		}
		if got != want[i] {
			return fmt.Sprintf("rank %d is %v, want %v", i+1, got, want[i])
		}
	}
	if len(rows) != len(want) {
		return fmt.Sprintf("%d candidates, want %d", len(rows), len(want))
	}
	return ""
}

// donorsOf picks the cases that are match runs, and returns their donors.
func donorsOf(ids []string) (donors, others []string) {
	for _, id := range ids {
		if donor, ok := strings.CutPrefix(id, rankPrefix); ok {
			donors = append(donors, donor)
		} else {
			others = append(others, id)
		}
	}
	return donors, others
}
