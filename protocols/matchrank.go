package protocols

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/organ/policy"
	"consilium/protocols/match"
)

// MatchRank is the word for a match run in a job: a donor against a waiting list.
//
// The dataset is the waiting list, at several sites; the donor is one row of a list of
// donors. Of that list's sites the one of the donor, which the job names where there are
// several, shares out that row alone, so that nobody learns of others.
// The best k candidates of the policy's order are ranked on shares (see match.Rank);
// an id that stands in several rows ends the run, and each hospital learns which of its
// own rows those are (see match.Duplicates). The recipient, the allocation office, gets
// k rows by the policy's entitlement, and every hospital of the list gets as many in
// the same places, in which others' candidates are zeros: whose a row is nobody opens
// to route it.
const MatchRank = "match.rank"

// The columns of an entitlement that every policy has, beside those of package match.
const (
	columnRun      = "run"
	columnSequence = "sequence"
)

// outputRanked is 1 in a row of a candidate.
const outputRanked = "ranked"

// outputDuplicates is 1 for each of a hospital's own rows whose id stands elsewhere too.
const outputDuplicates = "duplicates"

// The words with which a match run may end.
const (
	statusDuplicates = "duplicates"
	statusTiers      = "tiers"
	statusNobody     = "nobody"
)

// rankRun is a match run.
type rankRun struct {
	k            int
	donor        string // its label
	donors       string // the list that has it
	donorAt      string // the site of the list; empty: its only one
	all          bool
	next         bool     // rows are kept by the parties, and revealed one at a time
	office, rows []string // columns that are revealed to the office and to each hospital
	hospitals    []string
	before       int // ranks that come before the first row
}

// How a run's rows are revealed.
const (
	revealList = "list"
	revealNext = "next"
)

// maxCandidates bounds the memory of a run.
const maxCandidates = 1 << 20

// defaultTop is how many candidates a run ranks that does not say.
const defaultTop = 50

func planRank(p *Plan, j *job.Job, r *job.Roster) (matchKind, error) {
	m := p.match
	if p.Dataset.List.Side != job.Candidates {
		return nil, fmt.Errorf("dataset %s is a list of %ss: name the waiting list, and the donors' list in donors", p.Dataset.Name, p.Dataset.List.Side)
	}
	k := &rankRun{}
	args := j.Arguments()
	k.donors, k.donor = args.String(ArgDonors), args.String(ArgDonor)
	k.donorAt = args.OptionalString(ArgDonorAt, "")
	k.all = args.OptionalBool("all", false)
	if top := args.OptionalDecimal("top", big.NewRat(defaultTop, 1)); top != nil && top.IsInt() && top.Num().IsInt64() {
		k.k = int(top.Num().Int64())
	}
	asked := args.Has("top")
	reveal := args.OptionalString(ArgReveal, revealList)
	if err := m.matchArgs(args); err != nil {
		return nil, err
	}
	total := p.Dataset.Rows()
	switch {
	case asked && k.all:
		return nil, errors.New("arguments top and all exclude each other: give one of them")
	case k.k < 1:
		return nil, errors.New("argument top is no whole number from 1 on: give how many candidates to rank, or all: true")
	case reveal != revealList && reveal != revealNext:
		return nil, fmt.Errorf("argument reveal is %.32q: %s", reveal, job.Near(reveal, []string{revealList, revealNext}))
	case reveal == revealNext && len(m.policy.Refusals) == 0:
		return nil, fmt.Errorf("reveal: next offers ranks one at a time, and policy %s does not say by which codes an offer may be refused: have refusals added to it, or leave out reveal", m.policy.Name)
	case total > maxCandidates:
		return nil, fmt.Errorf("dataset %s declares %d rows: at most %d are matched", p.Dataset.Name, total, maxCandidates)
	}
	k.next = reveal == revealNext
	if k.k = min(k.k, total); k.all {
		k.k = total
	}
	if err := k.addDonor(p, r); err != nil {
		return nil, err
	}
	return k, k.outputs(p)
}

// addDonor lays out what all sites put in.
func (k *rankRun) addDonor(p *Plan, r *job.Roster) error {
	d, ok := r.Dataset(k.donors)
	switch {
	case !ok:
		return fmt.Errorf("argument donors: study %s has no dataset %.64q: %s", r.Study, k.donors, job.Near(k.donors, lists(r)))
	case d.List.Side != job.Donors || d.List.Policy != p.Dataset.List.Policy:
		return fmt.Errorf("argument donors: dataset %s is no list of donors by policy %s", d.Name, p.Dataset.List.Policy)
	case k.donor == "":
		return errors.New("argument donor is empty: give the donor's label")
	case k.donorAt == "" && len(d.Sites) > 1:
		return fmt.Errorf("argument donor_at is missing: dataset %s is at several sites: name the donor's: %s", d.Name, strings.Join(siteNames(d), ", "))
	}
	site, ok := d.Site(cmp.Or(k.donorAt, d.Sites[0].Node))
	if !ok {
		return fmt.Errorf("argument donor_at: dataset %s is not at %.64q: %s", d.Name, k.donorAt, job.Near(k.donorAt, siteNames(d)))
	}
	program := p.match.policy.Program
	p.readsList(p.Dataset, job.Candidates, program.Candidate)
	p.readsList(&job.Dataset{Name: d.Name, List: d.List, Sites: []job.Site{*site}}, job.Donors, program.Donor)
	donor := p.match.inputs[len(p.match.inputs)-1]
	donor.rows, donor.label = 1, k.donor
	return nil
}

// entitled reads the policy's entitlement, and which hospitals there are.
func (k *rankRun) entitled(p *Plan) error {
	entitlement := p.match.policy.Entitlement
	for who, columns := range map[string][]string{"the office": entitlement.Office, "hospitals": entitlement.Hospital} {
		if !slices.Contains(columns, columnSequence) {
			return fmt.Errorf("policy %s does not entitle %s to the sequence, and rows come in their places", p.match.policy.Name, who)
		}
	}
	k.office, k.rows = revealedColumns(entitlement.Office), revealedColumns(entitlement.Hospital)
	for _, s := range p.Dataset.Sites {
		k.hospitals = append(k.hospitals, s.Node)
	}
	return nil
}

// outputs says what the recipient and every hospital learn.
func (k *rankRun) outputs(p *Plan) error {
	m := p.match
	m.words = []string{statusDuplicates, statusTiers, statusNobody}
	if err := k.entitled(p); err != nil {
		return err
	}
	columns := k.office
	if k.next {
		columns = k.columns()
	}
	if n := k.k * len(columns); n > MaxMatched {
		return fmt.Errorf("%d rows of %d columns are %d numbers, at most %d can be revealed: ask for the top %d", k.k, len(columns), n, MaxMatched, MaxMatched/len(columns))
	}
	for _, s := range p.Dataset.Sites {
		m.told[s.Node] = []Output{{outputDuplicates, s.Rows}}
	}
	if k.next {
		p.Reveals = []string{"whether there is a ranked list, and nothing of any row: each is revealed by " + MatchNext}
		return nil
	}
	for _, name := range k.office {
		p.Outputs = append(p.Outputs, Output{name, k.k})
	}
	for _, s := range p.Dataset.Sites {
		for _, name := range k.rows {
			m.told[s.Node] = append(m.told[s.Node], Output{name, k.k})
		}
	}
	p.Reveals = []string{
		fmt.Sprintf("of the %s for donor %s: %s", k.best(), k.donor, strings.Join(m.policy.Entitlement.Office, ", ")),
		"how many candidates that is, if there are fewer",
	}
	return nil
}

// best says which rows are revealed.
func (k *rankRun) best() string {
	if k.all {
		return "eligible candidates of the whole list"
	}
	return fmt.Sprintf("best %d eligible candidates", k.k)
}

// revealedColumns are an entitlement's columns that have to be revealed: the run has
// its number, and the sequence is a row's place.
func revealedColumns(entitlement []string) []string {
	columns := []string{outputRanked}
	for _, name := range entitlement {
		if name != columnRun && name != columnSequence {
			columns = append(columns, name)
		}
	}
	return columns
}

// compute implements matchKind.
func (k *rankRun) compute(s *mpc.Session, p *Plan, in []*listShares) *matchOutputs {
	list := &match.List{Program: p.match.policy.Program}
	for _, site := range p.Dataset.Sites {
		list.Sites = append(list.Sites, site.Rows)
	}
	candidates, donor := in[:len(in)-1], in[len(in)-1]
	list.Donor = donor.values
	for c := range list.Program.Candidate {
		var parts []rss.Vec
		for _, site := range candidates {
			parts = append(parts, site.values[c])
		}
		list.Candidates = append(list.Candidates, rss.Concat(s, parts...))
	}
	flags, duplicates := match.Duplicates(s.Step("duplicates"), list)
	ranked := match.Rank(s.Step("rank"), list, k.k)
	ok, status := matchStatus(s.Step("status"), ending{duplicates, true}, ending{ranked.Faults, true}, ending{ranked.Eligible, false})
	rows := shown(s.Step("shown"), &ranked.Rows, ok)
	if s.Err() != nil {
		return nil
	}
	out := &matchOutputs{sites: map[string]map[string]rss.Vec{}}
	if k.next {
		out.office, out.kept = map[string]rss.Vec{statusOutput: status}, rows
		for i, name := range k.hospitals {
			out.sites[name] = map[string]rss.Vec{outputDuplicates: flags[i]}
		}
		return out
	}
	out.office = rowValues(rows, k.office)
	out.office[statusOutput] = status
	every := make([]int, len(list.Sites))
	for i := range every {
		every[i] = i
	}
	for i, own := range rows.Of(s.Step("hospitals"), every...) {
		values := rowValues(own, k.rows)
		values[outputDuplicates] = flags[i]
		out.sites[k.hospitals[i]] = values
	}
	return out
}

// shown returns the rows where ok is 1, and zeros where it is 0. 1 round.
func shown(s *mpc.Session, r *match.Rows, ok rss.Vec) *match.Rows {
	all := []rss.Vec{r.Ranked}
	for _, c := range r.Columns {
		all = append(all, c.Values)
	}
	flat := rss.Concat(s, all...)
	flat = rss.Mul(s, flat, rss.Repeat(s, ok, flat.Len()))
	out := *r
	n := r.Ranked.Len()
	out.Ranked, out.Columns = rss.Slice(s, flat, 0, n), slices.Clone(r.Columns)
	for i := range out.Columns {
		out.Columns[i].Values = rss.Slice(s, flat, (i+1)*n, (i+2)*n)
	}
	return &out
}

// rowValues picks columns of rows.
func rowValues(r *match.Rows, names []string) map[string]rss.Vec {
	values := map[string]rss.Vec{outputRanked: r.Ranked}
	for _, c := range r.Columns {
		if slices.Contains(names, c.Name) {
			values[c.Name] = c.Values
		}
	}
	return values
}

// rankedRow is a row in the clear: values by the columns of an entitlement.
type rankedRow map[string]any

// read returns the rows that are there, by an entitlement.
func (k *rankRun) read(p *Plan, columns []string, opened Opened) ([]rankedRow, error) {
	var rows []rankedRow
	for i := range k.k {
		switch ranked := opened[outputRanked][i]; {
		case ranked.Sign() == 0:
			continue
		case ranked.Cmp(big.NewInt(1)) != 0:
			return nil, errImpossible
		}
		row := rankedRow{columnSequence: int64(k.before+i) + 1}
		for _, name := range columns[1:] {
			v, err := k.value(p, name, opened[name][i].Int64())
			if err != nil {
				return nil, err
			}
			row[name] = v
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// value is a number of a row as people read it.
func (k *rankRun) value(p *Plan, column string, x int64) (any, error) {
	program := p.match.policy.Program
	switch column {
	case match.ColumnTier:
		if x < 0 || x >= int64(len(program.Tiers)) {
			return nil, errImpossible
		}
		return program.Tiers[x], nil
	case match.ColumnHospital:
		if x < 1 || x > int64(len(k.hospitals)) {
			return nil, errImpossible
		}
		return k.hospitals[x-1], nil
	case match.ColumnCandidate:
		return x, nil
	case match.ColumnPoints:
		return steps(x, program.PointsStep), nil
	}
	at := slices.IndexFunc(program.Shown, func(s policy.Shown) bool { return s.Name == column })
	if at < 0 {
		return nil, errImpossible
	}
	return steps(x, program.Shown[at].Step), nil
}

// steps is a number of steps as a number: a whole one where the step is whole.
func steps(x int64, step *big.Rat) any {
	if step == nil {
		return x
	}
	v := new(big.Rat).Mul(new(big.Rat).SetInt64(x), step)
	if v.IsInt() && v.Num().IsInt64() {
		return v.Num().Int64()
	}
	f, _ := v.Float64()
	return f
}

// rowTable prints rows by an entitlement.
func rowTable(title string, entitlement []string, rows []rankedRow) Table {
	t := Table{Title: title}
	for _, name := range entitlement {
		if name != columnRun {
			t.Header = append(t.Header, strings.ToUpper(name[:1])+strings.ReplaceAll(name[1:], "_", " "))
		}
	}
	for _, row := range rows {
		var cells []string
		for _, name := range entitlement {
			if name != columnRun {
				cells = append(cells, cellText(row[name]))
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

func cellText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', 3, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return fmt.Sprint(v)
}

// finish implements matchKind.
func (k *rankRun) finish(p *Plan, opened Opened) (*Result, error) {
	if k.next {
		return k.finishKept(p, opened), nil
	}
	entitlement := p.match.policy.Entitlement.Office
	rows, err := k.read(p, k.office, opened)
	if err != nil {
		return nil, err
	}
	title := fmt.Sprintf("Match run %s: donor %s, list %s", hashIn(opened, jobOutput).Short(), k.donor, p.Dataset.Name)
	t := rowTable(title, entitlement, rows)
	t.Notes = append(t.Notes, fmt.Sprintf("Policy %s, version %s; dates count to %s.", p.match.policy.Name, p.match.policy.Version, p.match.day.Format("2006-01-02")))
	if len(rows) == k.k && k.k < p.Dataset.Rows() {
		t.Notes = append(t.Notes, fmt.Sprintf("The best %d: there may be more eligible candidates.", k.k))
	} else {
		t.Notes = append(t.Notes, "These are all eligible candidates.")
	}
	return &Result{Status: statusOK, Value: map[string]any{"donor": k.donor, "n": int64(len(rows)), "rows": rowsValue(rows)}, Tables: []Table{t}}, nil
}

func rowsValue(rows []rankedRow) []any {
	all := []any{}
	for _, row := range rows {
		all = append(all, map[string]any(row))
	}
	return all
}

// finishSite implements matchKind.
func (k *rankRun) finishSite(p *Plan, run *MatchRun, opened Opened) (*Result, error) {
	if twice := duplicatesIn(run, opened); twice != nil {
		return twice, nil
	}
	if k.next {
		return &Result{Status: statusOK, Value: map[string]any{"donor": k.donor, "reveal": revealNext, "rows": []any{}}, Tables: []Table{{
			Title: "List for donor " + k.donor,
			Notes: []string{"No own row is on the list more than once. Own candidates are offered one at a time, when it is their turn."},
		}}}, nil
	}
	entitlement := p.match.policy.Entitlement.Hospital
	rows, err := k.read(p, k.rows, opened)
	if err != nil {
		return nil, err
	}
	t := rowTable("Own candidates on the list for donor "+k.donor, entitlement, rows)
	if len(rows) == 0 {
		t.Notes = []string{"No own candidate is among the rows of this run."}
	}
	return &Result{Status: statusOK, Value: map[string]any{"donor": k.donor, "rows": rowsValue(rows)}, Tables: []Table{t}}, nil
}

// says implements matchKind.
func (k *rankRun) says(p *Plan, r *job.Roster) []string {
	var sites []string
	for _, s := range p.Dataset.Sites {
		sites = append(sites, fmt.Sprintf("%s (%d rows)", s.Node, s.Rows))
	}
	donor := p.match.inputs[len(p.match.inputs)-1]
	told := fmt.Sprintf("Every hospital of the list learns of its own candidates alone, if they are among those rows: %s; and which of its own rows are on the list more than once. It receives as many bytes whatever the run gives.", strings.Join(p.match.policy.Entitlement.Hospital, ", "))
	if k.next {
		told = k.saysKept()
	}
	return []string{
		fmt.Sprintf("Donor %s of list %s at %s is matched against list %s at %s.", k.donor, k.donors, donor.site, p.Dataset.Name, strings.Join(sites, ", ")),
		told,
		fmt.Sprintf("Of the donor, %s puts in one row: nobody else learns anything of it but by the rows above, and its label, which stands in the question.", people(r, []string{donor.site})),
	}
}
