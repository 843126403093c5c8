package source

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
)

// world is a table that holds every row there can be over three columns, missing
// values included, from none to four times each, and a Source of it.
type world struct {
	rows   []map[string]int64 // absent where missing
	texts  [][3]string        // the same as text, "" where missing
	source *Source
}

func newWorld(t *testing.T) world {
	schema := schemaOf(integer("a", "-3", "3"), decimal("b", "0.5", "-1", "1"), text("c", "x", "y", "z"))
	var w world
	var file strings.Builder
	file.WriteString("a,b,c\n")
	combination := 0
	for a, textA := range []string{"-3", "-2", "-1.0", "0", "1e0", "+2", "3", ""} {
		for b, textB := range []string{"-1.0", "-.5", "0", "5e-1", "1", ""} {
			for c, textC := range []string{"x", "y", "z", ""} {
				row := map[string]int64{}
				if textA != "" {
					row["a"] = int64(a) - 3
				}
				if textB != "" {
					row["b"] = int64(b) - 2
				}
				if textC != "" {
					row["c"] = int64(c)
				}
				combination++
				for range combination * combination % 5 {
					w.rows = append(w.rows, row)
					w.texts = append(w.texts, [3]string{textA, textB, textC})
					fmt.Fprintf(&file, "%s,%s,%s\n", textA, textB, textC)
				}
			}
		}
	}
	w.source = open(t, write(t, "h.csv", file.String()), schema, len(w.rows)+1)
	return w
}

func drawPredicate(t *rapid.T, depth int) job.Predicate {
	column := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "column")
	value := rapid.Int64Range(-4, 4)
	kinds := 6
	if depth == 0 {
		kinds = 3
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		op := rapid.SampledFrom([]job.Op{job.Eq, job.Ne, job.Lt, job.Le, job.Gt, job.Ge}).Draw(t, "op")
		return job.Compare{Column: column, Op: op, Value: value.Draw(t, "value")}
	case 1:
		return job.In{Column: column, Values: rapid.SliceOfN(value, 0, 4).Draw(t, "values")}
	case 2:
		return job.IsNull{Column: column}
	case 3:
		return job.Not{P: drawPredicate(t, depth-1)}
	case 4:
		return job.And{L: drawPredicate(t, depth-1), R: drawPredicate(t, depth-1)}
	default:
		return job.Or{L: drawPredicate(t, depth-1), R: drawPredicate(t, depth-1)}
	}
}

// selects is the oracle: Kleene's logic row by row.
func selects(p job.Predicate, row map[string]int64) bool {
	if p == nil {
		return true
	}
	truth, known := job.Eval(p, func(column string) (int64, bool) {
		code, ok := row[column]
		return code, ok
	})
	return truth && known
}

func TestPredicateAgreesWithEval(t *testing.T) {
	w := newWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		p := drawPredicate(t, 4)
		event := drawPredicate(t, 2)
		r, err := w.source.Rows(t.Context(), p, append(columnVectors("a", "c"), job.Vector{Name: "event", Predicate: event}))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		got := collect(t, r, []string{"a", "c", "event"})
		for i, row := range w.rows {
			if want := selects(p, row); got.selected[i] != want {
				t.Fatalf("%#v over %v: selected %v, want %v", p, row, got.selected[i], want)
			}
			a, has := row["a"]
			if !got.selected[i] {
				a, has = 0, false
			}
			if got.values["a"][i] != a || got.valid["a"][i] != has {
				t.Fatalf("row %d: a is %d %v, want %d %v", i, got.values["a"][i], got.valid["a"][i], a, has)
			}
			truth, known := job.Eval(event, func(column string) (int64, bool) {
				code, ok := row[column]
				return code, ok
			})
			happened := int64(0)
			if known = known && got.selected[i]; known && truth {
				happened = 1
			}
			if got.values["event"][i] != happened || got.valid["event"][i] != known {
				t.Fatalf("row %d: %#v is %d %v, want %d %v", i, event, got.values["event"][i], got.valid["event"][i], happened, known)
			}
		}
		if got.selected[len(w.rows)] {
			t.Fatal("padding is selected")
		}
	})
}

// No text of a job reaches SQL, neither its literals nor its columns' names: only
// whole numbers, which this package writes.
func TestNothingOfAJobInSQL(t *testing.T) {
	schema := schemaOf(integer("secretcolumn", "-99999", "99999"), text("othercolumn", "secretword", "w"))
	s := open(t, write(t, "h.csv", "secretcolumn,othercolumn\n1,w\n"), schema, 1)
	st, err := s.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const v = -70001
	where := job.Or{
		L: job.And{L: job.Compare{Column: "secretcolumn", Op: job.Ge, Value: v}, R: job.In{Column: "othercolumn", Values: []int64{v + 1, v + 2}}},
		R: job.Not{P: job.IsNull{Column: "secretcolumn"}},
	}
	rows, _, err := rowsQuery(st, where, columnVectors("secretcolumn"))
	if err != nil {
		t.Fatal(err)
	}
	sums := []job.Summary{{
		Name: "secretsummary", Complete: []string{"secretcolumn"}, Terms: []job.Term{{}, {"secretcolumn", "secretcolumn"}},
		Groups: []job.Grouping{
			{Column: "othercolumn", Levels: []int64{v + 3, v + 4}},
			{Column: "secretcolumn", Edges: []int64{v + 5, v + 6, v + 7}},
			{Column: "secretcolumn", Range: &job.Range{First: v + 8, Last: v + 9}},
			{Predicate: job.Not{P: job.Compare{Column: "secretcolumn", Op: job.Lt, Value: v + 10}}},
		},
	}}
	scan, err := s.newScan(st, where, sums, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	allowed := regexp.MustCompile(`^(SELECT|FROM|WHERE|GROUP|ORDER|BY|AND|OR|NOT|IN|IS|NULL|AS|CASE|WHEN|THEN|ELSE|END|BETWEEN|CAST|BIGINT|VARCHAR|count|sum|snapshot|main|data|keyed|[ck]\d+|-?\d+)$`)
	for _, query := range []string{rows, scan.query} {
		for _, word := range regexp.MustCompile(`-?\w+`).FindAllString(query, -1) {
			if !allowed.MatchString(word) {
				t.Errorf("unexpected word %q in %s", word, query)
			}
		}
		if strings.ContainsAny(query, `'"\;$?`) {
			t.Errorf("a quote or a parameter in %s", query)
		}
		if !strings.Contains(query, "(-70001)") {
			t.Errorf("a negative number without parentheses in %s", query)
		}
	}
}

// A predicate of a kind that the translator does not know is an error.
func TestUnknownPredicate(t *testing.T) {
	s := open(t, write(t, "h.csv", "a\n1\n"), schemaOf(integer("a", "0", "9")), 1)
	_, err := s.Summaries(t.Context(), &job.Not{P: job.IsNull{Column: "a"}}, []job.Summary{{Name: "n", Terms: []job.Term{{}}}})
	if want := "cannot be answered"; err == nil || !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("error %v, want …%s…", err, want)
	}
}
