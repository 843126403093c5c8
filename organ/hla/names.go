package hla

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Names maps molecular names to antigens, as a public file of a registry gives
// them. The nil map knows none, and is ready for use.
type Names map[string]Antigen

// ReadNames reads a CSV file with the columns allele and antigen, such as
// A*24:02 and A24. The file is public: errors name its lines.
func ReadNames(r io.Reader) (Names, error) {
	in := csv.NewReader(r)
	header, err := in.Read()
	if err != nil || !slices.Equal(header, []string{"allele", "antigen"}) {
		return nil, errors.New("molecular names: begin with the header allele,antigen")
	}
	names := Names{}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("molecular names: %w", err)
		}
		line, _ := in.FieldPos(0)
		allele := row[0]
		if !strings.Contains(allele, "*") {
			return nil, fmt.Errorf("molecular names: line %d: %.32q is no allele: write it as A*24:02", line, allele)
		}
		antigen, err := Parse(row[1])
		if err != nil {
			return nil, fmt.Errorf("molecular names: line %d: %.32q: %w", line, row[1], err)
		}
		if _, twice := names[allele]; twice {
			return nil, fmt.Errorf("molecular names: line %d: %.32q stands twice: remove one", line, allele)
		}
		names[allele] = antigen
	}
}

// Parse reads an antigen's name or a molecular one. A longer molecular name is
// that of its longest known beginning: A*24:02:01 is A*24:02. One that ends in a
// letter (N, L, Q …) must be in the file as it stands, since such an allele is
// expressed otherwise or not at all.
func (n Names) Parse(name string) (Antigen, error) {
	if !strings.Contains(name, "*") {
		return Parse(name)
	}
	if a, ok := n[name]; ok {
		return a, nil
	}
	if last := name[len(name)-1]; last < '0' || last > '9' {
		return 0, errMolecular
	}
	for i := len(name) - 1; i > 0; i-- {
		if name[i] != ':' {
			continue
		}
		if a, ok := n[name[:i]]; ok {
			return a, nil
		}
	}
	return 0, errMolecular
}
