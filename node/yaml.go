package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// maxFile caps configuration and policy files, in bytes.
const maxFile = 256 << 10

// decodeYAML reads exactly one document into v and refuses unknown keys.
func decodeYAML(b []byte, v any) error {
	if len(b) > maxFile {
		return fmt.Errorf("the file has %d bytes, more than the %d allowed", len(b), maxFile)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(v); errors.Is(err, io.EOF) {
		return errors.New("the file is empty")
	} else if err != nil {
		return oneLine(err)
	}
	var more yaml.Node
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return errors.New("the file holds more than one YAML document; keep one")
	}
	return nil
}

// oneLine folds YAML's list of problems, one a line, into a single line.
func oneLine(err error) error {
	var typed *yaml.TypeError
	if !errors.As(err, &typed) {
		return err
	}
	var joined []byte
	for i, problem := range typed.Errors {
		if i > 0 {
			joined = append(joined, "; "...)
		}
		joined = append(joined, problem...)
	}
	return errors.New(string(joined))
}

// readFile reads a whole file of at most maxFile bytes.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}
