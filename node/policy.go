package node

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"consilium/job"
	"consilium/protocols"
)

// Policy is what a site's operator allows: nothing, unless a rule says so. A
// job is allowed when one rule covers all of it and no denied column is in it.
type Policy struct {
	Allow       []Rule   `yaml:"allow"`
	DenyColumns []string `yaml:"deny_columns"` // wins over every rule
	Budget      Budget   `yaml:"budget"`       // for each signer and dataset
}

// Rule allows what matches all of its lists; "*" matches everything. Who may
// open the result is the signer's choice: a rule without recipients allows the
// signer alone, so that a client whom this site allows nothing gets nothing by
// another's job.
type Rule struct {
	Signers    []string `yaml:"signers"`    // client names of the roster
	Recipients []string `yaml:"recipients"` // the same; left out: the signer itself
	Datasets   []string `yaml:"datasets"`   // dataset names of the roster
	Analyses   []string `yaml:"analyses"`   // words of the job file
	Columns    []string `yaml:"columns"`    // of the where-clause, too
}

const anything = "*"

// ParsePolicy reads a policy file. An empty list in a rule is refused, as it
// would match nothing.
func ParsePolicy(b []byte) (*Policy, error) {
	p := &Policy{Budget: defaultBudget}
	if err := job.DecodeYAML("policy", b, maxFile, p); err != nil {
		return nil, err
	}
	for i, r := range p.Allow {
		for _, list := range r.lists() {
			if len(list.values) == 0 {
				return nil, fmt.Errorf("allow rule %d has no %s; list them or write [\"*\"]", i+1, list.key)
			}
			if slices.Contains(list.values, "") {
				return nil, fmt.Errorf("allow rule %d has an empty name in %s", i+1, list.key)
			}
		}
	}
	if slices.Contains(p.DenyColumns, "") || slices.Contains(p.DenyColumns, anything) {
		return nil, errors.New("deny_columns takes column names; to deny everything, leave allow empty")
	}
	if err := p.Budget.check(); err != nil {
		return nil, err
	}
	return p, nil
}

type ruleList struct {
	key    string
	values []string
}

// lists returns the lists that the rule must have, and those it has.
func (r *Rule) lists() []ruleList {
	all := []ruleList{{"signers", r.Signers}, {"datasets", r.Datasets}, {"analyses", r.Analyses}, {"columns", r.Columns}}
	if r.Recipients != nil {
		all = append(all, ruleList{"recipients", r.Recipients})
	}
	return all
}

// reveals says whether the rule lets the recipient open what the signer asks.
func (r *Rule) reveals(signer, recipient string) bool {
	if r.Recipients == nil {
		return recipient == signer
	}
	return matches(r.Recipients, recipient)
}

func matches(list []string, name string) bool {
	return slices.Contains(list, anything) || slices.Contains(list, name)
}

// Check refuses a policy that denies a column that no dataset of the study
// has: a slip of the pen there would protect nothing.
func (p *Policy) Check(r *job.Roster) error {
	for _, column := range p.DenyColumns {
		known := slices.ContainsFunc(r.Datasets, func(d job.Dataset) bool {
			_, ok := d.Schema.Column(column)
			return ok || slices.Contains(listColumns(r, &d), column)
		})
		if !known {
			return fmt.Errorf("deny_columns names %q, a column of no dataset of study %s; mend the name or take it out", column, r.Study)
		}
	}
	return nil
}

// listColumns are the columns of a dataset that is a list.
func listColumns(r *job.Roster, d *job.Dataset) []string {
	if !d.IsList() {
		return nil
	}
	p, err := protocols.PolicyOf(r, d.List.Policy)
	if err != nil {
		return nil // checkSetup refuses such a roster
	}
	return protocols.ListColumns(p, d.List.Side)
}

// Unknown lists the clients and datasets in allow rules that the roster does
// not have, for a warning: they allow nothing.
func (p *Policy) Unknown(r *job.Roster) []string {
	var unknown []string
	add := func(kind, name string, known bool) {
		text := kind + " " + name
		if name != anything && !known && !slices.Contains(unknown, text) {
			unknown = append(unknown, text)
		}
	}
	for _, rule := range p.Allow {
		for _, name := range slices.Concat(rule.Signers, rule.Recipients) {
			_, ok := r.Client(name)
			add("client", name, ok)
		}
		for _, name := range rule.Datasets {
			_, ok := r.Dataset(name)
			add("dataset", name, ok)
		}
	}
	return unknown
}

// Decide returns nil when the policy allows the job, and else an error that
// names the first thing that no rule allows. Signer and recipient are names of
// the roster. It never widens: no rule, no job.
func (p *Policy) Decide(signer, recipient string, plan *protocols.Plan, j *job.Job) error {
	columns := plan.Uses()
	var denied []string
	for _, c := range columns {
		if slices.Contains(p.DenyColumns, c) {
			denied = append(denied, c)
		}
	}
	if len(denied) > 0 {
		return fmt.Errorf("its policy denies %s to every job", quantity("column", denied))
	}
	rules := p.Allow
	narrow := func(keep func(Rule) bool) bool {
		rules = filter(rules, keep)
		return len(rules) > 0
	}
	if !narrow(func(r Rule) bool { return matches(r.Signers, signer) }) {
		return fmt.Errorf("its policy allows nothing to %s", signer)
	}
	datasets := plan.Lists()
	if len(datasets) == 0 {
		datasets = []string{j.Dataset}
	}
	for _, name := range datasets {
		if !narrow(func(r Rule) bool { return matches(r.Datasets, name) }) {
			return fmt.Errorf("its policy does not allow dataset %s to %s", strings.Join(datasets, " with "), signer)
		}
	}
	if !narrow(func(r Rule) bool { return matches(r.Analyses, j.Analysis) }) {
		return fmt.Errorf("its policy does not allow analysis %s on dataset %s to %s", j.Analysis, j.Dataset, signer)
	}
	if !narrow(func(r Rule) bool { return r.reveals(signer, recipient) }) {
		return fmt.Errorf("its policy does not allow %s to open the result of %s on dataset %s that %s asks for", recipient, j.Analysis, j.Dataset, signer)
	}
	missing := fewestMissing(rules, columns)
	if len(missing) > 0 {
		return fmt.Errorf("its policy does not allow %s in %s on dataset %s to %s", quantity("column", missing), j.Analysis, j.Dataset, signer)
	}
	return nil
}

func filter(rules []Rule, keep func(Rule) bool) []Rule {
	var kept []Rule
	for _, r := range rules {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

// fewestMissing returns the columns that the closest rule does not allow. A
// job's columns must all be in one rule: two rules may be for two purposes.
func fewestMissing(rules []Rule, columns []string) []string {
	var best []string
	for i, r := range rules {
		missing := slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return matches(r.Columns, c) })
		if i == 0 || len(missing) < len(best) {
			best = missing
		}
	}
	return best
}

func quantity(noun string, names []string) string {
	if len(names) > 1 {
		noun += "s"
	}
	return noun + " " + strings.Join(names, ", ")
}
