package source

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"consilium/job"
)

// Over several batches the rows keep their order, those left out stay as zeros,
// and padding completes the declared number.
func TestRowsOverManyBatches(t *testing.T) {
	const have, declared = 2*pageRows + 100, 3*pageRows + 7
	var b strings.Builder
	b.WriteString("n,m\n")
	for i := range have {
		if i%3 == 0 {
			fmt.Fprintf(&b, "%d,\n", i)
		} else {
			fmt.Fprintf(&b, "%d,%d\n", i, -i)
		}
	}
	s := open(t, write(t, "h.csv", b.String()), schemaOf(integer("n", "0", "1000000"), integer("m", "-1000000", "1000000")), declared)
	// m < -10 is unknown where m is missing: not selected.
	got := stream(t, s, job.Compare{Column: "m", Op: job.Lt, Value: -10}, "m", "n")
	if got.batches != 4 || len(got.selected) != declared {
		t.Fatalf("%d batches of %d rows together, want 4 of %d", got.batches, len(got.selected), declared)
	}
	for i := range declared {
		want, n, m := i < have && i%3 != 0 && i > 10, int64(i), int64(-i)
		if !want {
			n, m = 0, 0
		}
		if got.selected[i] != want || got.valid["n"][i] != want || got.valid["m"][i] != want || got.values["n"][i] != n || got.values["m"][i] != m {
			t.Fatalf("row %d: n %d %v, m %d %v, selected %v", i, got.values["n"][i], got.valid["n"][i], got.values["m"][i], got.valid["m"][i], got.selected[i])
		}
	}
}

func TestRowsOfAnEmptyFile(t *testing.T) {
	s := open(t, write(t, "h.csv", "age\n"), schemaOf(integer("age", "0", "9")), 3)
	got := stream(t, s, nil, "age")
	if !slices.Equal(got.selected, make([]bool, 3)) || !slices.Equal(got.values["age"], make([]int64, 3)) {
		t.Errorf("%+v, want three rows of padding", got)
	}
	if got := stream(t, s, nil); len(got.selected) != 3 {
		t.Errorf("without columns: %d rows, want 3", len(got.selected))
	}
}

func TestRowsRefuses(t *testing.T) {
	s := open(t, write(t, "h.csv", "age,remark\n1,x\n"), schemaOf(integer("age", "0", "9"), text("remark")), 1)
	for _, c := range []struct {
		where  job.Predicate
		column string
		want   string
	}{
		{nil, "remark", "text without a list of categories"},
		{nil, "agee", "is not in the schema"},
		{job.IsNull{Column: "agee"}, "age", "is not in the schema"},
		{job.Compare{Column: "remark", Op: job.Eq}, "age", "text without a list of categories"},
		{job.Compare{Column: "age", Op: "; DROP"}, "age", "a comparison that is none of"},
	} {
		_, err := s.Rows(t.Context(), c.where, columnVectors(c.column))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %s: error %v, want …%s…", c.where, c.column, err, c.want)
		}
	}
	// Whether a text is there can be asked without a list.
	if got := stream(t, s, job.Not{P: job.IsNull{Column: "remark"}}, "age"); !got.selected[0] {
		t.Error("remark IS NOT NULL does not hold")
	}
}
