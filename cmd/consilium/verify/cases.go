package verify

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"consilium/job"
)

// Case is one reference analysis.
type Case struct {
	ID       string         `json:"id"`
	Dataset  string         `json:"dataset"`
	Analysis string         `json:"analysis"`
	Where    string         `json:"where"`
	Args     map[string]any `json:"args"`
	Expect   any            `json:"expect"`
	RelTol   float64        `json:"rel_tol"`
}

// Folder is what a directory of cases holds.
type Folder struct {
	Cases []Case
	// Files names dataset -> hospital number -> file.
	Files map[string]map[int]string
	// Organ lists the cases of organ matching files (donors and pools), by id.
	Organ []string
}

// Nodes is the number of nodes that the folder needs: the largest hospital
// number, at least three.
func (f *Folder) Nodes() int {
	n := 3
	for _, files := range f.Files {
		for k := range files {
			n = max(n, k)
		}
	}
	return n
}

// Load reads cases.json with data/NAME/hospital-K.csv, and the organ files.
func Load(dir string) (*Folder, error) {
	f := &Folder{Files: make(map[string]map[int]string)}
	b, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	switch {
	case err == nil:
		if f.Cases, err = parseCases(b); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "cases.json"), err)
		}
		if err := f.findData(filepath.Join(dir, "data")); err != nil {
			return nil, err
		}
	case !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	if f.Organ, err = organCases(dir); err != nil {
		return nil, err
	}
	if len(f.Cases)+len(f.Organ) == 0 {
		return nil, fmt.Errorf("%s holds neither cases.json nor organ files (donors.csv, exchange_pairs.csv)", dir)
	}
	return f, nil
}

func parseCases(b []byte) ([]Case, error) {
	var file struct {
		Source string `json:"source"`
		Cases  []Case `json:"cases"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&file); err != nil {
		return nil, err
	}
	for i, c := range file.Cases {
		if c.ID == "" || c.Dataset == "" || c.Analysis == "" {
			return nil, fmt.Errorf("case %d lacks id, dataset or analysis", i+1)
		}
		if c.RelTol <= 0 {
			return nil, fmt.Errorf("case %s has no rel_tol", c.ID)
		}
		for name, v := range c.Args {
			c.Args[name] = shortest(v)
		}
	}
	return file.Cases, nil
}

// shortest writes the numbers of an argument as a job has them: those who wrote the
// cases may have used exponents.
func shortest(v any) any {
	switch v := v.(type) {
	case json.Number:
		return job.ShortestNumber(v)
	case []any:
		for i := range v {
			v[i] = shortest(v[i])
		}
	}
	return v
}

var hospitalFile = regexp.MustCompile(`^hospital-([1-9][0-9]{0,2})\.csv$`)

func (f *Folder) findData(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*", "hospital-*.csv"))
	if err != nil {
		return err
	}
	for _, p := range paths {
		m := hospitalFile.FindStringSubmatch(filepath.Base(p))
		if m == nil {
			continue
		}
		k, err := strconv.Atoi(m[1])
		if err != nil {
			return err
		}
		name := filepath.Base(filepath.Dir(p))
		if f.Files[name] == nil {
			f.Files[name] = make(map[int]string)
		}
		f.Files[name][k] = p
	}
	return nil
}

// organCases names the match runs that the organ files ask for: one a donor,
// and one a pool and cap.
func organCases(dir string) ([]string, error) {
	donors, err := firstFields(filepath.Join(dir, "etkas_expected.csv"), 1)
	if err != nil {
		return nil, err
	}
	if donors != nil {
		all, err := firstFields(filepath.Join(dir, donorsFile), 1)
		if err != nil {
			return nil, err
		}
		for _, d := range all { // for whom nobody is expected
			if !slices.Contains(donors, d) {
				donors = append(donors, d)
			}
		}
	}
	pools, err := firstFields(filepath.Join(dir, "exchange_expected.csv"), 2)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, d := range donors {
		ids = append(ids, "etkas-"+d)
	}
	return append(ids, exchangeCases(pools)...), nil
}

// firstFields returns the distinct values of a CSV file's first n fields, in
// order, joined by '-'; none where the file is absent.
func firstFields(path string, n int) ([]string, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var values []string
	for _, row := range rows[min(1, len(rows)):] {
		v := strings.Join(row[:min(n, len(row))], "-")
		if !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values, nil
}
