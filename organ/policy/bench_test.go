package policy

import (
	"os"
	"strings"
	"testing"
)

func BenchmarkReadCandidates(b *testing.B) {
	p := shipped(b, "etkas")
	text, err := os.ReadFile(organ + "/examples/candidates.csv")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.ReadCandidates(strings.NewReader(string(text)), today); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	p := shipped(b, "etkas")
	candidates := readRows(b, "candidates.csv", func(f *os.File) (*Rows, error) { return p.ReadCandidates(f, today) })
	donors := readRows(b, "donors.csv", func(f *os.File) (*Rows, error) { return p.ReadDonors(f, today) })
	for b.Loop() {
		if _, err := p.Program.Evaluate(candidates, donors.Row(0)); err != nil {
			b.Fatal(err)
		}
	}
}
