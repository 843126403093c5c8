package job

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"regexp"
	"slices"
	"strings"
)

// Type is a column's type.
type Type string

// The column types. A numeric value is a whole number of steps; a text value is
// the index of its category in the bytewise sorted list.
const (
	Integer Type = "integer"
	Decimal Type = "decimal"
	Text    Type = "text"
)

const (
	maxColumns     = 4096
	maxColumnName  = 64
	maxCategories  = 1 << 16
	maxCategory    = 256
	maxDescription = 1 << 10

	// maxCode bounds a code's magnitude: the difference of two codes still fits
	// a signed 64-bit word, which comparisons need.
	maxCode = 1<<62 - 1
)

// Schema declares a dataset's columns. Data are read as text and cast by it; no
// file is typed by what it alone holds.
type Schema struct {
	Columns []Column `yaml:"columns"`
}

// Column declares one column. Min, Max, Step and the categories of a numeric
// column are decimal numbers in text, such as "0.1".
type Column struct {
	Name        string   `yaml:"name"`
	Type        Type     `yaml:"type"`
	Description string   `yaml:"description,omitempty"`
	Unit        string   `yaml:"unit,omitempty"`
	Step        string   `yaml:"step,omitempty"` // numeric; "1" for integers when left out
	Min         string   `yaml:"min,omitempty"`  // numeric, required
	Max         string   `yaml:"max,omitempty"`  // numeric, required
	Categories  []string `yaml:"categories,omitempty,flow"`
	Missing     []string `yaml:"missing,omitempty,flow"` // cells that mean missing, beside the blank one; numeric: numbers by value
	// Labels say what categories and missing texts mean, for people to read.
	Labels map[string]string `yaml:"labels,omitempty"`
}

// Check checks every column. The methods of Column rely on it.
func (s *Schema) Check() error {
	if len(s.Columns) == 0 || len(s.Columns) > maxColumns {
		return fmt.Errorf("schema has %d columns: declare 1 to %d", len(s.Columns), maxColumns)
	}
	seen := make(map[string]string, len(s.Columns))
	for i := range s.Columns {
		c := &s.Columns[i]
		if err := checkColumnName(c.Name); err != nil {
			return err
		}
		// Databases take names that differ in case alone for one.
		folded := strings.ToLower(c.Name)
		if other, taken := seen[folded]; taken {
			return fmt.Errorf("column %s: the name is that of column %s but for case: rename one", quoted(c.Name), quoted(other))
		}
		seen[folded] = c.Name
		if err := c.check(); err != nil {
			return fmt.Errorf("column %s: %w", quoted(c.Name), err)
		}
	}
	return nil
}

// Column returns the column of exactly that name.
func (s *Schema) Column(name string) (*Column, bool) {
	for i := range s.Columns {
		if s.Columns[i].Name == name {
			return &s.Columns[i], true
		}
	}
	return nil, false
}

// Names lists the columns in order.
func (s *Schema) Names() []string {
	names := make([]string, len(s.Columns))
	for i := range s.Columns {
		names[i] = s.Columns[i].Name
	}
	return names
}

var columnStart = regexp.MustCompile(`^[\pL\pN_]`)

// checkColumnName refuses what would need quoting twice, what a spreadsheet
// hides, and the names that streams of rows give to validity and selection.
func checkColumnName(s string) error {
	if err := checkText("column "+quoted(s)+": its name", s, maxColumnName); err != nil {
		return err
	}
	if !columnStart.MatchString(s) || strings.ContainsAny(s, "\"'`\\") || strings.TrimSpace(s) != s || strings.HasSuffix(s, ".valid") {
		return fmt.Errorf("column %s: begin its name with a letter, digit or '_', without quotes, backslashes, a space at the end or .valid", quoted(s))
	}
	return nil
}

func (c *Column) check() error {
	if err := checkText("description", c.Description, maxDescription); err != nil {
		return err
	}
	if err := checkText("unit", c.Unit, maxColumnName); err != nil {
		return err
	}
	if len(c.Categories) > maxCategories || len(c.Missing) > maxCategories {
		return fmt.Errorf("%d categories and %d missing texts: at most %d each", len(c.Categories), len(c.Missing), maxCategories)
	}
	for _, s := range slices.Concat(c.Categories, c.Missing) {
		if err := checkText("category or missing text "+quoted(s), s, maxCategory); err != nil {
			return err
		}
		if strings.TrimSpace(s) == "" {
			return errors.New("a category or missing text is blank: a blank cell is missing by itself, remove it")
		}
	}
	if err := c.checkLists(); err != nil {
		return err
	}
	if err := c.checkLabels(); err != nil {
		return err
	}
	switch c.Type {
	case Integer, Decimal:
		return c.checkNumeric()
	case Text:
		return c.checkText()
	}
	return fmt.Errorf("type is %s: use integer, decimal or text", quoted(string(c.Type)))
}

// checkLists refuses what stands twice among the categories and missing texts.
func (c *Column) checkLists() error {
	missing, categories := map[string]bool{}, map[string]bool{}
	for _, s := range c.Missing {
		if missing[c.canonical(s)] {
			return fmt.Errorf("missing text %s comes twice: remove one", quoted(s))
		}
		missing[c.canonical(s)] = true
	}
	for _, s := range c.Categories {
		switch {
		case missing[c.canonical(s)]:
			return fmt.Errorf("%s is a category and means missing: remove it from one list", quoted(s))
		case categories[c.canonical(s)]:
			return fmt.Errorf("category %s comes twice: remove one", quoted(s))
		}
		categories[c.canonical(s)] = true
	}
	return nil
}

// checkLabels refuses a label of what is not declared: it would be a slip.
func (c *Column) checkLabels() error {
	declared := slices.Concat(c.Categories, c.Missing)
	for s, label := range c.Labels {
		if !slices.Contains(declared, s) {
			return fmt.Errorf("%s has a label and is neither a category nor means missing: %s", quoted(s), Near(s, declared))
		}
		if err := checkText("label of "+quoted(s), label, maxDescription); err != nil {
			return err
		}
	}
	return nil
}

// canonical is the shortest form of a numeric column's number, since one file
// writes -9 where another writes -9.0; any other text is itself.
func (c *Column) canonical(s string) string {
	if d, ok := parseDecimal(s); ok && c.numeric() {
		return d.String()
	}
	return s
}

func (c *Column) checkText() error {
	if c.Step != "" || c.Min != "" || c.Max != "" {
		return errors.New("a text column has no step, min or max: remove them, or make it integer or decimal")
	}
	return nil
}

func (c *Column) checkNumeric() error {
	step, ok := parseDecimal(c.stepText())
	if !ok || step.mantissa <= 0 {
		return fmt.Errorf("step is %s: give the smallest difference between two values, such as 1 or 0.1", quoted(c.Step))
	}
	if c.Type == Integer && step.scale > 0 {
		return fmt.Errorf("step is %s: an integer column has a whole step, or make it decimal", quoted(c.Step))
	}
	lowest, err := bound("min", c.Min, step)
	if err != nil {
		return err
	}
	highest, err := bound("max", c.Max, step)
	if err != nil {
		return err
	}
	if lowest > highest {
		return fmt.Errorf("min %s is above max %s: swap them", c.Min, c.Max)
	}
	for _, s := range c.Categories {
		d, ok := parseDecimal(s)
		code, whole := d.steps(step)
		if !ok || !whole || code < lowest || code > highest {
			return fmt.Errorf("category %s is no whole number of steps within min and max: mend or remove it", quoted(s))
		}
	}
	return nil
}

func bound(which, s string, step decimal) (int64, error) {
	if s == "" {
		return 0, fmt.Errorf("%s is missing: declare the range, overflow checks rest on it", which)
	}
	d, ok := parseDecimal(s)
	if !ok {
		return 0, fmt.Errorf("%s is %s: write a decimal number of at most %d digits", which, quoted(s), maxDigits)
	}
	code, ok := d.steps(step)
	if !ok {
		return 0, fmt.Errorf("%s is %s: it must be a whole number of steps of %s, less than 2^62 of them", which, quoted(s), step)
	}
	return code, nil
}

func (c *Column) numeric() bool { return c.Type != Text }

func (c *Column) stepText() string {
	if c.Step == "" && c.Type == Integer {
		return "1"
	}
	return c.Step
}

// step is that of a checked numeric column.
func (c *Column) step() decimal {
	d, _ := parseDecimal(c.stepText())
	return d
}

// Codes returns the range in codes: of a text column the places of its
// categories, which is 0, -1 when it has none.
func (c *Column) Codes() (min, max int64) {
	if !c.numeric() {
		return 0, int64(len(c.Categories)) - 1
	}
	step := c.step()
	lowest, _ := parseDecimal(c.Min)
	highest, _ := parseDecimal(c.Max)
	min, _ = lowest.steps(step)
	max, _ = highest.steps(step)
	return min, max
}

// Bits is the number of bits of the largest magnitude among the codes.
func (c *Column) Bits() int {
	lowest, highest := c.Codes()
	return bits.Len64(uint64(max(lowest, -lowest, highest, -highest)))
}

// StepRat is the value of one step; 1 for a text column.
func (c *Column) StepRat() *big.Rat {
	if !c.numeric() {
		return big.NewRat(1, 1)
	}
	return c.step().rat()
}

// DecimalDigits is the most digits of a decimal number that counts in a signed word.
const DecimalDigits = 18

// DecimalForm says how the codes of a numeric column become decimal numbers: value = code *
// factor * 10^-scale, of at most that many digits, DecimalDigits or fewer.
func (c *Column) DecimalForm() (factor int64, scale, digits int, err error) {
	step := c.StepRat()
	scale, _ = step.FloatPrec()
	f := new(big.Rat).Mul(step, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
	lowest, highest := c.Codes()
	largest := new(big.Int).Mul(f.Num(), big.NewInt(max(highest, -highest, lowest, -lowest)))
	digits = max(len(largest.String()), scale)
	if digits > DecimalDigits || !f.Num().IsInt64() {
		return 0, 0, 0, fmt.Errorf("its numbers have %d digits, a Parquet file of this program has at most %d: write CSV", digits, DecimalDigits)
	}
	return f.Num().Int64(), scale, digits, nil
}

// Code turns a cell's or an argument's text into its code. Whether the text
// means missing is the caller's to ask first. Errors never tell the value.
func (c *Column) Code(value string) (int64, error) {
	if !c.numeric() {
		return c.categoryCode(value)
	}
	d, ok := parseDecimal(value)
	if !ok {
		return 0, fmt.Errorf("column %s: a value is no decimal number of at most %d digits: correct the data, or declare the text under missing", quoted(c.Name), maxDigits)
	}
	step := c.step()
	code, whole := d.steps(step)
	if !whole && c.within(d) {
		return 0, fmt.Errorf("column %s: a value is no whole number of steps of %s: correct the data or declare a smaller step", quoted(c.Name), step)
	}
	if lowest, highest := c.Codes(); !whole || code < lowest || code > highest {
		return 0, fmt.Errorf("column %s: a value is outside %s to %s: correct the data or widen the declared range", quoted(c.Name), c.Min, c.Max)
	}
	if len(c.Categories) > 0 && !c.hasCategory(code, step) {
		return 0, c.noCategory()
	}
	return code, nil
}

// within tells whether a number lies in the declared range, of whatever step.
func (c *Column) within(d decimal) bool {
	lowest, _ := parseDecimal(c.Min)
	highest, _ := parseDecimal(c.Max)
	return d.rat().Cmp(lowest.rat()) >= 0 && d.rat().Cmp(highest.rat()) <= 0
}

func (c *Column) noCategory() error {
	return fmt.Errorf("column %s: a value is not among its %d categories: correct the data or add the category to the schema", quoted(c.Name), len(c.Categories))
}

func (c *Column) hasCategory(code int64, step decimal) bool {
	for _, s := range c.Categories {
		d, _ := parseDecimal(s)
		if k, _ := d.steps(step); k == code {
			return true
		}
	}
	return false
}

// categoryCode counts the smaller categories instead of sorting them: every
// cell of a file passes here.
func (c *Column) categoryCode(value string) (int64, error) {
	if len(c.Categories) == 0 {
		return 0, c.noList()
	}
	smaller, found := int64(0), false
	for _, s := range c.Categories {
		if s < value {
			smaller++
		}
		found = found || s == value
	}
	if !found {
		return 0, c.noCategory()
	}
	return smaller, nil
}

// Format writes the code's value: the shortest decimal, or the category.
func (c *Column) Format(code int64) string {
	if !c.numeric() {
		if code < 0 || code >= int64(len(c.Categories)) {
			return fmt.Sprintf("category %d", code)
		}
		return c.sortedCategories()[code]
	}
	step := c.step()
	return formatDecimal(new(big.Int).Mul(big.NewInt(code), big.NewInt(step.mantissa)), step.scale)
}

// Levels returns the codes of the declared categories in level order: numbers
// ascending, texts bytewise.
func (c *Column) Levels() ([]int64, error) {
	if len(c.Categories) == 0 {
		return nil, c.noList()
	}
	levels := make([]int64, len(c.Categories))
	for i, s := range c.Categories {
		if !c.numeric() {
			levels[i] = int64(i)
			continue
		}
		d, _ := parseDecimal(s)
		levels[i], _ = d.steps(c.step())
	}
	slices.Sort(levels)
	return levels, nil
}

func (c *Column) noList() error {
	return fmt.Errorf("column %s has no list of categories: declare categories in the study's schema to use it so", quoted(c.Name))
}

func (c *Column) sortedCategories() []string { return slices.Sorted(slices.Values(c.Categories)) }
