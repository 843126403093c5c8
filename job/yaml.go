package job

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DecodeYAML reads exactly one document of at most limit bytes into v, a pointer
// to a struct. Unknown and duplicate keys are refused. What names the document
// in errors.
func DecodeYAML(what string, b []byte, limit int, v any) error {
	if len(b) > limit {
		return fmt.Errorf("%s: %d bytes, at most %d are allowed: shorten it", what, len(b), limit)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: the file is empty: write it first", what)
		}
		return fmt.Errorf("%s: %s", what, yamlHint(err, v))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: more than one YAML document: keep one document in the file, without '---'", what)
	}
	return nil
}

func encodeYAML(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

var unknownKey = regexp.MustCompile(`^(line \d+): field (.*) not found in type (\S+)$`)

// maxProblem caps what the YAML package says of a file, which it quotes, in bytes.
const maxProblem = 300

// yamlHint makes one line with a hint of the first problem that the YAML
// package reports. The known keys come from the struct's own tags.
func yamlHint(err error, v any) string {
	var typed *yaml.TypeError
	if !errors.As(err, &typed) || len(typed.Errors) == 0 {
		return strings.TrimPrefix(Printable(err.Error(), maxProblem), "yaml: ") + ": mind indentation, quotes and colons"
	}
	first := Printable(typed.Errors[0], maxProblem)
	if m := unknownKey.FindStringSubmatch(first); m != nil {
		return fmt.Sprintf("%s: unknown key %s: %s", m[1], quoted(m[2]), Near(m[2], keysOf(reflect.TypeOf(v), m[3])))
	}
	return foreignType.ReplaceAllString(yamlTypes.Replace(first), " as $1") + ": mind the form of this value"
}

// yamlTypes puts the YAML package's words into a reader's.
var yamlTypes = strings.NewReplacer(
	"cannot unmarshal ", "cannot take ", "!!seq", "a list", "!!map", "a mapping", "!!str", "the text", "!!int", "the number",
	"!!float", "the number", "!!bool", "the word", " into []string", " as a list of texts", " into string", " as a text",
	" into int", " as a whole number", " into bool", " as true or false", " into time.Time", " as a time",
	" into time.Duration", " as a duration such as 20s")

// foreignType is what yamlTypes leaves of a struct's type.
var foreignType = regexp.MustCompile(` into \w+\.(\w+)$`)

// keysOf lists the YAML keys of the struct type of that name within t.
func keysOf(t reflect.Type, name string) []string {
	return findKeys(t, name, make(map[reflect.Type]bool))
}

// findKeys looks into each type once: a type may contain itself.
func findKeys(t reflect.Type, name string, seen map[reflect.Type]bool) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return nil
	}
	seen[t] = true
	var keys []string
	for f := range structFields(t) {
		if !calledSo(t, name) {
			if inner := findKeys(f.Type, name, seen); inner != nil {
				return inner
			}
		} else if key, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	return slices.Clip(keys)
}

// ownDecoder is a type that decodes itself. It does so into a type plain, without methods.
var ownDecoder = reflect.TypeFor[interface {
	UnmarshalYAML(unmarshal func(any) error) error
}]()

// calledSo tells whether the YAML package calls a struct type by that name.
func calledSo(t reflect.Type, name string) bool {
	pkg, _, _ := strings.Cut(t.String(), ".")
	return t.String() == name || name == pkg+".plain" && reflect.PointerTo(t).Implements(ownDecoder)
}

func structFields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}
