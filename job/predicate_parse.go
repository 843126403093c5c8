package job

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// Limits on a predicate's text. The parser recurses into parentheses only, and
// these are counted before it runs.
const (
	MaxPredicateBytes = 4 << 10
	MaxPredicateDepth = 32
)

// The grammar, loosest binding first. NOT is a repetition and not a recursion,
// so that it adds no depth.
type (
	disjunction struct {
		Terms []*conjunction `parser:"@@ ( 'OR' @@ )*"`
	}
	conjunction struct {
		Terms []*negation `parser:"@@ ( 'AND' @@ )*"`
	}
	negation struct {
		Nots  []string     `parser:"@'NOT'*"`
		Group *disjunction `parser:"(   '(' @@ ')'"`
		Test  *test        `parser:"  | @@ )"`
	}
	test struct {
		Pos     lexer.Position
		Column  string      `parser:"@(Ident | Quoted)"`
		Null    *nullTest   `parser:"(   'IS' @@"`
		Compare *comparison `parser:"  | @@"`
		Not     bool        `parser:"  | @'NOT'?"`
		In      []*literal  `parser:"    (   'IN' '(' @@ ( ',' @@ )* ')'"`
		Between *between    `parser:"      | 'BETWEEN' @@ ) )"`
	}
	nullTest struct {
		Not bool `parser:"@'NOT'? 'NULL'"`
	}
	comparison struct {
		Op    string   `parser:"@Operator"`
		Value *literal `parser:"@@"`
	}
	between struct {
		Low  *literal `parser:"@@"`
		High *literal `parser:"'AND' @@"`
	}
	literal struct {
		Pos    lexer.Position
		Number string `parser:"  @Number"`
		Text   string `parser:"| @String"`
	}
)

var tokens = lexer.MustSimple([]lexer.SimpleRule{
	{Name: "Space", Pattern: `[ \t\r\n]+`},
	{Name: "Number", Pattern: `[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?`},
	{Name: "String", Pattern: `'([^']|'')*'`},
	{Name: "Quoted", Pattern: `"([^"]|"")*"`},
	{Name: "Ident", Pattern: `[\pL_][\pL\pN_.]*`},
	{Name: "Operator", Pattern: `<=|>=|<>|!=|=|<|>`},
	{Name: "Punct", Pattern: `[(),]`},
	{Name: "Keyword", Pattern: `AND|OR|NOT|IN|BETWEEN|IS|NULL`}, // never comes before Ident: see keyword
})

var keywords = []string{"AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL"}

// keyword turns whole identifiers into keywords, so that a column may be called
// is.smoker or in_hospital.
func keyword(t lexer.Token) (lexer.Token, error) {
	if word := strings.ToUpper(t.Value); slices.Contains(keywords, word) {
		t.Type, t.Value = tokens.Symbols()["Keyword"], word
	}
	return t, nil
}

var grammar = sync.OnceValue(func() *participle.Parser[disjunction] {
	return participle.MustBuild[disjunction](participle.Lexer(tokens), participle.Elide("Space"), participle.Map(keyword, "Ident"))
})

// ParsePredicate parses a where-clause or event expression and binds it to the
// schema; the empty text gives nil. Operators are = != <> < <= > >= IN BETWEEN
// IS [NOT] NULL AND OR NOT and parentheses, keywords in any case. Column names
// are as in the schema, in double quotes if they hold spaces or are keywords;
// texts stand in single quotes, a quote in them doubled.
//
// Numbers bind exactly whatever the column's step and range: what no value can
// equal becomes a test that is false wherever the column is present.
func ParsePredicate(text string, s *Schema) (Predicate, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if len(text) > MaxPredicateBytes {
		return nil, fmt.Errorf("condition has %d bytes, at most %d are allowed: shorten it, IN (…) takes many values at once", len(text), MaxPredicateBytes)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("condition is not valid UTF-8: type it anew")
	}
	if err := checkDepth(text); err != nil {
		return nil, err
	}
	tree, err := grammar().ParseString("", text)
	if err != nil {
		return nil, syntaxError(err)
	}
	return (&binder{schema: s}).disjunction(tree)
}

// checkDepth counts parentheses outside of quotes.
func checkDepth(text string) error {
	depth, quote := 0, byte(0)
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0 // a doubled quote opens again at once
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(':
			if depth++; depth > MaxPredicateDepth {
				return fmt.Errorf("condition at character %d: more than %d parentheses inside each other: write it flatter", i+1, MaxPredicateDepth)
			}
		case c == ')':
			depth--
		}
	}
	return nil
}

// syntaxError tells where the parser stopped and, for the usual slips, why.
func syntaxError(err error) error {
	var unexpected *participle.UnexpectedTokenError
	if errors.As(err, &unexpected) {
		token := unexpected.Unexpected
		if token.EOF() {
			return errors.New("condition ends too early: complete it, as in age >= 50 AND sex = 'f'")
		}
		return at(token.Pos, "did not expect %s: %s", quoted(token.Value), tokenHint(token.Value))
	}
	var positioned participle.Error
	if errors.As(err, &positioned) {
		return at(positioned.Position(), "cannot be read: quotes come in pairs, texts stand in single quotes, and operators are = != < <= > >= IN BETWEEN IS NULL")
	}
	return fmt.Errorf("condition cannot be read: %s", oneLine(err.Error()))
}

func tokenHint(token string) string {
	switch {
	case strings.HasPrefix(token, `"`):
		return "double quotes are for column names, texts stand in single quotes"
	case strings.EqualFold(token, "NULL"):
		return "ask for missing values with IS NULL or IS NOT NULL"
	}
	return "conditions look like age >= 50 AND sex = 'f'; a text stands in single quotes, a column name with spaces in double ones"
}

func at(pos lexer.Position, format string, args ...any) error {
	where := fmt.Sprintf("character %d", pos.Column)
	if pos.Line > 1 {
		where = fmt.Sprintf("line %d, character %d", pos.Line, pos.Column)
	}
	return fmt.Errorf("condition at "+where+": "+format, args...)
}
