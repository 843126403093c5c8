package policy

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"consilium/job"
	"consilium/organ/hla"
)

// Types of inputs and site values.
const (
	typeInteger  = "integer"
	typeDecimal  = "decimal"
	typeBoolean  = "boolean"
	typeCategory = "category"
	typeID       = "id"       // a whole number that no other candidate has
	typeDate     = "date"     // YYYY-MM-DD, not after the day of the run; site values alone read it
	typeAntigens = "antigens" // the two antigens of a locus
	typeSet      = "set"      // antigens of some loci
	typeLabel    = "label"    // a name that stays in the clear at the site
)

var inputTypes = []string{typeInteger, typeDecimal, typeBoolean, typeCategory, typeID, typeDate, typeAntigens, typeSet, typeLabel}

const (
	maxInputs = 256
	maxValues = 256
	// dateForm is how dates are written.
	dateForm = "2006-01-02"
	// blankToday is the blank date that means the day of the run.
	blankToday = "today"
	// presentName is the input that no policy declares: 1 in a row, 0 in padding.
	presentName = "present"
)

var wordForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

func checkWord(what, s string) error {
	if !wordForm.MatchString(s) || slices.Contains(reserved, s) {
		return fmt.Errorf("%s is %.64q: use 1 to 63 of a-z, 0-9 and '_', beginning with a letter, and no reserved word", what, s)
	}
	return nil
}

// variable is a checked input or site value.
type variable struct {
	input   Input
	full    string // candidate.NAME or donor.NAME
	kind    kind
	column  job.Column // number and category: casts texts and gives the range
	step    *big.Rat
	scale   scale
	locus   hla.Locus
	loci    []hla.Locus
	columns []string
	formula formula // of a site value
}

// side is a checked Side.
type side struct {
	name      string // candidate, donor
	variables []*variable
	inputs    int // the first ones; the others are site values
	names     map[string]binding
	slots     map[string]int
	molecular hla.Names
}

// readSide checks the declarations of a side and compiles its site values.
func readSide(called string, s *Side, tables map[string]*table) (*side, error) {
	if len(s.Inputs) == 0 || len(s.Inputs)+len(s.Site) > maxInputs {
		return nil, fmt.Errorf("%s: %d inputs and %d site values: declare 1 to %d", called, len(s.Inputs), len(s.Site), maxInputs)
	}
	out := &side{name: called, inputs: len(s.Inputs), names: map[string]binding{}, slots: map[string]int{}}
	for _, t := range tables {
		if t.form == formMolecular {
			out.molecular = t.names
		}
	}
	for i := range s.Inputs {
		if err := out.declare(&s.Inputs[i], false); err != nil {
			return nil, fmt.Errorf("%s: input %.64q: %w", called, s.Inputs[i].Name, err)
		}
	}
	for i := range s.Site {
		if err := out.declareSite(s.Site[i:], tables); err != nil {
			return nil, fmt.Errorf("%s: site value %.64q: %w", called, s.Site[i].Name, err)
		}
	}
	return out, nil
}

// declareSite compiles the first of the values over the variables before it.
func (s *side) declareSite(values []Input, tables map[string]*table) error {
	in := &values[0]
	env, err := newEnvironment(s.names, tables, false)
	if err != nil {
		return err
	}
	for _, later := range values {
		env.later = append(env.later, s.name+"."+later.Name)
	}
	if err := s.declare(in, true); err != nil {
		return err
	}
	v := s.variables[len(s.variables)-1]
	x, err := env.parse(in.Value, v.kind)
	if err != nil {
		return err
	}
	if v.kind == category {
		for _, text := range x.texts {
			if !slices.Contains(in.Values, text) {
				return x.errorf("it can be %.64q, which is none of its values: %s", text, strings.Join(in.Values, ", "))
			}
		}
	}
	v.formula, err = env.compileSite(x, s.slots)
	return err
}

func (s *side) declare(in *Input, site bool) error {
	if err := checkWord("its name", in.Name); err != nil {
		return err
	}
	if in.Name == presentName {
		return errors.New("the name is taken: rename it")
	}
	v := &variable{input: *in, full: s.name + "." + in.Name}
	if _, twice := s.names[v.full]; twice {
		return errors.New("the name stands twice: rename one")
	}
	if err := v.check(site); err != nil {
		return err
	}
	s.slots[v.full] = len(s.variables)
	s.variables = append(s.variables, v)
	s.names[v.full] = binding{v.kind, v.input.Values}
	return nil
}

// check finds the kind and refuses what does not belong to it.
func (v *variable) check(site bool) error {
	in := &v.input
	if !slices.Contains(inputTypes, in.Type) {
		return fmt.Errorf("type is %.32q: %s", in.Type, job.Near(in.Type, inputTypes))
	}
	if err := v.checkUse(site); err != nil {
		return err
	}
	allowed := map[string][]string{
		typeInteger: {"step", "min", "max"}, typeDecimal: {"step", "min", "max"}, typeID: {"min", "max"},
		typeCategory: {"values"}, typeAntigens: {"locus"}, typeSet: {"loci"},
	}[in.Type]
	for key, given := range map[string]bool{
		"step": in.Step != "", "min": in.Min != "", "max": in.Max != "", "values": in.Values != nil,
		"locus": in.Locus != "", "loci": in.Loci != nil,
	} {
		if given && !slices.Contains(allowed, key) {
			return fmt.Errorf("a value of type %s has no %s: remove it", in.Type, key)
		}
	}
	v.columns = in.Columns
	if v.columns == nil {
		v.columns = []string{in.Name}
	}
	if len(v.columns) != 1 && in.Type != typeAntigens || len(v.columns) == 0 || len(v.columns) > 2 {
		return fmt.Errorf("%d columns: a value has one, antigens have one or two", len(v.columns))
	}
	switch in.Type {
	case typeInteger, typeDecimal, typeID:
		return v.checkNumber()
	case typeCategory:
		return v.checkCategory()
	case typeBoolean:
		v.kind = boolean
	case typeDate:
		v.kind = date
	case typeLabel:
		v.kind = label
	case typeAntigens:
		v.kind = typing
		l, err := hla.ParseLocus(in.Locus)
		if err != nil {
			return fmt.Errorf("locus is %.32q: %w", in.Locus, err)
		}
		v.locus = l
	case typeSet:
		v.kind = set
		return v.checkLoci()
	}
	return v.checkBlank()
}

// checkUse refuses a site value that reads the file, and an input with a formula.
func (v *variable) checkUse(site bool) error {
	in := &v.input
	switch {
	case site && (in.Columns != nil || in.Blank != nil):
		return errors.New("a site value is computed: remove columns and blank")
	case !site && in.Value != "":
		return errors.New("an input is read from the file: remove value, or declare it under site")
	case site && !slices.Contains([]string{typeInteger, typeDecimal, typeBoolean, typeCategory}, in.Type):
		return fmt.Errorf("a site value is an integer, decimal, boolean or category, and not of type %s", in.Type)
	}
	return nil
}

func (v *variable) checkNumber() error {
	in := &v.input
	v.kind = number
	v.column = job.Column{Name: in.Name, Type: job.Decimal, Step: in.Step, Min: in.Min, Max: in.Max}
	if in.Type != typeDecimal {
		v.column.Type = job.Integer
	}
	if err := checkColumn(&v.column); err != nil {
		return err
	}
	v.step = v.column.StepRat()
	v.scale = newScale(v.step)
	return v.checkBlank()
}

func checkColumn(c *job.Column) error {
	schema := job.Schema{Columns: []job.Column{*c}}
	if err := schema.Check(); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), fmt.Sprintf("column %q: ", c.Name)))
	}
	return nil
}

func (v *variable) checkCategory() error {
	in := &v.input
	v.kind = category
	if len(in.Values) == 0 || len(in.Values) > maxValues {
		return fmt.Errorf("%d values: list 1 to %d", len(in.Values), maxValues)
	}
	v.column = job.Column{Name: in.Name, Type: job.Text, Categories: in.Values}
	if err := checkColumn(&v.column); err != nil {
		return err
	}
	return v.checkBlank()
}

func (v *variable) checkLoci() error {
	for _, text := range v.input.Loci {
		l, err := hla.ParseLocus(text)
		if err != nil {
			return fmt.Errorf("loci: %.32q: %w", text, err)
		}
		if slices.Contains(v.loci, l) {
			return fmt.Errorf("loci: %s stands twice", l)
		}
		v.loci = append(v.loci, l)
	}
	if len(v.loci) == 0 {
		return errors.New("loci is missing: list the loci of its antigens")
	}
	return v.checkBlank()
}

// checkBlank refuses a blank that the type does not take.
func (v *variable) checkBlank() error {
	blank := v.input.Blank
	if blank == nil {
		return nil
	}
	switch v.kind {
	case number, category:
		if _, err := v.column.Code(*blank); err != nil {
			return fmt.Errorf("blank is %.32q, which is no value of its own: it must be one of those that are declared", *blank)
		}
	case boolean:
		if _, ok := truths[*blank]; !ok {
			return fmt.Errorf("blank is %.32q: use 0 or 1", *blank)
		}
	case date:
		if *blank != blankToday {
			return fmt.Errorf("blank is %.32q: a blank date can only stand for %s", *blank, blankToday)
		}
	default:
		return fmt.Errorf("a value of type %s has no blank: remove it", v.input.Type)
	}
	if v.input.Type == typeID {
		return errors.New("an id has no blank: remove it")
	}
	return nil
}

// levels returns the categories in the order of their codes.
func (v *variable) levels() []string { return slices.Sorted(slices.Values(v.input.Values)) }

// scale turns steps into float64 and back.
type scale struct {
	times float64 // 1 / step where that is a whole number, else 0
	step  float64
}

func newScale(step *big.Rat) scale {
	f, _ := step.Float64()
	if step.Num().IsInt64() && step.Num().Int64() == 1 {
		times, _ := new(big.Rat).Inv(step).Float64()
		return scale{times, f}
	}
	return scale{0, f}
}

// value is code steps, correctly rounded where a whole number of steps make 1: the
// float64 that a program reads from the decimal text.
func (s scale) value(code int64) float64 {
	if s.times != 0 {
		return float64(code) / s.times
	}
	return float64(code) * s.step
}

// code is the nearest number of steps, halves up.
func (s scale) code(x float64) (int64, bool) {
	if s.times != 0 {
		x *= s.times
	} else {
		x /= s.step
	}
	if math.Abs(x) > 1<<62 {
		return 0, false
	}
	return int64(halfUp(x)), true
}
