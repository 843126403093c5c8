package policy

import (
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"consilium/job"
)

// kind is the type of an expression.
type kind uint8

const (
	number kind = iota
	boolean
	category // a text out of a declared list
	typing   // two antigens as typed
	antigens // two antigens at a level
	set
	date
	population // a table of frequencies
	list
	label // a name in the clear: no expression reads it
)

var kindNamesInErrors = [...]string{"number", "boolean", "category", "typing", "antigens", "set", "date", "frequencies", "list", "label"}

func (k kind) String() string { return kindNamesInErrors[k] }

// The types as cel-go knows them. A whole-numbered literal is CEL's int, every
// other number its double.
var (
	celTyping     = cel.OpaqueType("typing")
	celAntigens   = cel.OpaqueType("antigens")
	celSet        = cel.OpaqueType("set")
	celDate       = cel.OpaqueType("date")
	celPopulation = cel.OpaqueType("frequencies")
)

var celTypes = map[kind]*cel.Type{
	number: cel.DoubleType, boolean: cel.BoolType, category: cel.StringType, typing: celTyping, antigens: celAntigens,
	set: celSet, date: celDate, population: celPopulation,
}

// binding is what an expression may call by name.
type binding struct {
	kind   kind
	levels []string // of a category
}

// expr is a checked expression.
type expr struct {
	op    string // one of the op constants or a function's name
	kind  kind
	args  []*expr
	name  string   // opName
	num   *big.Rat // opNumber
	text  string   // opText
	truth bool     // opTruth
	// texts are all that a category's value can be.
	texts []string
	line  int // place in the source, both from 1
	char  int
}

const (
	opName   = "name"
	opNumber = "number"
	opText   = "text"
	opTruth  = "truth"
	opList   = "list"
)

// environment is the language in which one part of a policy is written: the names
// that can be read there, the tables, and the functions.
type environment struct {
	cel    *cel.Env
	names  map[string]binding
	tables map[string]*table
	later  []string // names that are defined here or below
}

// Limits on expressions. They are far beyond what a person would read.
const (
	maxExpression = 16 << 10
	maxDepth      = 100
)

// overloads lists functions and operators: the kinds that each takes, and gives
// last. n stands for CEL's two number types, mixed at will.
var overloads = []struct {
	function string
	forms    []string
}{
	{operators.Add, []string{"nnn"}},
	{operators.Subtract, []string{"nnn"}},
	{operators.Multiply, []string{"nnn"}},
	{operators.Divide, []string{"nnn"}}, // exact; in the match by a literal alone
	{operators.Negate, []string{"nn"}},
	{operators.Less, []string{"nnb"}},
	{operators.LessEquals, []string{"nnb"}},
	{operators.Greater, []string{"nnb"}},
	{operators.GreaterEquals, []string{"nnb"}},
	{operators.Equals, []string{"nnb", "ccb", "bbb"}},
	{operators.NotEquals, []string{"nnb", "ccb", "bbb"}},
	{operators.In, []string{"cCb"}}, // candidate.country in ["AT", "BE"]
	{operators.LogicalAnd, []string{"bbb"}},
	{operators.LogicalOr, []string{"bbb"}},
	{operators.LogicalNot, []string{"bb"}},
	{operators.Conditional, []string{"bnnn", "bccc", "bbbb"}},
	{"min", []string{"nnn"}},
	{"max", []string{"nnn"}},
	{"round", []string{"nn"}},   // to the nearest whole number, halves up
	{"floor", []string{"nn"}},   // the greatest whole number that is not above
	{"broad", []string{"ta"}},   // a typing at broad level
	{"split", []string{"ta"}},   // a typing at split level
	{"carried", []string{"Ts"}}, // what typings put before antibodies: their antigens with the broads
}

// onlySite are the functions that run in the clear alone, and onlyMatch those of
// the match.
var (
	onlySite = []struct {
		function string
		forms    []string
	}{
		{"ln", []string{"nn"}},
		{"exp", []string{"nn"}},
		{"pow", []string{"nnn"}},
		{"abs", []string{"nn"}},
		{"days_since", []string{"dn"}},  // whole days from the date to the day of the run
		{"years_since", []string{"dn"}}, // these days / 365.25
		{"homozygous", []string{"ab"}},  // both antigens of a locus are the same
		{"mmp", []string{"fnnAn"}},      // frequencies, blood group's frequency, vPRA from 0 to 1, antigens of the loci
	}
	onlyMatch = []struct {
		function string
		forms    []string
	}{
		{"new_antigens", []string{"aan"}}, // how many different antigens of the first the second lacks
		{"meets", []string{"ssb"}},        // two sets have an antigen in common
	}
)

// reserved words cannot be names.
var reserved = strings.Fields("true false null in as break const continue else for function if import let loop package namespace return var void while candidate donor")

// newEnvironment makes the language of a site (match is false) or of the match.
func newEnvironment(names map[string]binding, tables map[string]*table, match bool) (*environment, error) {
	functions := slices.Clone(overloads)
	if match {
		functions = append(functions, onlyMatch...)
	} else {
		functions = append(functions, onlySite...)
	}
	options := []cel.EnvOption{
		cel.ClearMacros(), cel.ParserExpressionSizeLimit(maxExpression), cel.ParserRecursionLimit(maxDepth),
	}
	for _, f := range functions {
		options = append(options, declare(f.function, f.forms))
	}
	for _, n := range sortedKeys(names) {
		if t, ok := celTypes[names[n].kind]; ok {
			options = append(options, cel.Variable(n, t))
		}
	}
	for _, n := range sortedKeys(tables) {
		switch t := tables[n]; t.form {
		case formMap:
			options = append(options, declare(n, []string{strings.Repeat("c", t.keys) + "n"}))
		case formMask:
			options = append(options, declare(n, []string{"ccb"}))
		case formIntervals:
			options = append(options, declare(n, []string{"nn"}))
		case formFrequencies:
			options = append(options, cel.Variable(n, celPopulation))
		}
	}
	env, err := cel.NewCustomEnv(options...)
	if err != nil {
		return nil, err
	}
	return &environment{cel: env, names: maps.Clone(names), tables: tables}, nil
}

// declare declares a function by its forms, one letter an argument and one for
// the result.
func declare(function string, forms []string) cel.EnvOption {
	var opts []cel.FunctionOpt
	for _, form := range forms {
		kinds := [][]*cel.Type{{}}
		for _, letter := range form[:len(form)-1] {
			var longer [][]*cel.Type
			for _, k := range kinds {
				for _, t := range celForms[letter] {
					longer = append(longer, append(slices.Clone(k), t))
				}
			}
			kinds = longer
		}
		for _, args := range kinds {
			result := celForms[rune(form[len(form)-1])][0]
			opts = append(opts, cel.Overload(fmt.Sprintf("%s %v", function, args), args, result))
		}
	}
	return cel.Function(function, opts...)
}

var celForms = map[rune][]*cel.Type{
	'n': {cel.DoubleType, cel.IntType},
	'b': {cel.BoolType},
	'c': {cel.StringType},
	'C': {cel.ListType(cel.StringType)},
	't': {celTyping},
	'T': {cel.ListType(celTyping)},
	'a': {celAntigens},
	'A': {cel.ListType(celAntigens)},
	's': {celSet},
	'd': {celDate},
	'f': {celPopulation},
}

// parse reads an expression of one of the wanted kinds. Errors name the place in it.
func (e *environment) parse(text string, wanted ...kind) (*expr, error) {
	if strings.TrimSpace(text) == "" {
		return nil, fmt.Errorf("the expression is missing")
	}
	checked, issues := e.cel.Compile(text)
	if problems := issues.Errors(); len(problems) > 0 {
		return nil, e.explain(text, problems[0])
	}
	tree, err := e.convert(checked.NativeRep(), checked.NativeRep().Expr())
	if err != nil {
		return nil, err
	}
	if !slices.Contains(wanted, tree.kind) {
		return nil, tree.errorf("this is a %s, and a %s is needed here", tree.kind, wanted[0])
	}
	return tree, nil
}

// errorf is an error at the expression's place.
func (x *expr) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d, character %d: %s", x.line, x.char, fmt.Sprintf(format, args...))
}

// maxProblem caps what cel-go says of an expression, in bytes.
const maxProblem = 300

// explain makes one line of cel-go's error, with the names of this package.
func (e *environment) explain(source string, p *common.Error) error {
	text := job.Printable(strings.ReplaceAll(p.Message, " (in container '')", ""), maxProblem)
	if unknown, ok := strings.CutPrefix(text, "undeclared reference to '"); ok {
		if strings.HasPrefix(unknown, "_") { // an operator that policies do not have
			unknown = strings.Trim(unknown, "_")
		}
		unknown = dotted(source, p.Location, strings.TrimSuffix(unknown, "'"))
		if slices.Contains(e.later, unknown) {
			return fmt.Errorf("line %d, character %d: %s is this value or one below: a value can use those above it alone", p.Location.Line(), p.Location.Column()+1, unknown)
		}
		known := sortedKeys(e.names)
		for f := range e.cel.Functions() {
			if f[0] >= 'a' && f[0] <= 'z' { // no operator
				known = append(known, f)
			}
		}
		slices.Sort(known)
		text = fmt.Sprintf("there is no %.64q here: %s", unknown, job.Near(unknown, known))
	} else if call, ok := strings.CutPrefix(text, "found no matching overload for "); ok {
		text = celWords.Replace(call) + ": it takes other kinds of values"
	} else if syntax, _, ok := strings.Cut(text, " expecting {"); ok {
		text = syntax + ": mind brackets, commas and quotes"
	}
	return fmt.Errorf("line %d, character %d: %s", p.Location.Line(), p.Location.Column()+1, text)
}

var dottedName = regexp.MustCompile(`^\w+(\.\w+)*`)

// dotted is the whole name that begins at a place, of which cel-go tells the first
// part alone.
func dotted(source string, at common.Location, first string) string {
	lines := strings.Split(source, "\n")
	if at.Line() < 1 || at.Line() > len(lines) {
		return first
	}
	rest := []rune(lines[at.Line()-1])
	whole := dottedName.FindString(string(rest[min(at.Column(), len(rest)):]))
	if whole != first && !strings.HasPrefix(whole, first+".") {
		return first
	}
	return whole
}

var celWords = strings.NewReplacer("double", "number", "string", "category", "bool", "boolean", "int", "number", "applied to", "of",
	"'_?_:_'", "'? :'", "'@in'", "'in'", "'!_'", "'!'", "'-_'", "'-'", "'_", "'", "_'", "'")

// convert takes over what cel-go has checked.
func (e *environment) convert(tree *ast.AST, x ast.Expr) (*expr, error) {
	at := tree.SourceInfo().GetStartLocation(x.ID())
	out := &expr{line: at.Line(), char: at.Column() + 1}
	if ref, ok := tree.ReferenceMap()[x.ID()]; ok && ref.Name != "" {
		return e.convertName(out, ref.Name)
	}
	switch x.Kind() {
	case ast.LiteralKind:
		return out.literal(x)
	case ast.ListKind:
		out.op, out.kind = opList, list
		for _, element := range x.AsList().Elements() {
			arg, err := e.convert(tree, element)
			if err != nil {
				return nil, err
			}
			out.args = append(out.args, arg)
		}
		return out, nil
	case ast.CallKind:
		call := x.AsCall()
		out.op = call.FunctionName()
		for _, a := range call.Args() {
			arg, err := e.convert(tree, a)
			if err != nil {
				return nil, err
			}
			out.args = append(out.args, arg)
		}
		kind, ok := kindOf(tree.GetType(x.ID()))
		if !ok {
			return nil, out.errorf("a policy has no such expression")
		}
		out.kind = kind
		return out, e.checkTexts(out)
	}
	return nil, out.errorf("a policy has no such expression: use names, literals, operators and functions")
}

func (e *environment) convertName(out *expr, called string) (*expr, error) {
	out.op, out.name = opName, called
	if n, ok := e.names[called]; ok {
		out.kind, out.texts = n.kind, n.levels
		return out, nil
	}
	if t, ok := e.tables[called]; ok && t.form == formFrequencies {
		out.kind = population
		return out, nil
	}
	return nil, out.errorf("%.64q cannot be used here", called)
}

// literal reads a literal. CEL gives the double next to what is written, of which
// the shortest decimal is what was written, up to 15 digits.
func (x *expr) literal(l ast.Expr) (*expr, error) {
	switch v := l.AsLiteral().(type) {
	case types.Int:
		x.op, x.kind, x.num = opNumber, number, new(big.Rat).SetInt64(int64(v))
		return x, nil
	case types.Double:
		text := strconv.FormatFloat(float64(v), 'g', -1, 64)
		r, ok := parseRat(text)
		if !ok {
			return nil, x.errorf("write a decimal number of at most 15 digits")
		}
		x.op, x.kind, x.num = opNumber, number, r
		return x, nil
	case types.String:
		x.op, x.kind, x.text, x.texts = opText, category, string(v), []string{string(v)}
		return x, nil
	case types.Bool:
		x.op, x.kind, x.truth = opTruth, boolean, bool(v)
		return x, nil
	}
	return nil, x.errorf("a policy has no such literal: use numbers, true, false and texts")
}

func kindOf(t *types.Type) (kind, bool) {
	for k, ct := range celTypes {
		if t.IsExactType(ct) {
			return k, true
		}
	}
	return number, t.IsExactType(cel.IntType)
}

// checkTexts refuses categories that a comparison or a table can never have, which
// are slips, and finds what a category's value can be.
func (e *environment) checkTexts(x *expr) error {
	switch x.op {
	case operators.Equals, operators.NotEquals:
		if x.args[0].kind == category {
			return x.sameTexts(x.args[0], x.args[1])
		}
	case operators.In:
		for _, element := range x.args[1].args {
			if element.op != opText {
				return element.errorf("write out the texts after in")
			}
			if err := x.sameTexts(x.args[0], element); err != nil {
				return err
			}
		}
	case operators.Conditional:
		if x.kind == category {
			x.texts = union(x.args[1].texts, x.args[2].texts)
		}
	default:
		t, ok := e.tables[x.op]
		if !ok || t.form == formIntervals {
			return nil
		}
		for i, arg := range x.args {
			for _, text := range arg.texts {
				if !slices.Contains(t.levels[i], text) {
					return arg.errorf("table %s has no row for %.64q: it has %s", t.name, text, strings.Join(t.levels[i], ", "))
				}
			}
		}
	}
	return nil
}

func (x *expr) sameTexts(a, b *expr) error {
	for _, text := range a.texts {
		if slices.Contains(b.texts, text) {
			return nil
		}
	}
	if a.op == opText {
		a, b = b, a
	}
	if b.op == opText {
		return b.errorf("%.64q is none of the values: %s", b.text, job.Near(b.text, a.texts))
	}
	return x.errorf("the two sides have no value in common")
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
