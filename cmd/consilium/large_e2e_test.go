package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/mat"

	"consilium/cmd/consilium/localnet"
	"consilium/job"
	"consilium/synthetic"
)

// cohort is made-up patients in the clear: codes by column, and whether there are any.
type cohort struct {
	schema job.Schema
	cells  map[string]synthetic.Cells
	rows   int
}

// newCohort makes patients with columns of whole numbers.
func newCohort(rows int, columns ...string) *cohort {
	maker := synthetic.NewCardiac(11)
	all := maker.Schema()
	block := &synthetic.Block{Rows: rows}
	for range all.Columns {
		block.Columns = append(block.Columns, synthetic.Cells{Codes: make([]int64, rows), Valid: make([]bool, rows)})
	}
	maker.Fill(block)
	c := &cohort{cells: map[string]synthetic.Cells{}, rows: rows}
	for i, column := range all.Columns {
		if slices.Contains(columns, column.Name) {
			c.schema.Columns = append(c.schema.Columns, column)
			c.cells[column.Name] = block.Columns[i]
		}
	}
	return c
}

func (c *cohort) at(name string, i int) (int64, bool) {
	return c.cells[name].Codes[i], c.cells[name].Valid[i]
}

// csv writes rows lo to hi-1.
func (c *cohort) csv(lo, hi int) string {
	var b strings.Builder
	b.WriteString(strings.Join(c.schema.Names(), ",") + "\n")
	for i := lo; i < hi; i++ {
		for j, name := range c.schema.Names() {
			if j > 0 {
				b.WriteByte(',')
			}
			if code, ok := c.at(name, i); ok {
				b.WriteString(strconv.FormatInt(code, 10))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// newCohortWorld starts a study of three nodes, of which the first and the third have the
// cohort's rows.
func newCohortWorld(t *testing.T, c *cohort, first int) *world {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"hospital-1": filepath.Join(dir, "1.csv"), "hospital-3": filepath.Join(dir, "3.csv")}
	write(t, files["hospital-1"], c.csv(0, first))
	write(t, files["hospital-3"], c.csv(first, c.rows))
	set := job.Dataset{Name: "visits", Schema: c.schema, Sites: []job.Site{{Node: "hospital-1", Rows: first}, {Node: "hospital-3", Rows: c.rows - first}}}
	w := &world{t: t}
	w.start(dir, localnet.Spec{
		Nodes: 3, Files: map[string]map[string]string{"visits": files}, Timeout: time.Minute, Deadline: 5 * time.Minute,
	}, []job.Dataset{set})
	return w
}

// TestMoreRowsThanAChunk asks for quartiles, a survival curve and a regression of more
// rows than parties hold in memory at once, of the sites' files and of what is deposited.
func TestMoreRowsThanAChunk(t *testing.T) {
	c := newCohort(70_000, "age", "male", "heart_rate", "readmitted", "time", "event")
	w := newCohortWorld(t, c, 45_000)
	if _, stderr, code := program(t, "deposit", "visits", "--engine", "shares", "--yes", "--client", w.layout.ClientDir()); code != 0 {
		t.Fatalf("deposit: exit code %d, %s", code, stderr)
	}
	for _, stored := range []bool{false, true} {
		for name, ask := range map[string]struct {
			args  map[string]any
			where string
			check func(map[string]any) error
		}{
			"describe":    {map[string]any{"columns": []any{"heart_rate"}}, "male = 1 AND age >= 60", c.checkQuartiles},
			"kaplanmeier": {map[string]any{"time": "time", "event": "event = 1", "times": []any{90, 365, 1000, 3000}}, "", c.checkSurvival},
			"logistic":    {map[string]any{"outcome": "readmitted", "covariates": []any{"age", "male", "heart_rate"}}, "", c.checkLogistic},
		} {
			r, err := w.run(w.signFile(&job.File{Analysis: name, Args: ask.args, Where: ask.where, Engine: "shares", Stored: stored}))
			must(t, err)
			if err := ask.check(r.Value.(map[string]any)); r.Status != "ok" || err != nil {
				t.Errorf("%s, stored %v: status %q, %v", name, stored, r.Status, err)
			}
		}
	}
}

// checkQuartiles holds quantiles of type 7 against sorted values.
func (c *cohort) checkQuartiles(got map[string]any) error {
	var values []float64
	for i := range c.rows {
		male, _ := c.at("male", i)
		age, _ := c.at("age", i)
		if rate, ok := c.at("heart_rate", i); ok && male == 1 && age >= 60 {
			values = append(values, float64(rate))
		}
	}
	slices.Sort(values)
	of := got["heart_rate"].(map[string]any)
	for k, name := range []string{"q25", "median", "q75"} {
		whole, part := math.Modf(float64(k+1) / 4 * float64(len(values)-1))
		low := int(whole)
		if want := values[low] + part*(values[low+1]-values[low]); of[name] != want {
			return fmt.Errorf("%s is %v, want %v", name, of[name], want)
		}
	}
	if fmt.Sprint(of["n"]) != strconv.Itoa(len(values)) {
		return fmt.Errorf("n is %v, want %d", of["n"], len(values))
	}
	return nil
}

// checkSurvival holds a curve against the product over days.
func (c *cohort) checkSurvival(got map[string]any) error {
	deaths, leaving := map[int]int{}, map[int]int{}
	for i := range c.rows {
		day, _ := c.at("time", i)
		leaving[int(day)]++
		if event, _ := c.at("event", i); event == 1 {
			deaths[int(day)]++
		}
	}
	surviving, risk, day := 1.0, c.rows, 0
	for k, until := range got["times"].([]any) {
		for ; day <= int(until.(float64)); day++ {
			if float64(day) == until && fmt.Sprint(got["n_risk"].([]any)[k]) != strconv.Itoa(risk) {
				return fmt.Errorf("%v at risk on day %d, want %d", got["n_risk"].([]any)[k], day, risk)
			}
			surviving *= 1 - float64(deaths[day])/float64(risk)
			risk -= leaving[day]
		}
		if x := got["survival"].([]any)[k].(float64); math.Abs(x-surviving) > 1e-6*surviving {
			return fmt.Errorf("survival to %v is %v, want %v", until, x, surviving)
		}
	}
	return nil
}

// checkLogistic wants a Newton step from the coefficients to be nothing beside the
// standard errors, and these to follow from the information.
func (c *cohort) checkLogistic(got map[string]any) error {
	coef, se := got["coef"].([]any), got["se"].([]any)
	score, information := make([]float64, len(coef)), mat.NewSymDense(len(coef), nil)
	for i := range c.rows {
		age, _ := c.at("age", i)
		male, _ := c.at("male", i)
		rate, ok := c.at("heart_rate", i)
		outcome, _ := c.at("readmitted", i)
		if !ok {
			continue
		}
		x, eta := []float64{1, float64(age), float64(male), float64(rate)}, 0.0
		for j := range x {
			eta += x[j] * coef[j].(float64)
		}
		p := 1 / (1 + math.Exp(-eta))
		for j := range x {
			score[j] += x[j] * (float64(outcome) - p)
		}
		information.SymRankOne(information, p*(1-p), mat.NewVecDense(len(x), x))
	}
	var chol mat.Cholesky
	var inverse mat.SymDense
	if !chol.Factorize(information) {
		return errors.New("the information is singular")
	}
	if err := chol.InverseTo(&inverse); err != nil {
		return err
	}
	for i := range score {
		want, step := math.Sqrt(inverse.At(i, i)), 0.0
		for j := range score {
			step += inverse.At(i, j) * score[j]
		}
		if math.Abs(step) > 1e-4*want || math.Abs(se[i].(float64)-want) > 1e-4*want {
			return fmt.Errorf("coefficient %d is %v standard errors off, its own is %v, want %v", i, step/want, se[i], want)
		}
	}
	return nil
}
