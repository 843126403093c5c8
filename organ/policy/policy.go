package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"consilium/job"
	"consilium/organ/hla"
)

// Limits on a policy.
const (
	maxFile      = 256 << 10
	maxCanonical = 8 << 20
	maxTables    = 32
	maxTiers     = 64
	maxText      = 1 << 10
)

// Policy is a checked policy with its program.
type Policy struct {
	File      // as in the canonical form: tables are inline
	Hash      job.Hash
	Program   *Program
	canonical []byte
	candidate *side
	donor     *side
}

// Load reads a policy file and the tables beside it.
func Load(path string) (*Policy, error) {
	b, err := job.ReadFile(path, maxFile)
	if err != nil {
		return nil, err
	}
	return Parse(b, os.DirFS(filepath.Dir(path)))
}

// Parse reads a policy from YAML; beside holds the files of its tables. Errors
// are one line and name the place.
func Parse(text []byte, beside fs.FS) (*Policy, error) {
	var f File
	if err := job.DecodeYAML("policy", text, maxFile, &f); err != nil {
		return nil, err
	}
	for i := range f.Tables {
		if err := f.Tables[i].inline(beside); err != nil {
			return nil, f.errorf("table %.64q: %w", f.Tables[i].Name, err)
		}
	}
	return check(&f)
}

// inline reads a table's file into its rows.
func (t *Table) inline(beside fs.FS) error {
	if t.File == "" {
		return nil
	}
	if t.Rows != nil {
		return errors.New("it has both rows and a file: keep one")
	}
	if strings.ContainsAny(t.File, `/\`) || beside == nil {
		return fmt.Errorf("file is %.64q: name a file beside the policy, without folders", t.File)
	}
	in, err := beside.Open(t.File)
	if err != nil {
		return fmt.Errorf("its file %.64q cannot be opened: put it beside the policy", t.File)
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxTableBytes+1))
	if err != nil {
		return fmt.Errorf("its file %.64q cannot be read", t.File)
	}
	if t.Rows, err = parseTableFile(b); err != nil {
		return fmt.Errorf("%.64s: %w", t.File, err)
	}
	t.File = ""
	return nil
}

// canonicalForm is what is hashed: the policy with its tables, and which antigens
// the codes of its typings mean.
type canonicalForm struct {
	File
	Antigens string `json:"antigens"`
}

// Canonical returns the bytes of which Hash is the SHA-256: the policy with its
// tables as JSON, however the file was laid out. Decode reads them.
func (p *Policy) Canonical() []byte { return bytes.Clone(p.canonical) }

// Decode reads what Canonical wrote, exactly.
func Decode(canonical []byte) (*Policy, error) {
	if len(canonical) > maxCanonical {
		return nil, fmt.Errorf("policy: %d bytes, at most %d are allowed", len(canonical), maxCanonical)
	}
	var c canonicalForm
	dec := json.NewDecoder(bytes.NewReader(canonical))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return nil, errors.New("policy: this is no policy in canonical form: write it with this version of consilium")
	}
	if version := hla.Version(); c.Antigens != hex.EncodeToString(version[:]) {
		return nil, errors.New("policy: it numbers antigens by another list: use the same version of consilium everywhere")
	}
	for i := range c.Tables {
		if c.Tables[i].File != "" {
			return nil, errors.New("policy: the canonical form has its tables inline")
		}
	}
	p, err := check(&c.File)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(p.canonical, canonical) {
		return nil, errors.New("policy: it is not in canonical form: write it with this version of consilium")
	}
	return p, nil
}

// errorf names the policy in an error.
func (f *File) errorf(format string, args ...any) error {
	return fmt.Errorf("policy %.64q: %w", f.Name, fmt.Errorf(format, args...))
}

var policyName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// check checks a policy whose tables are inline, and compiles it.
func check(f *File) (*Policy, error) {
	if !policyName.MatchString(f.Name) {
		return nil, fmt.Errorf("policy: name is %.64q: use 1 to 63 of a-z, 0-9 and '-'", f.Name)
	}
	if err := f.checkTexts(); err != nil {
		return nil, f.errorf("%w", err)
	}
	p := &Policy{File: *f}
	if err := p.compile(); err != nil {
		return nil, f.errorf("%w", err)
	}
	version := hla.Version()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(canonicalForm{*f, hex.EncodeToString(version[:])}); err != nil {
		return nil, f.errorf("%w", err)
	}
	if buf.Len() > maxCanonical {
		return nil, f.errorf("%d bytes with its tables, at most %d are allowed", buf.Len(), maxCanonical)
	}
	p.canonical = buf.Bytes()
	p.Hash = job.Hash(sha256.Sum256(p.canonical))
	return p, nil
}

// checkTexts checks what is for people, and what belongs to each kind of policy.
func (f *File) checkTexts() error {
	for what, s := range map[string]string{"version": f.Version, "source": f.Source} {
		if s == "" {
			return fmt.Errorf("%s is missing: say which rules these are", what)
		}
	}
	for _, s := range slices.Concat([]string{f.Version, f.Source}, f.Remarks) {
		if job.Printable(s, maxText) != s {
			return fmt.Errorf("version, source or a remark is longer than %d bytes or holds what cannot be printed", maxText)
		}
	}
	switch f.Kind {
	case Rank:
		switch {
		case len(f.Tiers) == 0 || len(f.Tiers) > maxTiers:
			return fmt.Errorf("%d tiers: give 1 to %d, best first", len(f.Tiers), maxTiers)
		case f.Points == "" || len(f.Order) == 0:
			return errors.New("points or order is missing: a policy that ranks has both")
		case f.Weight != "" || f.Exact != "":
			return errors.New("weight and exact are for policies of kind exchange: remove them")
		}
	case Exchange:
		if f.Tiers != nil || f.Points != "" || f.Order != nil {
			return errors.New("tiers, points and order are for policies of kind rank: remove them")
		}
		if goals := []string{MostTransplants, MostWeight}; f.Exact != "" && !slices.Contains(goals, f.Exact) {
			return fmt.Errorf("exact is %.32q: %s", f.Exact, job.Near(f.Exact, goals))
		}
		if f.Exact == MostWeight && f.Weight == "" {
			return errors.New("exact is weight, and there is none: give a weight")
		}
	default:
		return fmt.Errorf("kind is %.32q: %s", f.Kind, job.Near(f.Kind, []string{Rank, Exchange}))
	}
	if len(f.Eligible) == 0 {
		return errors.New("eligible is missing: say who may have the organ")
	}
	if err := f.checkPanel(); err != nil {
		return err
	}
	return f.checkOffers()
}

// readTables checks all tables.
func (f *File) readTables() (map[string]*table, error) {
	if len(f.Tables) > maxTables {
		return nil, fmt.Errorf("%d tables: at most %d", len(f.Tables), maxTables)
	}
	tables, molecular := map[string]*table{}, 0
	for i := range f.Tables {
		t := &f.Tables[i]
		if err := checkWord("a table's name", t.Name); err != nil {
			return nil, err
		}
		if tables[t.Name] != nil || isFunction(t.Name) {
			return nil, fmt.Errorf("table %q: the name is taken: rename it", t.Name)
		}
		read, err := readTable(t)
		if err != nil {
			return nil, fmt.Errorf("table %q: %w", t.Name, err)
		}
		if read.form == formMolecular {
			if molecular++; molecular > 1 {
				return nil, fmt.Errorf("table %q: there is another table of molecular names: put all into one", t.Name)
			}
		}
		tables[t.Name] = read
	}
	return tables, nil
}

func isFunction(name string) bool {
	for _, f := range slices.Concat(overloads, onlySite, onlyMatch) {
		if f.function == name {
			return true
		}
	}
	return false
}

// compile makes the program.
func (p *Policy) compile() error {
	tables, err := p.readTables()
	if err != nil {
		return err
	}
	if p.candidate, err = readSide("candidate", &p.Candidate, tables); err != nil {
		return err
	}
	if p.donor, err = readSide("donor", &p.Donor, tables); err != nil {
		return err
	}
	c := &compiler{builder: newBuilder(), candidate: p.candidate, donor: p.donor, values: map[string]result{}}
	names := map[string]binding{}
	for _, s := range []*side{p.candidate, p.donor} {
		for name, b := range s.names {
			names[name] = b
		}
	}
	if c.env, err = newEnvironment(names, tables, true); err != nil {
		return err
	}
	for i, v := range p.Match {
		for _, later := range p.Match[i:] {
			c.env.later = append(c.env.later, later.Name)
		}
		if err := c.define(v); err != nil {
			return fmt.Errorf("match value %.64q: %w", v.Name, err)
		}
	}
	a := &assembly{compiler: c, policy: p}
	if p.Program, err = a.assemble(); err != nil {
		return err
	}
	return nil
}
