package protocols

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"consilium/mpc/memnet"
)

var update = flag.Bool("update", false, "write golden files")

// golden compares text with a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s has changed; if that is meant, run go test with -update and look at the difference:\n%s", name, text)
	}
}

// transcriptCases are one job of each kind.
func transcriptCases() map[string]ask {
	return map[string]ask{
		"describe":  {"ward", "describe", "age > 30", `{"columns":["age","dose"]}`},
		"frequency": {"ward", "frequency", "", `{"columns":["sex","grade"]}`},
		"histogram": {"ward", "histogram", "", `{"column":"dose","edges":[0,10,50,100]}`},
	}
}

// TestTranscriptBytes: with the same seeds every byte is the same, however many
// goroutines run at once.
func TestTranscriptBytes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		var all strings.Builder
		for _, name := range []string{"describe", "frequency", "histogram"} {
			all.WriteString("# " + name + "\n" + worldRun(t, fiveWards(t), transcriptCases()[name], nil).String())
		}
		all.WriteString("# rows\n" + worldRun(t, fiveWards(t), ask{"ward", "rowsums", "age > 30", `{"columns":["age","dose"]}`}, rowSums{}).String())
		golden(t, "transcripts.golden", all.String())
	}
}

// otherWards has the same sizes as fiveWards and other values everywhere.
func otherWards(t *testing.T) *study {
	return ward(t,
		[][]string{{"1", "", "m", "10"}, {"", "", "m", "10"}, {"", "", "", ""}},
		[][]string{{"120", "100", "f", "0.5"}, {"120", "100", "f", "0.5"}},
		[][]string{{"-5", "0", "f", "10"}, {"0", "0", "f", "10"}},
		[][]string{},
		[][]string{{"99", "50", "f", "2"}})
}

// TestTranscriptShape: a whole job sends the same frames for any data of the
// same declared size, and no secret is opened on the way: what leaves the
// session are the parties' sealed shares alone.
func TestTranscriptShape(t *testing.T) {
	leakFree(t)
	for name, a := range transcriptCases() {
		shape := func(s *study) memnet.Transcript {
			tr := s.trial(a)
			tr.run()
			for _, err := range tr.errs {
				tr.must(err)
			}
			return tr.net.Transcript()
		}
		one, other := shape(fiveWards(t)), shape(otherWards(t))
		if one.Shape() != other.Shape() {
			t.Errorf("%s: the transcript tells of the data:\n%s\n%s", name, one.Shape(), other.Shape())
		}
		if opened := one.Openings(); len(opened) != 0 {
			t.Errorf("%s opens %v", name, opened)
		}
		golden(t, name+".shape.golden", one.Shape())
	}
}
