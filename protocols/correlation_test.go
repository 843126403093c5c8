package protocols

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"consilium/job"
)

func TestReferenceCorrelation(t *testing.T) {
	leakFree(t)
	s := referenceStudy(t, "pima")
	for _, id := range []string{"correlation-pearson", "correlation-spearman", "pca-pima"} {
		checkReference(t, s, id)
	}
}

// numbers returns the rows in which y, a and b are there, as fractions by column.
func numbersOf(lines [][]string) [][]*big.Rat {
	complete := slices.DeleteFunc(slices.Clone(lines), func(line []string) bool { return line[0] == "" || line[1] == "" || line[2] == "" })
	return [][]*big.Rat{rationals(complete, 0), rationals(complete, 1), rationals(complete, 2)}
}

// rankedRat returns average ranks.
func rankedRat(x []*big.Rat) []*big.Rat {
	out := make([]*big.Rat, len(x))
	for i, a := range x {
		twice := int64(1)
		for _, b := range x {
			switch b.Cmp(a) {
			case -1:
				twice += 2
			case 0:
				twice++
			}
		}
		out[i] = big.NewRat(twice, 2)
	}
	return out
}

// correlationOf is Pearson's, NaN if x or y does not vary.
func correlationOf(x, y []*big.Rat) float64 {
	n := big.NewRat(int64(len(x)), 1)
	c := func(x, y []*big.Rat) *big.Rat {
		one := onesRat(len(x))
		products := new(big.Rat).Mul(n, dotRat(x, y))
		return products.Sub(products, new(big.Rat).Mul(dotRat(one, x), dotRat(one, y)))
	}
	top, _ := c(x, y).Float64()
	a, _ := c(x, x).Float64()
	b, _ := c(y, y).Float64()
	return top / math.Sqrt(a) / math.Sqrt(b)
}

// samplesOf calls check with random tables of a model.
func samplesOf(t *testing.T, count int, check func(lines [][]string)) {
	t.Helper()
	lines := rapid.Custom(drawLines)
	for seed := range count {
		check(lines.Example(seed))
	}
}

// TestCorrelation compares both methods with exact fractions.
func TestCorrelation(t *testing.T) {
	leakFree(t)
	samplesOf(t, 30, func(lines [][]string) {
		columns := numbersOf(lines)
		s := modelStudy(t, nil, lines)
		for method, of := range map[string]func([]*big.Rat) []*big.Rat{
			pearson: slices.Clone[[]*big.Rat], spearman: rankedRat,
		} {
			got := s.result(ask{"model", "correlation", "", `{"columns":["y","a","b"],"method":"` + method + `"}`})
			want := make([][]float64, 3)
			status := statusOK
			for i := range columns {
				for j := range columns {
					want[i] = append(want[i], correlationOf(of(columns[i]), of(columns[j])))
					if math.IsNaN(want[i][j]) {
						status = statusSingular
					}
				}
			}
			switch n := len(columns[0]); {
			case n == 0:
				status = statusEmpty
			case n < 2:
				status = statusFewRows
			}
			if got.Status != status {
				t.Fatalf("%s of %v: status %q, want %q", method, lines, got.Status, status)
			}
			if status != statusOK {
				continue
			}
			value := got.Value.(map[string]any)
			if value["n"] != int64(len(columns[0])) {
				t.Fatalf("n is %v of %v", value["n"], lines)
			}
			for i, row := range value["matrix"].([]any) {
				for j, r := range row.([]any) {
					if !about(r, want[i][j], 0, 1e-13) {
						t.Fatalf("%s of %v: %v, want %v", method, lines, value["matrix"], want)
					}
				}
			}
		}
	})
}

// componentsOf is what R's prcomp does: singular values of the centred, scaled
// table.
func componentsOf(columns [][]*big.Rat, scale, center bool) (sdev []float64, loadings [][]float64) {
	n, p := len(columns[0]), len(columns)
	table := mat.NewDense(n, p, nil)
	for j, x := range columns {
		mean := new(big.Rat)
		if center {
			mean.Quo(dotRat(onesRat(n), x), big.NewRat(int64(n), 1))
		}
		square := 0.0
		for i := range x {
			d, _ := new(big.Rat).Sub(x[i], mean).Float64()
			table.Set(i, j, d)
			square += d * d
		}
		for i := range x {
			if scale {
				table.Set(i, j, table.At(i, j)/math.Sqrt(square/float64(n-1)))
			}
		}
	}
	var svd mat.SVD
	if !svd.Factorize(table, mat.SVDThin) {
		return nil, nil
	}
	var v mat.Dense
	svd.VTo(&v)
	for _, d := range svd.Values(nil) {
		sdev = append(sdev, d/math.Sqrt(float64(n-1)))
	}
	for j := range p {
		var row []float64
		for k := range sdev {
			row = append(row, math.Abs(v.At(j, k)))
		}
		loadings = append(loadings, row)
	}
	return sdev, loadings
}

// TestPCA compares with singular values, over all options.
func TestPCA(t *testing.T) {
	leakFree(t)
	samplesOf(t, 12, func(lines [][]string) {
		columns := numbersOf(lines)
		s := modelStudy(t, nil, lines)
		for _, scale := range []bool{false, true} {
			for _, center := range []bool{false, true} {
				args := fmt.Sprintf(`{"columns":["y","a","b"],"scale":%t,"center":%t}`, scale, center)
				checkComponents(t, s.result(ask{"model", "pca", "", args}), columns, scale, center)
			}
		}
	})
}

func checkComponents(t *testing.T, got *Result, columns [][]*big.Rat, scale, center bool) {
	t.Helper()
	status := statusOK
	for _, x := range columns {
		constant := !slices.ContainsFunc(x, func(v *big.Rat) bool { return v.Cmp(x[0]) != 0 })
		if len(x) > 0 && scale && constant && (center || x[0].Sign() == 0) {
			status = statusSingular
		}
	}
	switch n := len(columns[0]); {
	case n == 0:
		status = statusEmpty
	case n < 2:
		status = statusFewRows
	}
	if got.Status != status {
		t.Fatalf("%v: status %q, want %q", columns, got.Status, status)
	}
	if status != statusOK {
		return
	}
	sdev, loadings := componentsOf(columns, scale, center)
	value := got.Value.(map[string]any)
	list := value["sdev"].([]any)
	if len(list) != len(sdev) || len(value["abs_loadings"].([]any)) != len(columns) {
		t.Fatalf("%v of %v, want %v", value, columns, sdev)
	}
	for k, sd := range sdev {
		// Where components have no variance, or the same, their directions are any.
		if !about(list[k], sd, 1e-9, 1e-6*sdev[0]) {
			t.Fatalf("sdev %v of %v, want %v", list, columns, sdev)
		}
		apart := sd > 1e-3*sdev[0]
		for other, x := range sdev {
			apart = apart && (other == k || math.Abs(sd-x) > 1e-3*sdev[0])
		}
		for j, row := range value["abs_loadings"].([]any) {
			if x := row.([]any)[k]; apart && !about(x, loadings[j][k], 1e-6, 1e-6) {
				t.Fatalf("loadings %v of %v, want %v", value["abs_loadings"], columns, loadings)
			}
		}
	}
}

// TestCorrelationMinCount: the number of rows counts.
func TestCorrelationMinCount(t *testing.T) {
	leakFree(t)
	var lines [][]string
	for i := range 12 {
		lines = append(lines, []string{strconv.Itoa(i * i % 7), strconv.Itoa(i), "30", "p", "1"})
	}
	s := modelStudy(t, func(r *job.Roster) { r.Disclosure.MinCount = 5 }, lines)
	for _, c := range []struct{ analysis, where, want string }{
		{"correlation", "", statusOK},
		{"correlation", "a < 5", statusOK},
		{"correlation", "a < 4", statusSuppressed},
		{"correlation", "a < 0", statusEmpty},
		{"pca", "a < 5", statusOK},
		{"pca", "a < 4", statusSuppressed},
	} {
		if got := s.result(ask{"model", c.analysis, c.where, `{"columns":["y","a"]}`}); got.Status != c.want {
			t.Errorf("%s where %q: status %q, want %q", c.analysis, c.where, got.Status, c.want)
		}
	}
}

func TestCorrelationRefuses(t *testing.T) {
	s := modelStudy(t, nil, [][]string{{"1", "2", "30", "p", "1"}})
	for _, c := range []struct{ analysis, args, want string }{
		{"correlation", `{}`, `"columns" is missing`},
		{"correlation", `{"columns":["a"]}`, "two or more"},
		{"correlation", `{"columns":["a","a"]}`, "named twice"},
		{"correlation", `{"columns":["a","c"]}`, "text, and a number is needed"},
		{"correlation", `{"columns":["a","x"]}`, `no column "x"`},
		{"correlation", `{"columns":["a","y"],"method":"kendal"}`, "pearson"},
		{"correlation", `{"columns":["a","y"],"scale":true}`, `"scale" is unknown`},
		{"pca", `{}`, `"columns" is missing`},
		{"pca", `{"columns":["a","c"]}`, "text, and a number is needed"},
		{"pca", `{"columns":["a"],"scale":true}`, "two or more"},
		{"pca", `{"columns":["a","y"],"scale":1}`, "true or false"},
		{"pca", `{"columns":["a","y"],"method":"pearson"}`, `"method" is unknown`},
	} {
		if _, err := PlanJob(s.job(ask{"model", c.analysis, "", c.args}), s.roster.Roster); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.analysis, c.args, err, c.want)
		}
	}
}

func TestCorrelationReveals(t *testing.T) {
	s := modelStudy(t, nil, [][]string{{"1", "2", "30", "p", "1"}})
	for _, c := range []struct{ analysis, args, want string }{
		{"correlation", `{"columns":["a","y"]}`, "the Pearson correlations of all pairs of a, y"},
		{"correlation", `{"columns":["a","y"],"method":"spearman"}`, "the Spearman correlations of all pairs of a, y"},
		{"pca", `{"columns":["a","y"]}`, "the covariance matrix of a, y"},
		{"pca", `{"columns":["a","y"],"scale":true}`, "the correlation matrix of a, y"},
		{"pca", `{"columns":["a","y"],"center":false}`, "the uncentred covariance matrix of a, y"},
	} {
		plan, err := PlanJob(s.job(ask{"model", c.analysis, "", c.args}), s.roster.Roster)
		s.must(err)
		if got := strings.Join(plan.Reveals, "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s %s reveals:\n%s\nwant %q", c.analysis, c.args, got, c.want)
		}
	}
}

// TestImpossibleMatrices: what no honest computation gives is no result.
func TestImpossibleMatrices(t *testing.T) {
	s := modelStudy(t, nil, [][]string{{"1", "2", "30", "p", "1"}, {"2", "2", "30", "p", "1"}, {"3", "2", "30", "p", "1"}})
	const one = 1 << correlationFrac
	for _, c := range []struct {
		analysis, args string
		opened         Opened
	}{
		{"correlation", `{"columns":["a","y"]}`, Opened{coefficients: whole(2 * one), rowsOutput: whole(3)}},
		{"correlation", `{"columns":["a","y"]}`, Opened{coefficients: whole(0), rowsOutput: whole(9)}},
		{"pca", `{"columns":["a","y","b"],"scale":true}`, Opened{coefficients: whole(one, one, -one), rowsOutput: whole(3)}},
		{"pca", `{"columns":["a","y"]}`, Opened{covariances: whole(1<<55, 1<<55, 1<<55, 1, 1, 7), rowsOutput: whole(3)}},
		{"pca", `{"columns":["a","y"]}`, Opened{covariances: whole(5, 0, 0, 0, 0, 0), rowsOutput: whole(3)}},
		{"pca", `{"columns":["a","y"]}`, Opened{covariances: whole(0, 0, 0, 0, 0, 0), rowsOutput: whole(-1)}},
	} {
		plan, err := PlanJob(s.job(ask{"model", c.analysis, "", c.args}), s.roster.Roster)
		s.must(err)
		c.opened[statusOutput] = whole(0)
		if r, err := plan.Finish(c.opened); !errors.Is(err, errImpossible) || r != nil {
			t.Errorf("%s of %v: got %v, %v", c.analysis, c.opened, r, err)
		}
	}
}

func TestCorrelationTranscript(t *testing.T) {
	leakFree(t)
	one, other := fiveWards(t), otherWards(t)
	checkTranscript(t, "correlation", one, other, ask{"ward", "correlation", "age > 30", `{"columns":["age","dose"]}`})
	checkTranscript(t, "spearman", one, other, ask{"ward", "correlation", "age > 30", `{"columns":["age","dose"],"method":"spearman"}`})
	checkTranscript(t, "pca", one, other, ask{"ward", "pca", "age > 30", `{"columns":["age","dose"]}`})
}
