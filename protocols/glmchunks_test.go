package protocols

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// chunkedGLMRows are rows of several chunks of 64: one without members, one in which
// level 3 of g alone is, and a last one of one row.
func chunkedGLMRows() [][]string {
	rng := rand.New(rand.NewPCG(1, 2))
	rows := make([][]string, 4*64+1)
	for i := range rows {
		g := strconv.Itoa(1 + rng.IntN(3))
		switch i / 64 {
		case 0:
			g = strconv.Itoa(1 + rng.IntN(2))
		case 2:
			g = "3"
		}
		x, w := rng.IntN(9)-4, rng.IntN(5)
		y, k := 0, rng.IntN(3)+max(x, 0)
		if rng.IntN(9)-4+x > 0 {
			y = 1
		}
		row := []string{strconv.Itoa(x), "0." + strconv.Itoa(w), g, strconv.Itoa(y), strconv.Itoa(k), strconv.Itoa(rng.IntN(3)), []string{"m", "f"}[rng.IntN(2)]}
		if i/64 == 1 {
			row[0] = ""
		}
		rows[i] = row
	}
	return rows
}

// TestGLMChunks: rows of several chunks give the models that they give as a whole.
func TestGLMChunks(t *testing.T) {
	leakFree(t)
	rows, covariates := chunkedGLMRows(), []string{"x", "w", "g"}
	s := glmStudy(t, 1, nil, rows)
	for _, offset := range []string{"", "o"} {
		args := `"covariates":["x","w","g"],"categorical":"g"`
		if offset != "" {
			args += `,"offset":"o"`
		}
		c := glmCase{rows: rows, covariates: covariates, offset: offset}
		for _, a := range []struct {
			analysis, outcome string
			want              *oracle
		}{
			{"logistic", "y", logisticOracle(rows, covariates, offset)},
			{"poisson", "k", poissonOracle(c)},
		} {
			if a.want.status != statusOK {
				t.Fatalf("%s: the model of plain numbers is %s", a.analysis, a.want.status)
			}
			tr := s.trial(ask{"trial", a.analysis, "", `{"outcome":"` + a.outcome + `",` + args + `}`})
			tr.chunkRows = 64
			r := tr.succeed()
			a.want.check(t, r)
			if n := r.Value.(map[string]any)["n"]; n != nil && n != int64(len(a.want.y)) {
				t.Errorf("%s: %v rows, want %d", a.analysis, n, len(a.want.y))
			}
		}
	}
}
