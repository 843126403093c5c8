package job

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"unicode/utf8"
)

// Limits on the policies of a roster.
const (
	maxPolicies   = 32
	maxPolicyText = 1 << 20
)

// Policy is an allocation policy that the study has agreed on, with its tables: its
// rules and the meaning of its lists' columns. Its text is the canonical form of
// package organ/policy, which alone reads it.
type Policy struct {
	Name string `yaml:"name"`
	Text string `yaml:"text"`
}

// Hash names the policy: whoever has agreed to the roster has agreed to it.
func (p *Policy) Hash() Hash { return sha256.Sum256([]byte(p.Text)) }

// List says that a dataset is a list of people by a policy, which takes the place of
// a schema.
type List struct {
	Policy string `yaml:"policy"` // a name of Roster.Policies
	Side   Side   `yaml:"side"`
}

// Side is whom a list's rows are about.
type Side string

// The sides.
const (
	Candidates Side = "candidate" // who wait
	Donors     Side = "donor"     // organs on offer
	Pairs      Side = "pair"      // a recipient and a donor who does not suit her
)

// IsList tells whether the dataset is a list by a policy.
func (d *Dataset) IsList() bool { return d.List != (List{}) }

// Policy returns the policy of that name.
func (r *Roster) Policy(name string) (*Policy, bool) {
	for i := range r.Policies {
		if r.Policies[i].Name == name {
			return &r.Policies[i], true
		}
	}
	return nil, false
}

// PolicyNames lists the policies in roster order.
func (r *Roster) PolicyNames() []string {
	names := make([]string, len(r.Policies))
	for i := range r.Policies {
		names[i] = r.Policies[i].Name
	}
	return names
}

func (r *Roster) checkPolicies() error {
	if len(r.Policies) > maxPolicies {
		return fmt.Errorf("%d policies: a study has at most %d", len(r.Policies), maxPolicies)
	}
	seen := map[string]bool{}
	for i := range r.Policies {
		p := &r.Policies[i]
		if err := checkName("policy", p.Name); err != nil {
			return err
		}
		switch {
		case seen[p.Name]:
			return fmt.Errorf("policy %s comes twice: give each version its own name", p.Name)
		case p.Text == "" || !utf8.ValidString(p.Text):
			return fmt.Errorf("policy %s has no text: make the roster with consilium study create", p.Name)
		case len(p.Text) > maxPolicyText:
			return fmt.Errorf("policy %s has %d bytes with its tables, at most %d are allowed: shorten its tables", p.Name, len(p.Text), maxPolicyText)
		}
		seen[p.Name] = true
	}
	return nil
}

// checkList checks a dataset that is a list. That its policy has such a side is for
// those to say who read policies.
func (r *Roster) checkList(d *Dataset) error {
	if _, ok := r.Policy(d.List.Policy); !ok {
		return fmt.Errorf("it is a list by policy %s: %s", quoted(d.List.Policy), Near(d.List.Policy, r.PolicyNames()))
	}
	switch d.List.Side {
	case Candidates, Donors, Pairs:
	default:
		return fmt.Errorf("the side of its list is %s: use %s, %s or %s", quoted(string(d.List.Side)), Candidates, Donors, Pairs)
	}
	if len(d.Schema.Columns) > 0 {
		return fmt.Errorf("it has both a list and a schema: leave out the schema, the policy says what its columns are")
	}
	if d.Vault != (Vault{}) {
		return fmt.Errorf("it is a list, of which nothing is deposited: leave out vault")
	}
	return nil
}

// derived is what other packages have made of a roster's parts, which do not change.
type derived struct {
	mu     sync.Mutex
	values map[string]any
}

// Derive returns what derive makes of a part of the roster, under a key that names
// both. A roster that was read from its file keeps it: some parts, such as policies,
// are dear to read. What derive returns must not be changed by anybody.
func (r *Roster) Derive(key string, derive func() any) any {
	if r.derived == nil {
		return derive()
	}
	r.derived.mu.Lock()
	defer r.derived.mu.Unlock()
	if v, ok := r.derived.values[key]; ok {
		return v
	}
	v := derive()
	r.derived.values[key] = v
	return v
}
