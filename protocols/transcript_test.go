package protocols

import (
	"runtime"
	"strings"
	"testing"

	"consilium/testkit"
)

// TestTranscriptBytes: with the same seeds every byte is the same, however many
// goroutines run at once.
func TestTranscriptBytes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		var all strings.Builder
		for _, a := range []ask{
			{"ward", "frequency", "", `{"columns":["sex","grade"]}`},
			{"ward", "histogram", "", `{"column":"dose","edges":[0,10,50,100]}`},
		} {
			all.WriteString("# " + a.analysis + "\n" + worldRun(t, fiveWards(t), a, nil).String())
		}
		all.WriteString("# rows\n" + worldRun(t, fiveWards(t), ask{"ward", "rowsums", "age > 30", `{"columns":["age","dose"]}`}, rowSums{}).String())
		testkit.Golden(t, "transcripts.golden", all.String())
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

// checkTranscript holds an analysis against what its frames may tell: a job sends
// the same frames, by step, way and length, over any two studies of the same
// declared size. The frames' shape is golden, and so are the steps at which
// something is opened on the way. Of so few rows a sort compares all pairs at once;
// of many it compares as many as the uniformly random order asks for that it opens
// (see rss.SortPermutation).
func checkTranscript(t *testing.T, name string, one, other *study, a ask) {
	t.Helper()
	first, second := worldRun(t, one, a, nil), worldRun(t, other, a, nil)
	if first.Shape() != second.Shape() {
		t.Errorf("%s: the transcript tells of the data:\n%s\n%s", name, first.Shape(), second.Shape())
	}
	testkit.Golden(t, name+".shape.golden", first.Shape())
	testkit.Golden(t, name+".openings.golden", strings.Join(first.Openings(), "\n")+"\n")
}

func TestTranscriptShape(t *testing.T) {
	leakFree(t)
	checkTranscript(t, "frequency", fiveWards(t), otherWards(t), ask{"ward", "frequency", "", `{"columns":["sex","grade"]}`})
	checkTranscript(t, "histogram", fiveWards(t), otherWards(t), ask{"ward", "histogram", "", `{"column":"dose","edges":[0,10,50,100]}`})
}
