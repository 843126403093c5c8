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
	"consilium/organ/hla"
	"consilium/organ/policy"
	"consilium/protocols/match"
)

// MatchCPRA is the word for a question to a panel in a job: how many of a list of donors
// a candidate could accept by her unacceptable antigens, and how many more if one of
// these were dropped.
//
// The dataset is the panel, a list of donors at any number of sites; the candidate is one
// row of a waiting list at one hospital. Both put in their antigens alone, and the counts
// (see match.Panel) go to that hospital and to nobody else: the job's recipient learns
// that it was answered. Dropping an antigen is taking it off the candidate's list as it
// stands there: a broad one covers its splits, of which those that are listed by
// themselves stay unacceptable. Blood groups do not count.
const MatchCPRA = "match.cpra"

// The arguments of a question to a panel.
const (
	ArgList      = "list"
	ArgHospital  = "hospital"
	ArgCandidate = "candidate"
)

// What the candidate's hospital is told: two counts, and one for each antigen that there
// is, zeros unless the status is ok.
const (
	outputPanel      = "panel"
	outputAcceptable = "acceptable"
	outputGained     = "gained"
)

// maxPanel bounds the memory of a party: about 32 bytes a row and antigen.
const maxPanel = 1 << 16

// reaching is a question to a panel.
type reaching struct {
	list, hospital, candidate string
	antigens                  []hla.Antigen // in the order of their bits
}

// QueryLimit is in how many questions to a panel about one hospital's candidates a node
// takes part in any 24 hours.
type QueryLimit struct {
	Hospital string
	PerDay   int
}

// QueryLimit returns the limit that a job's policy sets, if it sets one.
func (p *Plan) QueryLimit() (QueryLimit, bool) {
	if p.match == nil {
		return QueryLimit{}, false
	}
	k, ok := p.match.kind.(*reaching)
	if !ok {
		return QueryLimit{}, false
	}
	return QueryLimit{k.hospital, p.match.policy.Panel.QueriesPerDay}, true
}

func planCPRA(p *Plan, j *job.Job, r *job.Roster) (matchKind, error) {
	m, d := p.match, p.Dataset
	args := j.Arguments()
	k := &reaching{list: args.String(ArgList), hospital: args.String(ArgHospital), candidate: args.String(ArgCandidate)}
	if err := m.matchArgs(args); err != nil {
		return nil, err
	}
	list, ok := r.Dataset(k.list)
	switch {
	case d.List.Side != job.Donors:
		return nil, fmt.Errorf("dataset %s is a list of %ss: name the panel, which is a list of donors", d.Name, d.List.Side)
	case m.policy.Panel == nil:
		return nil, fmt.Errorf("policy %s allows no questions to a panel: have the study agree on it with panel: {minimum: …, queries_per_day: …}", m.policy.Name)
	case d.Rows() > maxPanel:
		return nil, fmt.Errorf("dataset %s declares %d rows: a panel has at most %d", d.Name, d.Rows(), maxPanel)
	case !ok:
		return nil, fmt.Errorf("argument list: study %s has no dataset %.64q: %s", r.Study, k.list, job.Near(k.list, lists(r)))
	case list.List.Side != job.Candidates || list.List.Policy != d.List.Policy:
		return nil, fmt.Errorf("argument list: dataset %s is no list of candidates by policy %s", list.Name, d.List.Policy)
	case k.candidate == "":
		return nil, errors.New("argument candidate is empty: give the candidate's label in the list of her hospital")
	}
	site, ok := list.Site(k.hospital)
	if !ok {
		return nil, fmt.Errorf("argument hospital: list %s is not at %.64q: %s", list.Name, k.hospital, job.Near(k.hospital, siteNames(list)))
	}
	k.reads(p, list, site)
	k.outputs(p)
	return k, nil
}

// reads lays out what the panel's sites and the hospital put in.
func (k *reaching) reads(p *Plan, list *job.Dataset, hospital *job.Site) {
	program := p.match.policy.Program
	cross := program.Crossmatch()
	for _, l := range cross.Loci {
		k.antigens = append(k.antigens, hla.Antigens(l)...)
	}
	add := func(d *job.Dataset, site string, rows int, side job.Side, label string, inputs []policy.InputInfo, places []int) {
		in := &listInput{site: site, dataset: d.Name, side: side, rows: rows, label: label, places: places, bitwise: true}
		for _, place := range places {
			in.columns = append(in.columns, inputs[place])
			p.columns = append(p.columns, inputs[place].From...)
		}
		p.match.inputs = append(p.match.inputs, in)
	}
	for _, s := range p.Dataset.Sites {
		add(p.Dataset, s.Node, s.Rows, job.Donors, "", program.Donor, cross.Donor)
	}
	add(list, hospital.Node, 1, job.Candidates, k.candidate, program.Candidate, cross.Candidate)
	p.lists = []string{p.Dataset.Name, list.Name}
}

// outputs says what the hospital learns, and the recipient not.
func (k *reaching) outputs(p *Plan) {
	m := p.match
	m.words = []string{statusSuppressed}
	m.why = map[string]string{
		statusSuppressed: fmt.Sprintf("the panel has fewer donors than the %d of whom policy %s has something told", m.policy.Panel.Minimum, m.policy.Name),
	}
	m.told[k.hospital] = []Output{{outputPanel, 1}, {outputAcceptable, 1}, {outputGained, len(k.antigens)}}
	p.Reveals = []string{"that the question is answered: all numbers go to " + k.hospital + " alone"}
}

// sealedBits is how many numbers of a row are sealed bit by bit.
func sealedBits(columns []policy.InputInfo) int {
	n := 1
	for i := range columns {
		n += columns[i].Bits()
	}
	return n
}

// bitColumns takes words apart: a column for each bit of each, from the lowest, and a
// last one that is 1 in rows with any. A row without antigens only fills a list up.
func bitColumns(columns []policy.InputInfo, words [][]int64) [][]int64 {
	var out [][]int64
	any := make([]int64, len(words[0]))
	for k := range columns {
		for b := range columns[k].Bits() {
			bit := make([]int64, len(words[k]))
			for i, w := range words[k] {
				bit[i] = w >> b & 1
				any[i] |= bit[i]
			}
			out = append(out, bit)
		}
	}
	return append(out, any)
}

// compute implements matchKind.
func (k *reaching) compute(s *mpc.Session, p *Plan, in []*listShares) *matchOutputs {
	a := len(k.antigens)
	sites, candidate := in[:len(in)-1], in[len(in)-1]
	panel := &match.Panel{Unacceptable: rss.Concat(s, candidate.values[:a]...)}
	for _, site := range sites {
		panel.Donors = append(panel.Donors, match.PanelDonors{Carried: rss.Concat(s, site.values[:a]...), Present: site.values[a]})
	}
	reach := panel.Reach(s.Step("panel"))
	few := rss.ToArith(s.Step("number"), rss.LessPublic(s.Step("few"), reach.Donors, int64(p.match.policy.Panel.Minimum), countBits))
	ok, status := matchStatus(s.Step("status"), ending{few, true})
	flat := rss.Concat(s, reach.Donors, reach.Acceptable, reach.Gained)
	flat = rss.Mul(s.Step("shown"), flat, rss.Repeat(s, ok, flat.Len()))
	if s.Err() != nil {
		return nil
	}
	return &matchOutputs{
		office: map[string]rss.Vec{statusOutput: status},
		sites: map[string]map[string]rss.Vec{k.hospital: {
			outputPanel: rss.Slice(s, flat, 0, 1), outputAcceptable: rss.Slice(s, flat, 1, 2), outputGained: rss.Slice(s, flat, 2, flat.Len()),
		}},
	}
}

// finish implements matchKind.
func (k *reaching) finish(p *Plan, opened Opened) (*Result, error) {
	id := hashIn(opened, jobOutput).Short()
	t := Table{
		Title:  "Question " + id + " to panel " + p.Dataset.Name,
		Header: []string{"Candidate", "List", "Hospital"},
		Rows:   [][]string{{k.candidate, k.list, k.hospital}},
		Notes:  []string{fmt.Sprintf("Answered, to %s alone: consilium match show %s --state DIR prints it there.", k.hospital, id)},
	}
	return &Result{Status: statusOK, Value: map[string]any{"rows": []any{}, ArgHospital: k.hospital}, Tables: []Table{t}}, nil
}

// finishSite implements matchKind.
func (k *reaching) finishSite(p *Plan, run *MatchRun, opened Opened) (*Result, error) {
	own := slices.IndexFunc(run.Inputs, func(in MatchInput) bool { return in.List == k.list && in.Side == job.Candidates })
	if own < 0 {
		return nil, errImpossible
	}
	columns := p.match.inputs[len(p.match.inputs)-1].columns
	row, err := parseInput(columns, run.Inputs[own].Text)
	if err != nil {
		return nil, err
	}
	counts := make([]int64, 0, len(k.antigens)+2)
	for _, name := range []string{outputPanel, outputAcceptable, outputGained} {
		for _, x := range opened[name] {
			if x.Sign() < 0 || x.Cmp(big.NewInt(int64(p.Dataset.Rows()))) > 0 {
				return nil, errImpossible
			}
			counts = append(counts, x.Int64())
		}
	}
	if counts[0] == 0 {
		return k.told(p, reached{}), nil
	}
	r := reached{donors: counts[0], acceptable: counts[1]}
	for _, a := range hla.Unpack(columns[0].Loci, row.Row(0)) {
		r.dropped = append(r.dropped, dropped{a, counts[1] + counts[2+slices.Index(k.antigens, a)]})
	}
	return k.told(p, r), nil
}

// reached is a hospital's answer: of how many donors how many are acceptable.
type reached struct {
	donors, acceptable int64
	dropped            []dropped
}

// dropped is how many donors are acceptable without one of the unacceptable antigens.
type dropped struct {
	antigen    hla.Antigen
	acceptable int64
}

// excludes is the share of donors that are not acceptable, in percent.
func (r *reached) excludes(acceptable int64) float64 {
	return 100 * float64(r.donors-acceptable) / float64(r.donors)
}

// told is the answer as its hospital sees it: antigens in the order of what dropping them
// changes.
func (k *reaching) told(p *Plan, r reached) *Result {
	rows := []any{}
	if r.donors == 0 {
		return &Result{Status: statusSuppressed, Reason: p.match.reason(statusSuppressed), Value: map[string]any{"rows": rows}}
	}
	cpra := r.excludes(r.acceptable)
	t := Table{
		Title:  "Without one of the unacceptable antigens",
		Header: []string{"Antigen", "Acceptable", "cPRA %", "Change"},
		Notes:  []string{"One antigen is dropped at a time. Without two of them there may be more donors than both gain: ask with the shorter list."},
	}
	slices.SortStableFunc(r.dropped, func(a, b dropped) int { return int(b.acceptable - a.acceptable) })
	for _, d := range r.dropped {
		without := r.excludes(d.acceptable)
		rows = append(rows, map[string]any{"antigen": d.antigen.String(), "acceptable": d.acceptable, "cpra": without, "change": without - cpra})
		t.Rows = append(t.Rows, []string{d.antigen.String(), fmt.Sprint(d.acceptable), fmt.Sprintf("%.2f", without), fmt.Sprintf("%.2f", without-cpra)})
	}
	all := Table{
		Title:  fmt.Sprintf("Candidate %s of list %s against panel %s", k.candidate, k.list, p.Dataset.Name),
		Header: []string{"Donors", "Acceptable", "Acceptable %", "cPRA %"},
		Rows:   [][]string{{fmt.Sprint(r.donors), fmt.Sprint(r.acceptable), fmt.Sprintf("%.2f", 100-cpra), fmt.Sprintf("%.2f", cpra)}},
		Notes:  []string{"By unacceptable antigens alone; blood groups do not count."},
	}
	tables := []Table{all, t}
	if len(rows) == 0 {
		tables = tables[:1]
		tables[0].Notes = append(tables[0].Notes, "The candidate has no unacceptable antigen.")
	}
	value := map[string]any{"candidate": k.candidate, "panel": r.donors, "acceptable": r.acceptable, "cpra": cpra, "rows": rows}
	return &Result{Status: statusOK, Value: value, Tables: tables}
}

// says implements matchKind.
func (k *reaching) says(p *Plan, r *job.Roster) []string {
	var sites []string
	for _, s := range p.Dataset.Sites {
		sites = append(sites, fmt.Sprintf("%s (%d rows)", s.Node, s.Rows))
	}
	rules := p.match.policy.Panel
	return []string{
		fmt.Sprintf("Candidate %s of list %s at %s is held against the donors of panel %s at %s, by antigens alone.", k.candidate, k.list, k.hospital, p.Dataset.Name, strings.Join(sites, ", ")),
		fmt.Sprintf("Of the numbers %s learns all and nobody else any: how many donors the panel has, how many of them the candidate could accept, and how many without each one of her unacceptable antigens.", people(r, []string{k.hospital})),
		"Nobody else learns anything of the candidate but her label, which stands in the question, and that she is on the list.",
		fmt.Sprintf("Of a panel of fewer than %d donors nothing is told.", rules.Minimum),
		fmt.Sprintf("A node takes part in at most %d such questions for %s in 24 hours, however they end.", rules.QueriesPerDay, k.hospital),
	}
}
