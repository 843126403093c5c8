package protocols

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"consilium/job"
)

// MaxElements caps the numbers that one job seals as sums and reveals: enough
// for any table that a person reads, and one frame of a link holds it.
const MaxElements = 1 << 16

// MaxMatched is that cap for matches, whose rows are of single patients: a party's sealed
// share has 16 bytes a number, and has to fit into wire.MaxShare.
const MaxMatched = 1 << 20

// PlanJob derives everything public about a job, the same at the client before
// signing, at every node before accepting, and at the recipient. It refuses
// what this version cannot do, what could overflow, and what the study forbids.
func PlanJob(j *job.Job, r *job.Roster) (*Plan, error) {
	if j.Analysis == ScoreName {
		return planScore(j, r)
	}
	if j.Analysis == MatchNext {
		return planNext(j, r)
	}
	if _, ok := matchKinds()[j.Analysis]; ok {
		return planMatch(j, r)
	}
	if c, ok := custodyOf(j); ok {
		return planCustody(c, j, r)
	}
	a, err := Lookup(j.Analysis)
	if err != nil {
		return nil, err
	}
	return planFor(a, j, r)
}

func planFor(a Analysis, j *job.Job, r *job.Roster) (*Plan, error) {
	d, err := checkTable(j, r)
	if err != nil {
		return nil, err
	}
	if err := checkParticipants(j, r, d); err != nil {
		return nil, err
	}
	where, err := job.ParsePredicate(j.Where, &d.Schema)
	if err != nil {
		return nil, fmt.Errorf("where: %w", err)
	}
	plan := a.Plan
	switch j.Engine {
	case job.EngineMixed:
		plan = mixedPlanner(a)
	case job.EngineMHE:
		s, err := summarizer(a, d, r.Disclosure)
		if err != nil {
			return nil, err
		}
		plan = s.PlanSums
	}
	p, err := plan(j, d, r.Disclosure)
	if err != nil {
		return nil, err
	}
	p.Engine = j.Engine
	p.Analysis, p.Dataset, p.Where, p.Filter, p.analysis = a.Name(), d, where, oneLine(j.Where), a
	p.MinCount = r.Disclosure.MinCount
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Analysis, err)
	}
	switch {
	case j.Stored && p.Engine == job.EngineShares:
		err = p.planShares()
	case p.Engine == job.EngineMixed:
		err = p.planMixed(j, r)
	case j.Stored:
		err = p.planStored(j, r)
	case p.Engine == job.EngineMHE:
		err = p.layOut()
	}
	return p, err
}

// oneLine puts a where-clause of several lines on one.
func oneLine(text string) string { return strings.NewReplacer("\n", " ", "\t", " ").Replace(text) }

// checkStudy compares the job with the study's rules and returns its dataset.
func checkStudy(j *job.Job, r *job.Roster) (*job.Dataset, error) {
	if j.Study != r.Study {
		return nil, fmt.Errorf("the job is for study %q, this roster is of study %q", j.Study, r.Study)
	}
	d, ok := r.Dataset(j.Dataset)
	if !ok {
		return nil, fmt.Errorf("study %s has no dataset %.64q: %s", r.Study, j.Dataset, job.Near(j.Dataset, r.DatasetNames()))
	}
	if engines := []string{job.EngineShares, job.EngineMHE, job.EngineMixed}; !slices.Contains(engines, j.Engine) {
		return nil, fmt.Errorf("there is no engine %.64q; known: %s", j.Engine, strings.Join(engines, ", "))
	}
	if err := r.CheckParticipants(j); err != nil {
		return nil, err
	}
	if _, ok := recipient(j, r); !ok {
		return nil, errors.New("the job's recipient key belongs to no client of the roster; results go to the study's clients only")
	}
	return d, nil
}

// checkTable is checkStudy for what asks of a table, not of a list.
func checkTable(j *job.Job, r *job.Roster) (*job.Dataset, error) {
	d, err := checkStudy(j, r)
	if err == nil && d.IsList() {
		return nil, errList(d)
	}
	return d, err
}

// checkParticipants refuses a job in which somebody takes no part without whom it
// cannot be answered.
func checkParticipants(j *job.Job, r *job.Roster, d *job.Dataset) error {
	switch {
	case j.Engine == job.EngineMixed && !j.Stored:
		return errors.New("engine mixed is for what is stored; say stored: true, or take engine: shares")
	case j.Stored && j.Engine != job.EngineMHE: // of engine mixed, any quorum of the sites besides
		return checkPresent(r, j, r.Parties)
	case j.Stored: // any quorum of the sites
		return nil
	case j.Engine == job.EngineMHE:
		return checkPresent(r, j, siteNames(d))
	}
	return checkPresent(r, j, slices.Concat(r.Parties, siteNames(d)))
}

// recipient returns the client to whose key the job's result will be sealed.
func recipient(j *job.Job, r *job.Roster) (*job.Client, bool) {
	i := slices.IndexFunc(r.Clients, func(c job.Client) bool { return bytes.Equal(c.Recipient, j.Recipient) })
	if i < 0 || len(j.Recipient) == 0 {
		return nil, false
	}
	return &r.Clients[i], true
}

// check refuses a plan whose sums may overflow for the declared rows, or whose
// vectors are too long.
func (p *Plan) check() error {
	for i := range p.Summaries {
		if err := p.Summaries[i].Check(&p.Dataset.Schema, p.Dataset.Rows()); err != nil {
			return err
		}
	}
	revealed := 0
	for _, o := range p.Outputs {
		revealed += o.Len
	}
	most := MaxElements
	if p.match != nil {
		most = MaxMatched
	}
	if n := max(p.sums(), revealed); n > most {
		return fmt.Errorf("the result would have %d numbers, at most %d are possible; ask for fewer groups or columns", n, most)
	}
	return nil
}

// sums returns the length of all summaries' vectors together.
func (p *Plan) sums() int {
	n := 0
	for _, s := range p.Summaries {
		n += s.Len()
	}
	return n
}

// Uses returns the names of all columns that the job touches, the where-clause
// included, sorted. A node's policy is held against it.
func (p *Plan) Uses() []string {
	used := p.scoring.names()
	for _, sample := range p.Samples {
		for _, v := range sample.Vectors {
			used = append(used, v.Reads()...)
		}
	}
	for _, s := range p.Summaries {
		used = append(used, s.Complete...)
		for _, g := range s.Groups {
			used = append(used, g.Reads()...)
		}
		for _, t := range s.Terms {
			used = append(used, t...)
		}
	}
	if p.Where != nil {
		used = append(used, job.Columns(p.Where)...)
	}
	used = append(used, p.columns...)
	slices.Sort(used)
	return slices.Compact(used)
}

// Statement says in whole sentences, one an item, what will be revealed, to
// whom, from whose rows and computed by whom. It is shown before signing.
func (p *Plan) Statement(j *job.Job, r *job.Roster) []string {
	to := "the holder of the job's recipient key"
	if c, ok := recipient(j, r); ok {
		to = person(c.Name, c.Organisation)
	}
	lines := []string{"Only " + to + " can open the result, and learns:"}
	for _, s := range p.Reveals {
		lines = append(lines, "  - "+s)
	}
	switch {
	case p.scoring != nil:
		return append(lines, p.scoring.statement(to, r)...)
	case p.match != nil:
		return append(lines, p.matchStatement(j, r)...)
	case p.custody != nil:
		return append(append(lines, p.custody.says(p, r)...), everybodySees)
	}
	lines = append(lines, p.otherwise())
	var sites []string
	for _, s := range p.Dataset.Sites {
		plural := "s"
		if s.Rows == 1 {
			plural = ""
		}
		sites = append(sites, fmt.Sprintf("%s (%d row%s)", s.Node, s.Rows, plural))
	}
	rows := "all rows"
	if p.Filter != "" {
		rows = "the rows where " + p.Filter
	}
	of := "dataset " + p.Dataset.Name
	if j.Stored {
		of = "what is deposited of " + of
	}
	return append(lines,
		fmt.Sprintf("It is taken over %s of %s at %s.", rows, of, strings.Join(sites, ", ")),
		p.computedBy(j, r),
		everybodySees)
}

const everybodySees = "Every node and the coordinator see the question: the analysis, its arguments, the filter and the declared numbers of rows."

// otherwise says what the recipient learns where there is no result.
func (p *Plan) otherwise() string {
	words := strings.Join(p.words(), ", ")
	if p.Engine == job.EngineMHE {
		return "The result may be one of these words instead: " + words + ". The sums are shown all the same."
	}
	text := "Or nothing but one of these words: " + words + "."
	if p.MinCount > 0 {
		text += fmt.Sprintf(" The study hides every result that tells of fewer than %d patients.", p.MinCount)
	}
	return text
}

// computedBy says who computes, and what it takes for them to learn anything.
func (p *Plan) computedBy(j *job.Job, r *job.Roster) string {
	switch {
	case p.program != nil:
		return fmt.Sprintf("It is computed by %s alone, on the random shares of the rows that they keep: no single one of them that keeps to the protocol learns anything of the rows or of the result; two that pool their shares do. No site takes part: each has agreed to such jobs by its deposit.", people(r, r.Parties))
	case p.mixed != nil:
		return p.mixedBy(r)
	case j.Stored:
		return p.answeredBy(r.Sealers(j), r)
	case p.Engine != job.EngineMHE:
		return fmt.Sprintf("It is computed by %s on random shares: no single one of them that keeps to the protocol learns anything of the rows or of the result; two that pool their shares do.", people(r, r.Parties))
	}
	sites := siteNames(p.Dataset)
	return fmt.Sprintf("It is computed by all %d sites, %s, who add up their sums under a collective key: no group of them short of all that keeps to the protocol learns anything of another's rows or sums, or of the result; the recipient learns the totals and no site's own.", len(sites), people(r, sites))
}

// answeredBy is computedBy for what is stored.
func (p *Plan) answeredBy(sites []string, r *job.Roster) string {
	return fmt.Sprintf("It is computed by %s, on ciphertexts under a key that all sites hold together, without their files: %s No fewer that keep to the protocol learn anything of rows, of sums or of the result; the recipient learns the totals and no site's own.",
		people(r, sites), quorumMeans(p.Dataset))
}

// people lists nodes with their organisations.
func people(r *job.Roster, nodes []string) string {
	list := make([]string, len(nodes))
	for i, name := range nodes {
		organisation := ""
		if n, ok := r.Node(name); ok {
			organisation = n.Organisation
		}
		list[i] = person(name, organisation)
	}
	return strings.Join(list, ", ")
}

func person(name, organisation string) string {
	if organisation == "" {
		return name
	}
	return name + " (" + organisation + ")"
}

// Finish derives the result from what the recipient opened.
func (p *Plan) Finish(opened Opened) (*Result, error) {
	finish := p.finishShares
	switch {
	case p.match != nil:
		finish = p.finishMatch
	case p.custody != nil:
		finish = p.finishCustody
	case p.Engine == job.EngineMHE:
		finish = p.finishSums
	}
	result, err := finish(opened)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Analysis, err)
	}
	return result, nil
}

// finishShares reads the status, and the figures where it is "ok".
func (p *Plan) finishShares(opened Opened) (*Result, error) {
	for _, o := range p.revealed() {
		if len(opened[o.Name]) != o.Len {
			return nil, fmt.Errorf("the opened result lacks %s", o.Name)
		}
	}
	word, err := p.statusWord(opened)
	if err != nil {
		return nil, err
	}
	if word != statusOK {
		return &Result{Status: word, Reason: explanations[word]}, nil
	}
	return p.analysis.Finish(p, opened)
}
