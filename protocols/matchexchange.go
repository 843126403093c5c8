package protocols

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/protocols/match"
)

// MatchExchange is the word for a kidney exchange in a job: cycles among pairs of a
// recipient and a donor who does not suit her.
//
// The dataset is a list of pairs, at several sites. Its policy's conditions are evaluated
// on shares for every donor and every recipient (see match.NewPool), and disjoint cycles
// of at most 2 or 3 pairs are chosen: by default those of pairs that are in few cycles
// first or, where the policy has a weight, those of the highest mean weight (see
// match.Exchange); in mode exact those with the most transplants that there can be or, as
// the policy says, of the most weight, for which the parties see the shuffled graph
// without names (see match.Exact). An
// id that stands in several rows ends the run, and each hospital learns which of its own
// rows those are.
//
// Every hospital learns of its own pairs alone to whom their donors give and from whom
// their recipients receive, by the policy's entitlement. The recipient of the job, the
// allocation office, learns the number of transplants, and of each what the policy
// entitles it to, in a secret random order.
const MatchExchange = "match.exchange"

// Modes of an exchange.
const (
	modeGreedy = "greedy"
	modeExact  = "exact"
)

// Outputs of an exchange: for the office, and for each of a hospital's own rows.
const (
	outputTransplants = "transplants"
	outputMatched     = "matched" // 1 or 0
)

// The pairs that a row of a result names, by what goes before a column's name: none
// for the row's own pair.
const (
	ownPair    = ""
	givesTo    = "to_"
	receivesOf = "from_"
)

// exchanging is a kidney exchange.
type exchanging struct {
	cycle        int
	mode         string
	office, rows []string // columns that are revealed to the office of each transplant, and to each hospital
	hospitals    []string
}

func planExchange(p *Plan, j *job.Job, r *job.Roster) (matchKind, error) {
	m := p.match
	if p.Dataset.List.Side != job.Pairs {
		return nil, fmt.Errorf("dataset %s is a list of %ss: name a list of pairs", p.Dataset.Name, p.Dataset.List.Side)
	}
	args := j.Arguments()
	cycle := args.OptionalDecimal("cycle", big.NewRat(3, 1))
	k := &exchanging{mode: args.OptionalString("mode", modeGreedy)}
	if err := m.matchArgs(args); err != nil {
		return nil, err
	}
	switch {
	case cycle == nil || !cycle.IsInt() || cycle.Num().Cmp(big.NewInt(2)) < 0 || cycle.Num().Cmp(big.NewInt(3)) > 0:
		return nil, errors.New("argument cycle is neither 2 nor 3: give how many pairs a cycle has at most")
	case k.mode != modeGreedy && k.mode != modeExact:
		return nil, fmt.Errorf("argument mode is %.32q: %s", k.mode, job.Near(k.mode, []string{modeGreedy, modeExact}))
	}
	k.cycle = int(cycle.Num().Int64())
	if err := match.CheckPairs(m.policy.Program, p.Dataset.Rows()); err != nil {
		return nil, fmt.Errorf("dataset %s: %w", p.Dataset.Name, err)
	}
	for _, s := range p.Dataset.Sites {
		if k.mode == modeExact && slices.Contains(r.Parties, s.Node) {
			return nil, fmt.Errorf("mode exact shows the parties the graph of who could give to whom, and %s is a party and has pairs in list %s: leave out mode, or have the study name parties that have none", s.Node, p.Dataset.Name)
		}
		k.hospitals = append(k.hospitals, s.Node)
	}
	p.readsList(p.Dataset, job.Candidates, m.policy.Program.Candidate)
	p.readsList(p.Dataset, job.Donors, m.policy.Program.Donor)
	k.outputs(p)
	return k, nil
}

// outputs says what the recipient and every hospital learn.
func (k *exchanging) outputs(p *Plan) {
	m := p.match
	m.words = []string{statusDuplicates}
	p.Outputs = []Output{{outputTransplants, 1}}
	p.Reveals = []string{"the number of transplants"}
	if columns := pairColumns(m.policy.Entitlement.Office); len(columns) > 0 {
		k.office = partners(columns, ownPair, receivesOf)
		for _, name := range append([]string{outputMatched}, k.office...) {
			p.Outputs = append(p.Outputs, Output{name, p.Dataset.Rows()})
		}
		p.Reveals = append(p.Reveals, fmt.Sprintf("of each transplant, in a random order: %s of the recipient's pair and of the donor's", strings.Join(columns, ", ")))
	}
	columns := pairColumns(m.policy.Entitlement.Hospital)
	k.rows = append(partners([]string{match.ColumnCandidate}, ownPair), partners(columns, givesTo, receivesOf)...)
	for _, s := range p.Dataset.Sites {
		told := []Output{{outputDuplicates, s.Rows}, {outputMatched, s.Rows}}
		for _, name := range k.rows {
			told = append(told, Output{name, s.Rows})
		}
		m.told[s.Node] = told
	}
}

// pairColumns are an entitlement's columns that say something of a pair.
func pairColumns(entitlement []string) []string {
	return slices.DeleteFunc(slices.Clone(entitlement), func(name string) bool { return name == columnRun })
}

// partners names those columns for each of some pairs of a row.
func partners(columns []string, of ...string) []string {
	var names []string
	for _, which := range of {
		for _, name := range columns {
			names = append(names, which+name)
		}
	}
	return names
}

// compute implements matchKind.
func (k *exchanging) compute(s *mpc.Session, p *Plan, in []*listShares) *matchOutputs {
	pairs := &match.Pairs{Program: p.match.policy.Program}
	for _, site := range p.Dataset.Sites {
		pairs.Sites = append(pairs.Sites, site.Rows)
	}
	n := len(pairs.Sites)
	pairs.Recipients, pairs.Donors = columnsOf(s, in[:n]), columnsOf(s, in[n:])
	flags, duplicates := pairs.Duplicates(s.Step("duplicates"))
	ok, status := matchStatus(s.Step("status"), ending{duplicates, true})
	pool := match.NewPool(s.Step("pool"), pairs, k.cycle)
	choose := match.Exchange
	if k.mode == modeExact {
		choose = match.Exact
	}
	rows := k.shown(s.Step("shown"), pool, choose(s.Step("exchange"), pool), ok)
	if s.Err() != nil {
		return nil
	}
	out := &matchOutputs{sites: map[string]map[string]rss.Vec{}}
	out.office = k.ofOffice(s.Step("office"), rows)
	out.office[statusOutput], out.office[outputTransplants] = status, rss.Sum(s, rows[outputMatched])
	for i, name := range k.hospitals {
		own := map[string]rss.Vec{outputDuplicates: flags[i]}
		for _, column := range append([]string{outputMatched}, k.rows...) {
			own[column] = pairs.Own(s, rows[column])[i]
		}
		out.sites[name] = own
	}
	return out
}

// columnsOf lays the sites' columns one after the other.
func columnsOf(s *mpc.Session, sites []*listShares) []rss.Vec {
	var out []rss.Vec
	for c := range sites[0].columns {
		var parts []rss.Vec
		for _, site := range sites {
			parts = append(parts, site.values[c])
		}
		out = append(out, rss.Concat(s, parts...))
	}
	return out
}

// shown returns for each pair all that anybody may see of it, zeros where it is in no
// cycle or ok is 0. 2 rounds.
func (k *exchanging) shown(s *mpc.Session, pool *match.Pool, m match.Matching, ok rss.Vec) map[string]rss.Vec {
	all := map[string]rss.Vec{}
	for column, field := range map[string]int{match.ColumnCandidate: match.FieldPair, match.ColumnHospital: match.FieldHospital} {
		all[ownPair+column] = pool.Fields[field].Values
		all[givesTo+column] = m.To[field]
		all[receivesOf+column] = m.From[field]
	}
	if s.Err() != nil {
		return nil
	}
	matched := rss.Mul(s.Step("ok"), m.Matched, rss.Repeat(s, ok, pool.N))
	names := partners([]string{match.ColumnCandidate, match.ColumnHospital}, ownPair, givesTo, receivesOf)
	var flat []rss.Vec
	for _, name := range names {
		flat = append(flat, all[name])
	}
	masked := rss.Mul(s.Step("matched"), rss.Concat(s, flat...), rss.Repeat(s, matched, len(names)))
	for i, name := range names {
		all[name] = rss.Slice(s, masked, i*pool.N, (i+1)*pool.N)
	}
	all[outputMatched] = matched
	return all
}

// ofOffice returns the columns that the office may see, in a secret random order: a
// pair's place would tell its hospital.
func (k *exchanging) ofOffice(s *mpc.Session, rows map[string]rss.Vec) map[string]rss.Vec {
	out := map[string]rss.Vec{}
	if len(k.office) == 0 {
		return out
	}
	names := append([]string{outputMatched}, k.office...)
	var columns []rss.Vec
	for _, name := range names {
		columns = append(columns, rows[name])
	}
	order := rss.NewPermutation(s.Step("order"), columns[0].Len())
	for i, x := range rss.Permute(s.Step("rows"), order, columns...) {
		out[names[i]] = x
	}
	return out
}

// read returns the rows that are matched: values by column.
func (k *exchanging) read(columns []string, opened Opened) ([]map[string]any, error) {
	var rows []map[string]any
	for i, matched := range opened[outputMatched] {
		switch {
		case matched.Sign() == 0:
			continue
		case matched.Cmp(big.NewInt(1)) != 0:
			return nil, errImpossible
		}
		row := map[string]any{}
		for _, name := range columns {
			x := opened[name][i].Int64()
			if !strings.HasSuffix(name, match.ColumnHospital) {
				row[name] = x
				continue
			}
			if x < 1 || x > int64(len(k.hospitals)) {
				return nil, errImpossible
			}
			row[name] = k.hospitals[x-1]
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// headings are what people read above the columns of pairs.
var headings = map[string]string{
	match.ColumnCandidate: "Pair", match.ColumnHospital: "Hospital",
	givesTo + match.ColumnCandidate: "Donor gives to pair", givesTo + match.ColumnHospital: "at",
	receivesOf + match.ColumnCandidate: "Recipient gets from pair", receivesOf + match.ColumnHospital: "of",
}

func pairTable(title string, columns []string, rows []map[string]any) Table {
	t := Table{Title: title}
	for _, name := range columns {
		t.Header = append(t.Header, headings[name])
	}
	for _, row := range rows {
		var cells []string
		for _, name := range columns {
			cells = append(cells, fmt.Sprint(row[name]))
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

// finish implements matchKind.
func (k *exchanging) finish(p *Plan, opened Opened) (*Result, error) {
	n := opened[outputTransplants][0]
	if n.Sign() < 0 || n.Cmp(big.NewInt(int64(p.Dataset.Rows()))) > 0 {
		return nil, errImpossible
	}
	rows, err := k.read(k.office, opened)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b map[string]any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	t := pairTable(fmt.Sprintf("Kidney exchange %s: list %s", hashIn(opened, jobOutput).Short(), p.Dataset.Name), k.office, rows)
	if len(k.office) == 0 {
		t.Header, t.Rows = []string{"Transplants"}, [][]string{{n.String()}}
	}
	t.Notes = []string{
		fmt.Sprintf("%v transplants in cycles of at most %d pairs; %s.", n, k.cycle, k.chosen(p)),
		"Each hospital sees the partners of its own pairs: consilium match show.",
	}
	return &Result{Status: statusOK, Value: map[string]any{outputTransplants: n.Int64(), "rows": pairsValue(rows)}, Tables: []Table{t}}, nil
}

// chosen says how cycles were chosen.
func (k *exchanging) chosen(p *Plan) string {
	program := p.match.policy.Program
	switch {
	case k.mode == modeExact && program.Heaviest:
		return "there can be no more weight in sum"
	case k.mode == modeExact:
		return "there can be no more"
	case program.Weight >= 0:
		return "cycles of high mean weight were taken first"
	}
	return "cycles of pairs that are in few cycles were taken first"
}

func pairsValue(rows []map[string]any) []any {
	all := []any{}
	for _, row := range rows {
		all = append(all, row)
	}
	return all
}

// finishSite implements matchKind.
func (k *exchanging) finishSite(p *Plan, run *MatchRun, opened Opened) (*Result, error) {
	if twice := duplicatesIn(run, opened); twice != nil {
		return twice, nil
	}
	rows, err := k.read(k.rows, opened)
	if err != nil {
		return nil, err
	}
	t := pairTable("Own pairs in the exchange of list "+p.Dataset.Name, k.rows, rows)
	if len(rows) == 0 {
		t.Notes = []string{"No own pair is in a cycle."}
	}
	return &Result{Status: statusOK, Value: map[string]any{"rows": pairsValue(rows)}, Tables: []Table{t}}, nil
}

// duplicatesIn tells a site which of its rows are on the list more than once, or is nil.
func duplicatesIn(run *MatchRun, opened Opened) *Result {
	t := Table{Title: "Own rows that are on the list more than once", Header: []string{"Row", "Id"}}
	var rows []any
	for i, x := range opened[outputDuplicates] {
		if x.Sign() != 0 {
			rows = append(rows, int64(i)+1)
			t.Rows = append(t.Rows, []string{fmt.Sprint(i + 1), run.label(i)})
		}
	}
	if rows == nil {
		return nil
	}
	t.Notes = []string{"Row 1 is the first after the header. Nobody was matched: take the row off one of the lists, and have the match asked for anew."}
	return &Result{Status: statusDuplicates, Reason: explanations[statusDuplicates], Value: map[string]any{outputDuplicates: rows}, Tables: []Table{t}}
}

// says implements matchKind.
func (k *exchanging) says(p *Plan, r *job.Roster) []string {
	var sites []string
	for _, s := range p.Dataset.Sites {
		sites = append(sites, fmt.Sprintf("%s (%d pairs)", s.Node, s.Rows))
	}
	partners := "nothing but that they are in a cycle"
	if columns := pairColumns(p.match.policy.Entitlement.Hospital); len(columns) > 0 {
		partners = strings.Join(columns, ", ") + " of the pair that its recipient gets a kidney from, and of the one that its donor gives to"
	}
	lines := []string{
		fmt.Sprintf("Cycles of at most %d pairs are chosen from list %s at %s; %s.", k.cycle, p.Dataset.Name, strings.Join(sites, ", "), k.chosen(p)),
		fmt.Sprintf("Every hospital of the list learns of each of its own pairs that is in a cycle: %s; and which of its own rows are on the list more than once. It receives as many bytes whatever the run gives.", partners),
	}
	if k.mode == modeExact {
		weights := ""
		if p.match.policy.Program.Heaviest {
			weights = " the weight of each such transplant,"
		}
		lines = append(lines, fmt.Sprintf("Mode exact: the three parties %s see the graph of who could give to whom, of all pairs in a secret random order and without names,%s and which cycles of it are chosen. Who knows some pairs so well as to recognise their places in the graph learns whom they fit. What pairs are called stays hidden from the parties, none of which has pairs in the list.", people(r, r.Parties), weights))
	}
	return lines
}
