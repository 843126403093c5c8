package policy

import (
	"errors"
	"fmt"
	"math/big"
	"slices"

	"consilium/job"
)

// define compiles a value of the match and gives it its name.
func (c *compiler) define(v Value) error {
	if err := checkWord("its name", v.Name); err != nil {
		return err
	}
	if _, twice := c.values[v.Name]; twice || isFunction(v.Name) || c.env.tables[v.Name] != nil || builtinColumn(v.Name) {
		return errors.New("the name is taken: rename it")
	}
	x, err := c.env.parse(v.Value, number, boolean)
	if err != nil {
		return err
	}
	r, err := c.compile(x)
	if err != nil {
		return err
	}
	if n := &c.nodes[r.node]; r.known == nil && n.Name == "" {
		n.Name = v.Name
	}
	c.values[v.Name] = r
	c.env.names[v.Name] = binding{kind: x.kind}
	c.env, err = newEnvironment(c.env.names, c.env.tables, true)
	return err
}

// condition compiles a boolean expression.
func (c *compiler) condition(text string) (int, error) {
	x, err := c.env.parse(text, boolean)
	if err != nil {
		return 0, err
	}
	r, err := c.compile(x)
	return r.node, err
}

// amount compiles a number to a node.
func (c *compiler) amount(text string) (int, *big.Rat, error) {
	x, err := c.env.parse(text, number)
	if err != nil {
		return 0, nil, err
	}
	r, err := c.compile(x)
	if err != nil {
		return 0, nil, err
	}
	node, step := c.settle(r)
	return node, step, c.err
}

// settle makes a node of a number, even of one that is known.
func (c *compiler) settle(r result) (int, *big.Rat) {
	if r.known == nil {
		return r.node, r.step
	}
	return c.at(r, ownStep(r.known)), ownStep(r.known)
}

// ownStep is the step of a number that is known: its magnitude, or 1 for 0.
func ownStep(known *big.Rat) *big.Rat {
	if known.Sign() == 0 {
		return one
	}
	return new(big.Rat).Abs(known)
}

// Columns of a result that every run has.
var builtinColumns = []string{"run", "sequence", "tier", "points", "candidate", "hospital"}

// exchangeColumns are those of an exchange: the run, and of a pair its id and hospital.
var exchangeColumns = []string{"run", "candidate", "hospital"}

func builtinColumn(name string) bool { return slices.Contains(builtinColumns, name) }

// assembly makes a program of a policy's parts.
type assembly struct {
	*compiler
	policy  *Policy
	program Program
	tiers   []int // conditions
}

func (a *assembly) assemble() (*Program, error) {
	p := &a.program
	p.Weight, p.Fault, p.Excluded = -1, -1, -1
	var err error
	var eligible []int
	if p.Eligible, err = a.conditions("eligible", a.policy.Eligible, &eligible); err != nil {
		return nil, err
	}
	if a.policy.Panel != nil {
		if p.Excluded, err = a.excluded(eligible); err != nil {
			return nil, fmt.Errorf("panel: %w", err)
		}
	}
	p.Eligible = a.and(p.Eligible, a.present(a.candidate))
	if a.policy.Kind == Exchange {
		p.Eligible = a.and(p.Eligible, a.present(a.donor))
	}
	if a.policy.Kind == Rank {
		err = a.rank()
	} else {
		err = a.exchange()
	}
	if err != nil {
		return nil, err
	}
	if err := a.entitlement(); err != nil {
		return nil, err
	}
	if a.err != nil {
		return nil, a.err
	}
	a.finish()
	return p, nil
}

// present is the input that tells a row from padding.
func (a *assembly) present(s *side) int {
	v := &variable{full: s.name + "." + presentName}
	return a.input(v, InputInfo{Name: v.full, Kind: Boolean, High: 1}, func([]datum) int64 { return 1 })
}

// conditions compiles named conditions and returns the node that all hold; each
// is also appended to every.
func (a *assembly) conditions(what string, list []Condition, every *[]int) (int, error) {
	all, seen := a.truth(true), map[string]bool{}
	for _, c := range list {
		if job.Printable(c.Name, maxLabel) != c.Name || c.Name == "" || seen[c.Name] {
			return 0, fmt.Errorf("%s: name %.64q: give each condition a short name of its own", what, c.Name)
		}
		seen[c.Name] = true
		node, err := a.condition(c.When)
		if err != nil {
			return 0, fmt.Errorf("%s %.64q: %w", what, c.Name, err)
		}
		if all = a.and(all, node); every != nil {
			*every = append(*every, node)
		}
	}
	return all, nil
}

// exchange compiles the weight and finds what pairs are named by.
func (a *assembly) exchange() error {
	p := &a.program
	i := slices.IndexFunc(a.candidate.variables, func(v *variable) bool { return v.input.Type == typeID })
	if i < 0 {
		return errors.New("candidate: no input is of type id: declare one, by which results name pairs")
	}
	id, err := a.read(a.candidate.variables[i])
	if err != nil {
		return err
	}
	p.ID, _ = a.settle(id)
	if a.policy.Weight == "" {
		return nil
	}
	p.Heaviest = a.policy.Exact == MostWeight
	if p.Weight, p.WeightStep, err = a.amount(a.policy.Weight); err != nil {
		return fmt.Errorf("weight: %w", err)
	}
	return nil
}

// rank compiles tiers, points and order.
func (a *assembly) rank() error {
	p := &a.program
	if _, err := a.conditions("tier", a.policy.Tiers, &a.tiers); err != nil {
		return err
	}
	for _, t := range a.policy.Tiers {
		p.Tiers = append(p.Tiers, t.Name)
	}
	proved, err := a.checkTiers()
	if err != nil {
		return err
	}
	p.Tier = a.constant(0)
	held := a.constant(0)
	for i, condition := range a.tiers {
		p.Tier = a.plus(p.Tier, a.scale(condition, big.NewInt(int64(i))))
		held = a.plus(held, condition)
	}
	if len(a.tiers) > 1 { // one tier holds, so the sum of all places is never reached
		p.Tier = a.within(p.Tier, 0, int64(len(a.tiers))-1)
	}
	if !proved {
		p.Fault = a.and(p.Eligible, a.not(a.equal(held, a.constant(1))))
	}
	if p.Points, p.PointsStep, err = a.amount(a.policy.Points); err != nil {
		return fmt.Errorf("points: %w", err)
	}
	return a.order()
}

// digit is one key of the order as a number from 0 to size-1, the first rank's 0.
type digit struct {
	node int
	size *big.Int
}

// order packs the keys of the order into as few numbers as they fit.
func (a *assembly) order() error {
	p := &a.program
	digits := []digit{a.digit(p.Eligible, true)}
	keys := a.policy.Order
	for i, k := range keys {
		if k.Direction != "ascending" && k.Direction != "descending" {
			return fmt.Errorf("order by %.64q: direction is %.32q: use ascending or descending", k.By, k.Direction)
		}
		if slices.ContainsFunc(keys[:i], func(o OrderKey) bool { return o.By == k.By }) {
			return fmt.Errorf("order by %.64q: it stands twice: remove one", k.By)
		}
		node, err := a.key(k)
		if err != nil {
			return fmt.Errorf("order by %.64q: %w", k.By, err)
		}
		digits = append(digits, a.digit(node, k.Direction == "descending"))
		p.ID = node // the last is
	}
	last := keys[len(keys)-1]
	slot, ok := a.candidate.slots[a.candidate.name+"."+last.By]
	if !ok || a.candidate.variables[slot].input.Type != typeID {
		return fmt.Errorf("order ends with %.64q: end with the candidate's id, so that no two are equal", last.By)
	}
	a.pack(digits)
	return nil
}

// key returns the node by which the order goes.
func (a *assembly) key(k OrderKey) (int, error) {
	switch k.By {
	case "tier":
		if k.Direction != "ascending" {
			return 0, errors.New("tiers are written best first: their direction is ascending")
		}
		return a.program.Tier, nil
	case "points":
		return a.program.Points, nil
	}
	v, ok := a.values[k.By]
	if slot, own := a.candidate.slots[a.candidate.name+"."+k.By]; own && !ok && a.candidate.variables[slot].kind == number {
		var err error
		if v, err = a.read(a.candidate.variables[slot]); err != nil {
			return 0, err
		}
		ok = true
	}
	if !ok || v.kind != number {
		known := append([]string{"tier", "points"}, sortedKeys(a.values)...)
		for _, v := range a.candidate.variables {
			if v.kind == number {
				known = append(known, v.input.Name)
			}
		}
		return 0, fmt.Errorf("no number has this name: %s", job.Near(k.By, known))
	}
	if v.known != nil {
		return a.constant(0), nil
	}
	return v.node, nil
}

func (a *assembly) digit(node int, descending bool) digit {
	low, high := a.low(node), a.high(node)
	size := sum(difference(high, low), big.NewInt(1))
	if descending {
		return digit{a.minus(a.constant(high.Int64()), node), size}
	}
	return digit{a.minus(node, a.constant(low.Int64())), size}
}

// pack makes a number of neighbouring digits as long as it stays below 2^62.
func (a *assembly) pack(digits []digit) {
	limit := new(big.Int).Lsh(big.NewInt(1), 62)
	word := digits[0]
	for _, d := range digits[1:] {
		if size := product(word.size, d.size); size.Cmp(limit) < 0 {
			word = digit{a.plus(a.scale(word.node, d.size), d.node), size}
			continue
		}
		a.program.Sort = append(a.program.Sort, word.node)
		word = d
	}
	a.program.Sort = append(a.program.Sort, word.node)
}

// entitlement checks who sees what, and keeps the numbers that are shown.
func (a *assembly) entitlement() error {
	e := a.policy.Entitlement
	if len(e.Office) == 0 || len(e.Hospital) == 0 {
		return errors.New("entitlement: say which columns the allocation office sees and which a candidate's hospital")
	}
	for _, columns := range [][]string{e.Office, e.Hospital} {
		for i, name := range columns {
			if slices.Contains(columns[:i], name) {
				return fmt.Errorf("entitlement: %.64q stands twice: remove one", name)
			}
			if err := a.show(name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *assembly) show(name string) error {
	if a.policy.Kind == Exchange && !slices.Contains(exchangeColumns, name) {
		return fmt.Errorf("entitlement: a policy of kind exchange has no column %.64q: %s", name, job.Near(name, exchangeColumns))
	}
	if builtinColumn(name) {
		return nil
	}
	v, ok := a.values[name]
	if !ok {
		known := append(slices.Clone(builtinColumns), sortedKeys(a.values)...)
		return fmt.Errorf("entitlement: there is no column %.64q: %s", name, job.Near(name, known))
	}
	if slices.ContainsFunc(a.program.Shown, func(s Shown) bool { return s.Name == name }) {
		return nil
	}
	if v.kind == boolean {
		v.step = one
	}
	node, step := a.settle(v)
	a.program.Shown = append(a.program.Shown, Shown{name, node, step})
	return nil
}

// finish drops what nothing needs, and numbers the inputs that remain.
func (a *assembly) finish() {
	p := &a.program
	places := []*int{&p.Eligible, &p.ID}
	if a.policy.Kind == Rank {
		places = append(places, &p.Tier, &p.Points)
		for i := range p.Sort {
			places = append(places, &p.Sort[i])
		}
	}
	for _, optional := range []*int{&p.Fault, &p.Weight, &p.Excluded} {
		if *optional >= 0 {
			places = append(places, optional)
		}
	}
	for i := range p.Shown {
		places = append(places, &p.Shown[i].Node)
	}
	wanted := make([]int, len(places))
	for i, place := range places {
		wanted[i] = *place
	}
	nodes, moved := a.prune(wanted)
	for _, place := range places {
		*place = moved[*place]
	}
	// Inputs that no node reads are not sealed.
	for i := range nodes {
		n := &nodes[i]
		if n.Op != OpInput {
			continue
		}
		if n.Candidate {
			p.Candidate = append(p.Candidate, a.infos[0][n.K])
			p.candidate = append(p.candidate, a.extracts[0][n.K])
			n.K = int64(len(p.Candidate)) - 1
		} else {
			p.Donor = append(p.Donor, a.infos[1][n.K])
			p.donor = append(p.donor, a.extracts[1][n.K])
			n.K = int64(len(p.Donor)) - 1
		}
	}
	p.Nodes = nodes
}
