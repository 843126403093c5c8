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

// decodeYAML reads exactly one document of at most max bytes into v, a pointer
// to a struct. Unknown and duplicate keys are refused.
func decodeYAML(what string, b []byte, max int, v any) error {
	if len(b) > max {
		return fmt.Errorf("%s: %d bytes, at most %d are allowed: shorten it", what, len(b), max)
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
		return fmt.Errorf("%s: something follows the first document: keep one document in the file, without '---'", what)
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

// yamlHint makes one line with a hint of the first problem that the YAML
// package reports. The known keys come from the struct's own tags.
func yamlHint(err error, v any) string {
	var typed *yaml.TypeError
	if !errors.As(err, &typed) || len(typed.Errors) == 0 {
		return strings.TrimPrefix(oneLine(err.Error()), "yaml: ") + ": mind indentation, quotes and colons"
	}
	first := oneLine(typed.Errors[0])
	if m := unknownKey.FindStringSubmatch(first); m != nil {
		return fmt.Sprintf("%s: unknown key %s: %s", m[1], quoted(m[2]), Near(m[2], keysOf(reflect.TypeOf(v), m[3])))
	}
	return yamlTypes.Replace(first) + ": mind the form of this value"
}

// yamlTypes puts the YAML package's words into a reader's.
var yamlTypes = strings.NewReplacer(
	"cannot unmarshal ", "cannot take ", "!!seq", "a list", "!!map", "a mapping", "!!str", "the text", "!!int", "the number",
	"!!float", "the number", "!!bool", "the word", " into []string", " as a list of texts", " into string", " as a text",
	" into int", " as a whole number", " into bool", " as true or false", " into time.Time", " as a time",
	" into job.", " as ")

// keysOf lists the YAML keys of the struct type of that name within t.
func keysOf(t reflect.Type, name string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	// Types of other packages have no keys here, and might contain themselves.
	if t.Kind() != reflect.Struct || t.PkgPath() != reflect.TypeFor[Roster]().PkgPath() {
		return nil
	}
	var keys []string
	for f := range structFields(t) {
		if t.String() != name {
			if inner := keysOf(f.Type, name); inner != nil {
				return inner
			}
		} else if key, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	return slices.Clip(keys)
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
