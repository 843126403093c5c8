package synthetic

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"consilium/job"
)

// made holds a whole dataset as values by column, NaN where missing.
func made(t *testing.T, m Maker, first, rows int64) map[string][]float64 {
	t.Helper()
	s := m.Schema()
	all := make(map[string][]float64)
	err := each(t.Context(), m, first, rows, func(b *Block) error {
		for j := range s.Columns {
			c := &s.Columns[j]
			step, _ := c.StepRat().Float64()
			for i, code := range b.Columns[j].Codes {
				x := math.NaN()
				if b.Columns[j].Valid[i] {
					x = float64(code) * step
				}
				all[c.Name] = append(all[c.Name], x)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCardiacFitsItsSchema(t *testing.T) {
	c := NewCardiac(1)
	s := c.Schema()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	const rows = 100_000
	missing := make([]int, len(s.Columns))
	err := each(t.Context(), c, 0, rows, func(b *Block) error {
		for j := range s.Columns {
			lowest, highest := s.Columns[j].Codes()
			for i, code := range b.Columns[j].Codes {
				switch {
				case !b.Columns[j].Valid[i]:
					missing[j]++
				case code < lowest || code > highest:
					t.Fatalf("%s of row %d is %d, declared are %d to %d", s.Columns[j].Name, i, code, lowest, highest)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for j := range s.Columns {
		p := c.MissingRate(s.Columns[j].Name)
		if got := float64(missing[j]) / rows; math.Abs(got-p) > 5*math.Sqrt(p*(1-p)/rows) {
			t.Errorf("%s: %v of the cells are missing, want %v", s.Columns[j].Name, got, p)
		}
	}
}

// TestCardiacLooksLikePatients checks a few figures of the cohort as a clinician would.
func TestCardiacLooksLikePatients(t *testing.T) {
	all := made(t, NewCardiac(2), 0, 100_000)
	for name, want := range map[string][2]float64{
		"age": {64, 68}, "haemoglobin": {13.4, 13.8}, "creatinine": {1, 1.15}, "readmitted": {0.1, 0.25}, "diabetes": {0.2, 0.35},
	} {
		if mean := stat.Mean(present(all[name]), nil); mean < want[0] || mean > want[1] {
			t.Errorf("the mean of %s is %v, want %v to %v", name, mean, want[0], want[1])
		}
	}
	for pair, want := range map[[2]string][2]float64{
		{"urea", "creatinine"}: {0.4, 0.75}, {"alt", "ast"}: {0.25, 0.6}, {"nt_probnp", "ejection_fraction"}: {-0.5, -0.1},
		{"hba1c", "glucose"}: {0.3, 0.6}, {"sodium", "platelets"}: {-0.03, 0.03},
	} {
		x, y := both(all[pair[0]], all[pair[1]])
		if r := stat.Correlation(x, y, nil); r < want[0] || r > want[1] {
			t.Errorf("the correlation of %s is %v, want %v to %v", pair, r, want[0], want[1])
		}
	}
	var events [3]int
	for _, e := range all["event"] {
		events[int(e)]++
	}
	if events[1] < 15_000 || events[1] > 45_000 || events[2] < 5_000 || events[2] > 30_000 {
		t.Errorf("alive, cardiac and other deaths are %v", events)
	}
}

func present(x []float64) []float64 { return slices.DeleteFunc(slices.Clone(x), math.IsNaN) }

func both(x, y []float64) (a, b []float64) {
	for i := range x {
		if !math.IsNaN(x[i]) && !math.IsNaN(y[i]) {
			a, b = append(a, x[i]), append(b, y[i])
		}
	}
	return a, b
}

// complete returns the covariates of the rows that lack none, centred, and these
// rows' numbers.
func complete(all map[string][]float64, effects []Effect) (x [][]float64, rows []int) {
	for i := range all["age"] {
		row := make([]float64, len(effects))
		whole := true
		for j, e := range effects {
			row[j] = all[e.Column][i] - e.Centre
			whole = whole && !math.IsNaN(row[j])
		}
		if whole {
			x, rows = append(x, row), append(rows, i)
		}
	}
	return x, rows
}

func TestReadmissionIsRecovered(t *testing.T) {
	all := made(t, NewCardiac(3), 0, 100_000)
	x, rows := complete(all, Readmission())
	want := []float64{ReadmissionIntercept}
	for i := range x {
		x[i] = append([]float64{1}, x[i]...)
	}
	for _, e := range Readmission() {
		want = append(want, e.Coefficient)
	}
	k := len(want)
	recovered(t, want, func(beta []float64, score []float64, information *mat.SymDense) {
		for i, row := range x {
			p := logistic(dot(beta, row))
			for j := range k {
				score[j] += row[j] * (all["readmitted"][rows[i]] - p)
			}
			information.SymRankOne(information, p*(1-p), mat.NewVecDense(k, row))
		}
	})
}

func TestHazardsAreRecovered(t *testing.T) {
	all := made(t, NewCardiac(4), 0, 100_000)
	for event, effects := range map[float64][]Effect{1: CardiacDeath(), 2: OtherDeath()} {
		x, rows := complete(all, effects)
		var want []float64
		for _, e := range effects {
			want = append(want, e.Coefficient)
		}
		order := make([]int, len(rows))
		for i := range order {
			order[i] = i
		}
		// From the last day back, so that sums over those at risk grow.
		slices.SortStableFunc(order, func(a, b int) int { return int(all["time"][rows[b]] - all["time"][rows[a]]) })
		recovered(t, want, func(beta, score []float64, information *mat.SymDense) {
			coxLikelihood(x, order, func(i int) (float64, bool) { return all["time"][rows[i]], all["event"][rows[i]] == event }, beta, score, information)
		})
	}
}

// coxLikelihood adds Breslow's score and information.
func coxLikelihood(x [][]float64, order []int, outcome func(int) (float64, bool), beta, score []float64, information *mat.SymDense) {
	k := len(beta)
	s0, s1, s2 := 0.0, mat.NewVecDense(k, nil), mat.NewSymDense(k, nil)
	for lo := 0; lo < len(order); {
		day, _ := outcome(order[lo])
		hi := lo
		for ; hi < len(order); hi++ {
			if d, _ := outcome(order[hi]); d != day {
				break
			}
			row := mat.NewVecDense(k, x[order[hi]])
			w := math.Exp(dot(beta, x[order[hi]]))
			s0 += w
			s1.AddScaledVec(s1, w, row)
			s2.SymRankOne(s2, w, row)
		}
		for _, i := range order[lo:hi] {
			if _, died := outcome(i); !died {
				continue
			}
			for a := range k {
				score[a] += x[i][a] - s1.AtVec(a)/s0
				for b := range a + 1 {
					information.SetSym(a, b, information.At(a, b)+s2.At(a, b)/s0-s1.AtVec(a)*s1.AtVec(b)/s0/s0)
				}
			}
		}
		lo = hi
	}
}

// recovered takes Newton's way from zero and wants to end within four standard
// errors of the model's coefficients.
func recovered(t *testing.T, want []float64, likelihood func(beta, score []float64, information *mat.SymDense)) {
	t.Helper()
	k := len(want)
	beta := make([]float64, k)
	var inverse mat.SymDense
	for range 8 {
		score, information := make([]float64, k), mat.NewSymDense(k, nil)
		likelihood(beta, score, information)
		var chol mat.Cholesky
		if !chol.Factorize(information) {
			t.Fatal("the information is not positive definite")
		}
		if err := chol.InverseTo(&inverse); err != nil {
			t.Fatal(err)
		}
		var step mat.VecDense
		step.MulVec(&inverse, mat.NewVecDense(k, score))
		for j := range beta {
			beta[j] += step.AtVec(j)
		}
	}
	for j := range beta {
		se := math.Sqrt(inverse.At(j, j))
		if math.Abs(beta[j]-want[j]) > 4*se {
			t.Errorf("coefficient %d is %v (standard error %v), the model's is %v", j, beta[j], se, want[j])
		}
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// TestSameSeedSameBytes writes the same file with one thread and with several, and
// parts of a cohort that are those of the whole.
func TestSameSeedSameBytes(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, seed uint64, first, rows int64, threads int) []byte {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		path := filepath.Join(dir, name)
		size, err := WriteFile(t.Context(), path, NewCardiac(seed), first, rows, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil || int64(len(b)) != size {
			t.Fatalf("%d bytes were read of %d: %v", len(b), size, err)
		}
		return b
	}
	const rows = 2*blockRows + 1000
	one := write("one.parquet", 7, 0, rows, 1)
	if !bytes.Equal(one, write("three.parquet", 7, 0, rows, 3)) {
		t.Error("the number of threads changes the file")
	}
	if bytes.Equal(one, write("other.parquet", 8, 0, rows, 3)) {
		t.Error("another seed gives the same file")
	}
	whole, part := made(t, NewCardiac(7), 0, 1000), made(t, NewCardiac(7), 400, 10)
	for name, x := range part {
		for i := range x {
			if w := whole[name][400+i]; w != x[i] && !(math.IsNaN(w) && math.IsNaN(x[i])) {
				t.Fatalf("%s of row %d depends on where the file begins", name, 400+i)
			}
		}
	}
}

func TestNoFileIsOverwrittenOrLeftHalf(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	if _, err := WriteFile(t.Context(), path, NewCardiac(1), 0, 10, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteFile(t.Context(), path, NewCardiac(1), 0, 10, nil); err == nil {
		t.Error("an existing file is overwritten")
	}
	if _, err := WriteFile(t.Context(), filepath.Join(dir, "a.txt"), NewCardiac(1), 0, 10, nil); err == nil {
		t.Error("a file of an unknown kind is written")
	}
	wide := &job.Schema{Columns: []job.Column{{Name: "x", Type: job.Decimal, Step: "0.5", Min: "0", Max: "1000000000000000000"}}}
	twin, err := NewTwin(wide, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := WriteFile(t.Context(), filepath.Join(dir, "b.parquet"), twin, 0, 10, nil); err == nil {
		t.Error("numbers that are too long are written as Parquet")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%v is left: %v", left, err)
	}
}
