package protocols

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/testkit"
)

// designDataset has columns of all kinds: narrow, far wider than its values, of
// many digits, and categories.
func designDataset(rows int) *job.Dataset {
	return &job.Dataset{
		Name: "ward", Sites: []job.Site{{Node: "hospital-1", Rows: rows}},
		Schema: job.Schema{Columns: []job.Column{
			{Name: "age", Type: job.Integer, Min: "0", Max: "120"},
			{Name: "cost", Type: job.Integer, Min: "-1000000000000000", Max: "1000000000000000"},
			{Name: "exact", Type: job.Decimal, Step: "0.0000000000001", Min: "-100", Max: "100"},
			{Name: "race", Type: job.Integer, Min: "1", Max: "4", Categories: []string{"1", "2", "3", "4"}},
			{Name: "sex", Type: job.Text, Categories: []string{"m", "f"}},
			{Name: "ward", Type: job.Text, Categories: []string{"only"}},
			{Name: "name", Type: job.Text},
			{Name: "wide", Type: job.Integer, Min: "0", Max: "4000000000000000000"},
		}},
	}
}

// TestDesignTerms: names and order of terms, and what is refused.
func TestDesignTerms(t *testing.T) {
	d := designDataset(50)
	m, err := newDesign(d, []string{"sex", "age", "race"}, []string{"race"})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.names(), " "); got != "sexm age race2 race3 race4" {
		t.Errorf("terms %s", got)
	}
	for _, c := range []struct {
		covariates, categorical []string
		want                    string
	}{
		{[]string{"age", "age"}, nil, "named twice"},
		{[]string{"agee"}, nil, "did you mean"},
		{[]string{"age"}, []string{"race"}, "which is no covariate"},
		{[]string{"age"}, []string{"age"}, "no list of categories"},
		{[]string{"name"}, nil, "no list of categories"},
		{[]string{"ward"}, nil, "one category"},
		{[]string{"wide"}, nil, "larger step or a narrower range"},
	} {
		if _, err := newDesign(d, c.covariates, c.categorical); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, %v: got %v, want %q", c.covariates, c.categorical, err, c.want)
		}
	}
}

// computed runs a computation on shares of public rows and returns what it opens.
func computed(t interface{ Fatal(...any) }, compute func(s *mpc.Session) rss.Vec128) []*big.Int {
	opened, err := memnet.Collect(memnet.New(memnet.Config{}), func(s *mpc.Session) (ring.Vec128, error) {
		return rss.Open(s.Step("result"), compute(s.Step("compute"))), s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return opened[0].Big()
}

// sampleOf puts codes of whole rows, in the order of the vectors, on shares.
func sampleOf(s *mpc.Session, vectors []job.Vector, d *job.Dataset, member []bool, codes map[string][]int64, spill *rss.Spill) *Sampled {
	var columns []rss.Vec
	in := make([]int64, len(member))
	for i, m := range member {
		in[i] = int64(bit(m))
	}
	for _, v := range vectors {
		x := make([]int64, len(member))
		for i := range x {
			switch {
			case !member[i]:
			case v.Predicate != nil:
				holds, _ := job.Eval(v.Predicate, func(name string) (int64, bool) { return codes[name][i], true })
				x[i] = int64(bit(holds))
			default:
				x[i] = codes[v.Column][i]
			}
		}
		columns = append(columns, rss.Public(s, ring.FromInt64(x)))
	}
	rows := NewSampled(s, spill, len(member), Sample{Vectors: vectors})
	rows.Fill().Append(s, append(columns, rss.Public(s, ring.FromInt64(in)))...)
	return rows
}

// summed computes a summary without groups over the rows that are members.
func summed(summary job.Summary, member []bool, codes map[string][]int64) []*big.Int {
	out := make([]*big.Int, len(summary.Terms))
	for k, term := range summary.Terms {
		out[k] = new(big.Int)
		for i, in := range member {
			product := big.NewInt(int64(bit(in)))
			for _, name := range term {
				product.Mul(product, big.NewInt(codes[name][i]))
			}
			out[k].Add(out[k], product)
		}
	}
	return out
}

// TestStandardise: whatever the columns hold, z is what its comment says, in rows of one
// chunk or several.
func TestStandardise(t *testing.T) {
	spill := testkit.NewSpill(t, 64)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(1, 30), rapid.SampledFrom([]int{65, 130})).Draw(t, "rows")
		d := designDataset(n)
		m, err := newDesign(d, []string{"age", "cost", "race", "exact", "sex"}, []string{"race"})
		if err != nil {
			t.Fatal(err)
		}
		member := rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "member")
		codes := map[string][]int64{}
		for _, c := range d.Schema.Columns[:5] {
			low, high := c.Codes()
			base := rapid.Int64Range(low, high).Draw(t, c.Name)
			far := rapid.Int64Range(0, rapid.SampledFrom([]int64{0, 1, 3, 1 << 20, 1 << 60}).Draw(t, "width")).Draw(t, "far")
			codes[c.Name] = rapid.SliceOfN(rapid.Int64Range(max(low, base-far), base), n, n).Draw(t, c.Name)
		}
		frac := rowFrac(n, 0)
		opened := computed(t, func(s *mpc.Session) rss.Vec128 {
			rows := sampleOf(s, m.vectors(), d, member, codes, spill)
			defer rows.Close()
			sums := rss.Public(s, ring.FromBig(summed(m.moments(nil, nil), member, codes)))
			x := m.standardise(s, rows, sums, frac)
			parts := make([][]rss.Vec, len(m.terms))
			for i := range rows.Chunks() {
				s := s.Step("chunk", i)
				for k, z := range x.columns(s, rows.chunk(s, i)) {
					parts[k] = append(parts[k], z)
				}
			}
			var z []rss.Vec
			for _, column := range parts {
				z = append(z, column...)
			}
			return rss.Concat(s, x.mean, rss.Lift(s.Step("spread"), x.spread), x.kept,
				x.origins(s.Step("origins")).Fixed(s.Step("fixed"), 30, 100).Share, rss.Lift(s.Step("z"), rss.Concat(s, z...)))
		})
		p := len(m.terms)
		for k, term := range m.terms {
			mean, spread, kept := opened[k], opened[p+k].Int64(), opened[2*p+k].Int64()
			origin, z := opened[3*p+k], opened[4*p+k*n:4*p+(k+1)*n]
			checkTerm(t, &term, member, codes, mean, spread, kept, origin, z, frac)
		}
	})
}

// checkTerm checks one standardised column.
func checkTerm(t *rapid.T, term *term, member []bool, codes map[string][]int64, mean *big.Int, spread, kept int64, origin *big.Int, z []*big.Int, frac int) {
	value := func(i int) int64 {
		x := codes[term.column.Name][i]
		if term.factor < 0 {
			return x
		}
		levels, _ := term.column.Levels()
		return int64(bit(x == levels[term.level]))
	}
	distinct, lower, count, squares := map[int64]bool{}, false, 0.0, 0.0
	for i, in := range member {
		if in {
			count++
			distinct[value(i)] = true
			levels, _ := term.column.Levels()
			lower = lower || term.factor >= 0 && codes[term.column.Name][i] < levels[term.level]
		}
	}
	want := len(distinct) > 1
	if term.factor >= 0 {
		want = distinct[1] && lower
	}
	if want != (kept == 1) {
		t.Fatalf("%s: kept %d of %v", term.name, kept, distinct)
	}
	at := map[int64]int64{}
	for i, in := range member {
		got, _ := new(big.Float).SetInt(z[i]).Float64()
		got = math.Ldexp(got, -frac)
		if !in || kept == 0 {
			if got != 0 {
				t.Fatalf("%s: z is %v in a row that does not count", term.name, got)
			}
			continue
		}
		far, _ := new(big.Float).SetInt(new(big.Int).Sub(big.NewInt(value(i)), mean)).Float64()
		if want := math.Ldexp(far, -int(spread)); math.Abs(got-want) > math.Ldexp(1, -frac) {
			t.Fatalf("%s: z is %v, want %v", term.name, got, want)
		}
		if other, ok := at[value(i)]; ok && other != z[i].Int64() {
			t.Fatalf("%s: two rows of value %d have different z", term.name, value(i))
		}
		at[value(i)] = z[i].Int64()
		squares += got * got
	}
	if kept == 1 && (squares > count*(1+1e-6) || squares < count/8*(1-1e-6)) {
		t.Fatalf("%s: squares sum up to %v in %v rows", term.name, squares, count)
	}
	center, _ := new(big.Float).SetInt(mean).Float64()
	center = math.Ldexp(center, -int(spread)) * float64(kept)
	if got, _ := new(big.Float).SetInt(origin).Float64(); math.Abs(math.Ldexp(got, -30)-center) > 0x1p-29*(1+math.Abs(center)*0x1p-20) {
		t.Fatalf("%s: origin %v, want %v", term.name, math.Ldexp(got, -30), center)
	}
}

// TestDesignResult: what the recipient makes of the terms.
func TestDesignResult(t *testing.T) {
	m, err := newDesign(designDataset(5), []string{"exact", "race"}, []string{"race"})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.terms[0].perUnit(1e-13); math.Abs(got-1) > 1e-12 || m.terms[1].perUnit(3) != 3 {
		t.Errorf("per unit: %v", got)
	}
	if m.terms[0].dropped(false) || !m.terms[1].dropped(false) || m.terms[1].dropped(true) {
		t.Error("a level without rows is dropped, and nothing else")
	}
	kept, err := m.readKept([]*big.Int{big.NewInt(1), big.NewInt(0)})
	if err != nil || !slices.Equal(kept, []bool{true, false}) {
		t.Errorf("%v, %v", kept, err)
	}
	if _, err := m.readKept([]*big.Int{big.NewInt(2)}); err != errImpossible {
		t.Errorf("2 is read: %v", err)
	}
	if got := fmt.Sprint(m.moments([]string{"age"}, []string{"cost"})); got != "{moments [exact race age cost] [] [[] [exact] [exact exact] [cost] [cost cost]]}" {
		t.Errorf("the summary is %s", got)
	}
}
