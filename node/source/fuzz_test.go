package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"consilium/job"
)

// FuzzCSV: a file of any bytes is read whole or refused in one line, and what is
// read is what encoding/csv reads.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"", "age,sex\n", "age,sex\n1,f\n", "age,sex\r\n,\"m\"\r\n", "\uFEFFage,sex\n1e1,\n", "age,sex\n1\n", "age,sex\n\"1", "age,sex\n1,f\"m\n",
		"age,sex\n\xff,f\n", "sex,age\nf,1e99999999\n", "age,sex,\"a\nb\"\n1,f,\n", "age;sex\n1;f\n", "age,sex\r1,f\r", "age,sex\n\x00,f\n",
	} {
		f.Add([]byte(s))
	}
	schema := schemaOf(integer("age", "0", "120"), text("sex", "f", "m"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := write(t, "h.csv", string(content))
		_, _, inferred := Infer(t.Context(), []string{path})
		s, err := Open(t.Context(), path, schema, 50)
		if err == nil {
			defer s.Close()
			err = s.Check(t.Context())
		}
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("more than one line: %q", err)
			}
			return
		}
		if inferred != nil && strings.Contains(inferred.Error(), ": row ") {
			t.Errorf("Infer cannot read it: %v", inferred)
		}
		want := readPlainly(t, content)
		got, err := s.Summaries(t.Context(), nil, []job.Summary{{Name: "n", Terms: []job.Term{{}}}})
		if err != nil {
			t.Fatal(err)
		}
		if got[0][0].Int64() != int64(len(want)) {
			t.Errorf("%d rows, want %d", got[0][0], len(want))
		}
		rows := stream(t, s, nil, "sex")
		for i, cell := range want {
			if valid := strings.TrimSpace(cell) != ""; rows.valid["sex"][i] != valid || valid && "fm"[rows.values["sex"][i]:][:1] != cell {
				t.Errorf("row %d: sex is %d %v", i+1, rows.values["sex"][i], rows.valid["sex"][i])
			}
		}
	})
}

// readPlainly returns the cells of column sex.
func readPlainly(t *testing.T, content []byte) []string {
	t.Helper()
	if !utf8.Valid(content) {
		t.Fatal("not UTF-8, and accepted")
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\uFEFF"))))
	header, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(header, "sex")
	var cells []string
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return cells
		}
		if err != nil {
			t.Fatal(err)
		}
		cells = append(cells, row[at])
	}
}
