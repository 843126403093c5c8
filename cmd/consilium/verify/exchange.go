package verify

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/setup"
	"consilium/job"
	"consilium/node"
	"consilium/organ/policy"
	"consilium/policies"
	"consilium/protocols"
)

// The files of kidney exchange in a folder, and their cases: exchange-POOL-CAP in the
// default mode, the same with exactSuffix, and the total of those in the default mode.
const (
	pairsFile      = "exchange_pairs.csv"
	optimaFile     = "exchange_expected.csv"
	exchangePolicy = "kidney-exchange"
	exchangePrefix = "exchange-"
	exactSuffix    = "-exact"
	exchangeTotal  = exchangePrefix + "total"
)

// enough is the part of the most transplants, summed over pools, that the default mode
// must reach, in percent.
const enough = 94

// exchangeCases names the cases of pools and caps, "POOL-CAP".
func exchangeCases(pools []string) []string {
	var ids []string
	for _, p := range pools {
		ids = append(ids, exchangePrefix+p)
	}
	for _, p := range pools {
		ids = append(ids, exchangePrefix+p+exactSuffix)
	}
	if len(pools) > 0 {
		ids = append(ids, exchangeTotal)
	}
	return ids
}

// exchanges are the pools of a folder.
type exchanges struct {
	pools     map[string]*exchangePool
	names     []string
	hospitals int
	most      map[string]int // transplants, by "POOL-CAP"
}

// exchangePool is pairs, by hospital, and who could give to whom.
type exchangePool struct {
	hospitals map[int][][]string // the header first
	arcs      map[[2]string]bool // donor's pair, recipient's pair
}

// loadExchanges reads the files of kidney exchange.
func loadExchanges(dir string) (*exchanges, error) {
	rows, err := readTable(dir, pairsFile, "pool", "pair", "hospital")
	if err != nil {
		return nil, err
	}
	optima, err := readTable(dir, optimaFile, "pool", "cycle_cap", "max_transplants")
	if err != nil {
		return nil, err
	}
	e := &exchanges{pools: map[string]*exchangePool{}, most: map[string]int{}}
	column := func(table [][]string, name string) int { return slices.Index(table[0], name) }
	all := map[string][][]string{}
	for i, row := range rows[1:] {
		name := row[column(rows, "pool")]
		hospital, err := strconv.Atoi(row[column(rows, "hospital")])
		if err != nil || hospital < 1 || hospital >= job.MaxNodes-parties {
			return nil, fmt.Errorf("%s: row %d has no hospital's number", pairsFile, i+1)
		}
		if e.pools[name] == nil {
			e.pools[name], all[name] = &exchangePool{hospitals: map[int][][]string{}}, [][]string{rows[0]}
			e.names = append(e.names, name)
		}
		p := e.pools[name]
		if p.hospitals[hospital] == nil {
			p.hospitals[hospital] = [][]string{rows[0]}
		}
		p.hospitals[hospital] = append(p.hospitals[hospital], row)
		all[name] = append(all[name], row)
		e.hospitals = max(e.hospitals, hospital)
	}
	for i, row := range optima[1:] {
		most, err := strconv.Atoi(row[column(optima, "max_transplants")])
		if err != nil {
			return nil, fmt.Errorf("%s: row %d has no number of transplants", optimaFile, i+1)
		}
		e.most[row[column(optima, "pool")]+"-"+row[column(optima, "cycle_cap")]] = most
	}
	for name, p := range e.pools {
		if err := p.readArcs(all[name]); err != nil {
			return nil, fmt.Errorf("%s: pool %s: %w", pairsFile, name, err)
		}
	}
	return e, nil
}

// readArcs evaluates the policy in the clear.
func (p *exchangePool) readArcs(rows [][]string) error {
	text, err := policies.FS.ReadFile(exchangePolicy + ".yaml")
	if err != nil {
		return err
	}
	rules, err := policy.Parse(text, policies.FS)
	if err != nil {
		return err
	}
	file, err := csvBytes(rows)
	if err != nil {
		return err
	}
	recipients, err := rules.ReadCandidates(bytes.NewReader(file), time.Now())
	if err != nil {
		return err
	}
	donors, err := rules.ReadDonors(bytes.NewReader(file), time.Now())
	if err != nil {
		return err
	}
	p.arcs = map[[2]string]bool{}
	for i := range donors.N {
		for j := range recipients.N {
			suits := rules.Program.Run(recipients.Row(j), donors.Row(i))[rules.Program.Eligible] == 1
			p.arcs[[2]string{recipients.Labels[i], recipients.Labels[j]}] = i != j && suits
		}
	}
	return nil
}

// parties are how many nodes compute: they have no pairs, as mode exact demands.
const parties = 3

// create makes the study: a list for each pool, every hospital's pairs at its node, and
// the parties at three more.
func (e *exchanges) create(dir string) (*localnet.Layout, error) {
	study := &setup.StudyFile{Study: "verify", Policies: []string{exchangePolicy}}
	for k := range parties {
		study.Parties = append(study.Parties, localnet.NodeName(e.hospitals+1+k))
	}
	paths := map[string]map[string]string{}
	for _, name := range e.names {
		d := job.Dataset{Name: listOf(name), List: job.List{Policy: exchangePolicy, Side: job.Pairs}}
		paths[d.Name] = map[string]string{}
		for k := 1; k <= e.hospitals; k++ {
			rows := e.pools[name].hospitals[k]
			if rows == nil {
				continue
			}
			path, err := writeTable(dir, fmt.Sprintf("%s-%d.csv", d.Name, k), rows)
			if err != nil {
				return nil, err
			}
			paths[d.Name][localnet.NodeName(k)] = path
			d.Sites = append(d.Sites, job.Site{Node: localnet.NodeName(k), Rows: len(rows) - 1})
		}
		study.Datasets = append(study.Datasets, d)
	}
	if err := study.Bundle(dir); err != nil {
		return nil, err
	}
	return localnet.Create(filepath.Join(dir, "study"), localnet.Spec{
		Study: study, Nodes: e.hospitals + parties, Files: paths, Timeout: time.Minute, Deadline: caseDeadline,
	})
}

// listOf is what the study calls a pool.
func listOf(pool string) string { return "pool-" + pool }

// runExchanges runs the cases of kidney exchange. The total is over the chosen cases of
// the default mode, or over all where none is chosen.
func runExchanges(ctx context.Context, o Options, ids []string, t *Totals) error {
	e, err := loadExchanges(o.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(o.Log, "starting nodes with lists of pairs …")
	return inStudy(ctx, o, e.create, func(s *study) error {
		r := &exchangeRun{exchanges: e, study: s}
		for _, id := range ids {
			if id == exchangeTotal {
				t.add(o.Out, r.total(ctx))
			} else {
				t.add(o.Out, r.exchange(ctx, id))
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return nil
	})
}

// exchangeRun is a network with pools, and what its cases have given.
type exchangeRun struct {
	*exchanges
	*study

	cases, valid int // of the default mode
	got, best    int // transplants there
}

// exchange runs one case and checks what office and hospitals have learned.
func (r *exchangeRun) exchange(ctx context.Context, id string) outcome {
	ctx, cancel := context.WithTimeout(ctx, caseDeadline)
	defer cancel()
	o := outcome{id: id, word: fail}
	name, exact := strings.CutSuffix(strings.TrimPrefix(id, exchangePrefix), exactSuffix)
	most, known := r.most[name]
	pool, limit, _ := strings.Cut(name, "-")
	cycle, err := strconv.Atoi(limit)
	if err != nil || !known || r.pools[pool] == nil {
		o.reason = fmt.Sprintf("%s has no pool %s, or %s no optimum for it", pairsFile, pool, optimaFile)
		return o
	}
	args := map[string]any{"cycle": cycle}
	if exact {
		args["mode"] = "exact"
	}
	begin := time.Now()
	result, err := match(ctx, r.client, r.conn, protocols.MatchExchange, listOf(pool), args)
	o.seconds = time.Since(begin).Seconds()
	n := 0
	if err == nil {
		n, err = r.check(ctx, pool, cycle, result)
	}
	if !exact {
		r.cases, r.best = r.cases+1, r.best+most
	}
	switch {
	case err != nil:
		o.reason = err.Error()
		return o
	case n > most, exact && n < most:
		o.reason = fmt.Sprintf("%d transplants, the most are %d", n, most)
		return o
	}
	if !exact {
		r.valid, r.got = r.valid+1, r.got+n
	}
	o.word, o.reason = pass, fmt.Sprintf("%d of %d transplants", n, most)
	return o
}

// total is the case that the default mode is good enough in all.
func (r *exchangeRun) total(ctx context.Context) outcome {
	begin := time.Now()
	if r.cases == 0 {
		for _, name := range slices.Sorted(maps.Keys(r.most)) {
			r.exchange(ctx, exchangePrefix+name)
		}
	}
	o := outcome{id: exchangeTotal, word: pass, seconds: time.Since(begin).Seconds()}
	o.reason = fmt.Sprintf("%d of %d transplants, %.1f %%", r.got, r.best, 100*float64(r.got)/float64(max(r.best, 1)))
	if r.valid < r.cases || 100*r.got < enough*r.best {
		o.word, o.reason = fail, fmt.Sprintf("%s in %d of %d cases, at least %d %% are wanted of all", o.reason, r.valid, r.cases, enough)
	}
	return o
}

// check returns how many transplants there are. What the hospitals have learned of their
// own pairs must be disjoint cycles of pairs that suit each other.
func (r *exchangeRun) check(ctx context.Context, pool string, cycle int, result *protocols.Result) (int, error) {
	if result.Status != "ok" {
		return 0, fmt.Errorf("status %s", result.Status)
	}
	value := result.Value.(map[string]any) // as of every match
	gives, gets := map[string]string{}, map[string]string{}
	for k := 1; k <= r.hospitals; k++ {
		if r.pools[pool].hospitals[k] == nil {
			continue
		}
		rows, err := r.own(ctx, k, fmt.Sprint(value["run"]))
		if err != nil {
			return 0, err
		}
		for _, row := range rows {
			pair := fmt.Sprint(row["candidate"])
			gives[pair], gets[pair] = fmt.Sprint(row["to_candidate"]), fmt.Sprint(row["from_candidate"])
		}
	}
	for pair, to := range gives {
		length := 1
		for at := to; at != pair && length <= cycle; at = gives[at] {
			length++
		}
		if !r.pools[pool].arcs[[2]string{pair, to}] || gets[to] != pair || length > cycle {
			return 0, fmt.Errorf("pair %s gives to pair %s, which is no part of a cycle of %d at most of pairs that suit each other", pair, to, cycle)
		}
	}
	if n := fmt.Sprint(value["transplants"]); n != strconv.Itoa(len(gives)) {
		return 0, fmt.Errorf("the office learned of %s transplants, the hospitals of %d", n, len(gives))
	}
	return len(gives), nil
}

// own returns the rows that a hospital's node has kept of a run.
func (r *exchangeRun) own(ctx context.Context, hospital int, run string) ([]map[string]any, error) {
	kept, err := Kept(ctx, filepath.Join(r.layout.Nodes[hospital-1].Dir, "state"), run)
	if err != nil {
		return nil, err
	}
	if kept.Result == nil || kept.Result.Status != "ok" {
		return nil, fmt.Errorf("%s has learned nothing", kept.Site)
	}
	var out []map[string]any
	rows, _ := kept.Result.Value.(map[string]any)["rows"].([]any)
	for _, row := range rows {
		m, ok := row.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s keeps a row that is none", kept.Site)
		}
		out = append(out, m)
	}
	return out, nil
}

// Kept reads a run from a node's state directory. A node may write it a moment after the
// office has its result: until then Kept waits, as long as the context lets it.
func Kept(ctx context.Context, state, run string) (*protocols.MatchRun, error) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		kept, err := node.ReadMatch(state, run)
		if err == nil {
			return kept, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-again.C:
		}
	}
}
