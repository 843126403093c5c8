package protocols

import (
	"context"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
	"consilium/mpc/mhe"
)

// deposits plans a deposit of the ward.
func deposits(t rapid.TB, s *study, args string) *deposited {
	t.Helper()
	j := s.job(ask{"ward", "deposit", "", args})
	j.Engine = job.EngineMHE
	p, err := PlanJob(j, s.roster.Roster)
	if err != nil {
		t.Fatal(err)
	}
	return p.Detail.(*deposited)
}

// columnsOf are what a manifest has of it.
func (d *deposited) columnsOf() []mhe.Column {
	var out []mhe.Column
	for _, c := range d.stored {
		out = append(out, mhe.Column{Name: c.name, Bits: c.bits})
	}
	return out
}

// number is what is stored of a row in a column.
func (d *deposited) number(name string, row map[string]cell) int64 {
	c := d.stored[slices.IndexFunc(d.stored, func(c storedColumn) bool { return c.name == name })]
	of := cellOfVector(c.vector, row)
	switch {
	case c.of == itsRows || c.of == itsValues && of.valid:
		return 1
	case c.of == itsCodes && of.valid:
		return of.code
	}
	return 0
}

// evaluated is what a circuit gives over rows.
func (d *deposited) evaluated(c mhe.Circuit, rows []map[string]cell) []*big.Int {
	var sums []*big.Int
	for _, term := range c {
		sum := new(big.Int)
		for _, row := range rows {
			product := big.NewInt(1)
			for _, name := range term {
				product.Mul(product, big.NewInt(d.number(name, row)))
			}
			sum.Add(sum, product)
		}
		sums = append(sums, sum)
	}
	return sums
}

// TestCircuit: whatever circuit is found for sums gives them, over any rows; and one is
// found at once when the filter that the refusal names is deposited too.
func TestCircuit(t *testing.T) {
	s := fiveWards(t)
	d, _ := s.roster.Roster.Dataset("ward")
	schema := &d.Schema
	numeric := []string{"age", "dose", "grade"}
	conditions := []string{
		"age IS NOT NULL", "dose IS NOT NULL", "grade IS NOT NULL", "sex IS NOT NULL", "sex = 'f'", "age > 30", "age <= 60 OR sex = 'm'",
		"NOT (age > 60 AND dose > 2)", "grade IN (2, 10)", "dose IS NULL", "age = 40.5", "NOT age = 40.5",
	}
	some := func(t *rapid.T, what string, from []string, least, most int) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), least, most, rapid.ID[string]).Draw(t, what)
	}
	conjunctions := func(t *rapid.T, what string, most int) string {
		return strings.Join(some(t, what, conditions, 0, most), " AND ")
	}
	cell := func(t *rapid.T, column string) string {
		return rapid.SampledFrom(map[string][]string{
			"age": {"", "40", "-3", "61", "30", "0"}, "dose": {"", "1.5", "0", "99.5"}, "sex": {"", "m", "f"}, "grade": {"", "2", "0.5", "10"},
		}[column]).Draw(t, column)
	}
	rapid.Check(t, func(rt *rapid.T) {
		where, err := job.ParsePredicate(conjunctions(rt, "where", 3), schema)
		if err != nil {
			rt.Fatal(err)
		}
		p := &Plan{Dataset: d, Where: where}
		for i := range rapid.IntRange(1, 2).Draw(rt, "summaries") {
			complete := some(rt, "complete", numeric, 0, 3)
			summary := job.Summary{Name: momentsOf(i), Complete: complete, Terms: []job.Term{{}}}
			for k, name := range complete {
				summary.Terms = append(summary.Terms, job.Term{name})
				for _, other := range complete[k:] {
					summary.Terms = append(summary.Terms, job.Term{name, other})
				}
			}
			p.Summaries = append(p.Summaries, summary)
		}
		var filters []string
		add := func(text string) {
			if predicate, err := job.ParsePredicate(text, schema); err == nil && predicate != nil {
				name := job.Canonical(predicate, schema)
				bare := slices.ContainsFunc(numeric, func(column string) bool { return job.Present(column) == name })
				if !bare && !slices.Contains(filters, name) {
					filters = append(filters, name)
				}
			}
		}
		for range rapid.IntRange(0, 3).Draw(rt, "filters") {
			add(conjunctions(rt, "filter", 3))
		}
		var made *deposited
		var circuit mhe.Circuit
		for tries := 0; ; tries++ {
			j := s.job(ask{"ward", "deposit", "", "{}"})
			j.Engine = job.EngineMHE
			if filters != nil {
				j.Args = map[string]any{"filters": filters}
			}
			plan, err := PlanJob(j, s.roster.Roster)
			if err != nil {
				rt.Fatal(err)
			}
			made = plan.Detail.(*deposited)
			if circuit, err = p.circuit(made.columnsOf()); err == nil {
				break
			}
			if _, filter, ok := strings.Cut(err.Error(), "deposit the filter "); ok && tries < len(p.Summaries) {
				add(filter)
			} else {
				rt.Fatalf("no circuit with filters %q: %v", filters, err)
			}
		}
		var lines [][]string
		for range rapid.IntRange(0, 6).Draw(rt, "rows") {
			lines = append(lines, []string{cell(rt, "age"), cell(rt, "dose"), cell(rt, "sex"), cell(rt, "grade")})
		}
		rows := fromText(t, schema, wardHeader, lines)
		want, err := rows.Summaries(context.Background(), where, p.Summaries)
		if err != nil {
			rt.Fatal(err)
		}
		got := made.evaluated(circuit, rows.rows)
		for i, x := range slices.Concat(want...) {
			if got[i].Cmp(x) != 0 || len(circuit[i]) > mhe.MaxFactors {
				rt.Fatalf("%v: %v is %v, want %v", lines, circuit[i], got[i], x)
			}
		}
	})
}

// TestCircuitOfColumns: which columns are taken, and what is said where none suffice.
func TestCircuitOfColumns(t *testing.T) {
	s := fiveWards(t)
	d, _ := s.roster.Roster.Dataset("ward")
	count := job.Summary{Name: "count", Terms: []job.Term{{}}}
	pair := job.Summary{Name: "pair", Complete: []string{"age", "dose"}, Terms: []job.Term{{}, {"age"}, {"age", "dose"}, {"dose", "dose"}}}
	for _, c := range []struct {
		deposit, where string
		summary        job.Summary
		want           string // the circuit, or the error
	}{
		{`{}`, "", count, "*"},
		{`{}`, "dose IS NOT NULL AND age IS NOT NULL", count, "age IS NOT NULL*dose IS NOT NULL"},
		{`{"filters":["sex = 'f'"]}`, "sex = 'f'", count, "sex = 'f'"},
		{`{}`, "", pair, "age IS NOT NULL*dose IS NOT NULL; dose IS NOT NULL*age; age*dose; age IS NOT NULL*dose*dose"},
		{`{"filters":["age > 3"]}`, "age > 3", pair, "age > 3*dose IS NOT NULL; age > 3*dose IS NOT NULL*age; age > 3*age*dose; age > 3*dose*dose"},
		{`{"filters":["dose > 1 AND age > 3"]}`, "age > 3 AND dose > 1", pair, "age > 3 AND dose > 1; age > 3 AND dose > 1*age; age > 3 AND dose > 1*age*dose; age > 3 AND dose > 1*dose*dose"},
		{`{"filters":["age > 3","sex = 'f'"]}`, "age > 3 AND sex = 'f'", count, "age > 3*sex = 'f'"},
		{`{"filters":["age > 3","sex = 'f'"]}`, "age > 3 AND sex = 'f'", pair, "deposit the filter age > 3 AND dose IS NOT NULL AND sex = 'f'"},
		{`{"filters":["age > 3"]}`, "age >= 4", count, "deposit the filter age >= 4"},
		{`{"filters":["sex = 'f' AND age > 3"]}`, "sex = 'f'", count, "deposit the filter sex = 'f'"},
		{`{"columns":["age","grade"]}`, "", pair, `column "dose" is not deposited`},
		{`{"columns":["grade"]}`, "dose IS NOT NULL", count, "deposit the filter dose IS NOT NULL"},
	} {
		where, err := job.ParsePredicate(c.where, &d.Schema)
		s.must(err)
		p := &Plan{Dataset: d, Where: where, Summaries: []job.Summary{c.summary}}
		circuit, err := p.circuit(deposits(t, s, c.deposit).columnsOf())
		var terms []string
		for _, term := range circuit {
			terms = append(terms, strings.Join(term, "*"))
		}
		got := strings.Join(terms, "; ")
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want) || strings.Contains(got, "\n")) {
			t.Errorf("deposit %s, where %s: %s, want %s", c.deposit, c.where, got, c.want)
		}
	}
}

// TestSupplyIsBounded: a job that would take more memory than a site gives is refused
// before it begins.
func TestSupplyIsBounded(t *testing.T) {
	column := func(name string) mhe.Column { return mhe.Column{Name: name, Hashes: make([]word, 256)} }
	m := &mhe.Manifest{Columns: []mhe.Column{column("a"), column("b")}}
	var manifests []*mhe.Manifest
	for range 12 {
		manifests = append(manifests, m)
	}
	if err := checkSupply(manifests, []string{"a"}); err != nil {
		t.Error(err)
	}
	if err := checkSupply(manifests, []string{"a", "b"}); err == nil || !strings.Contains(err.Error(), "8.1 GB") || !strings.Contains(err.Error(), "name fewer columns") {
		t.Error(err)
	}
}

// TestNeeds: what a plan asks to have deposited suffices for its circuit, and is not
// more than that.
func TestNeeds(t *testing.T) {
	v := wardVaults(t, fiveWardLines()...)
	for _, c := range []struct {
		a                ask
		columns, filters []string
	}{
		{wardMoments, []string{"age"}, nil},
		{ask{"ward", "describe", "sex = 'f' AND grade > 1", `{"columns":["age","dose"]}`}, []string{"age", "dose"}, []string{"grade > 1 AND sex = 'f'"}},
		{ask{"ward", "correlation", "", `{"columns":["age","dose"]}`}, []string{"age", "dose"}, nil},
		{ask{"ward", "linear", "sex = 'f'", `{"outcome":"age","covariates":["dose"]}`}, []string{"age", "dose"}, []string{"age IS NOT NULL AND dose IS NOT NULL AND sex = 'f'"}},
	} {
		p, err := PlanJob(v.jobOn(c.a, stored(hospitals(2, 4)...)), v.roster.Roster)
		v.must(err)
		columns, filters, err := p.Needs()
		v.must(err)
		if !slices.Equal(columns, c.columns) || !slices.Equal(filters, c.filters) {
			t.Errorf("%v needs %q and %q", c.a, columns, filters)
		}
		args := map[string]any{"columns": columns}
		if len(filters) > 0 {
			args["filters"] = filters
		}
		deposit, err := PlanJob(v.jobOn(wardDeposit, func(j *job.Job) { j.Args = args }), v.roster.Roster)
		v.must(err)
		if _, err := p.circuit(deposit.Detail.(*deposited).columnsOf()); err != nil {
			t.Errorf("%v: %v", c.a, err)
		}
	}
}
