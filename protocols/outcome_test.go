package protocols

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"consilium/job"
)

// strictWards is a study of seven rows, four of them women and three men, with a
// minimum count.
func strictWards(t testing.TB, minCount int) *study {
	t.Helper()
	lines := [][]string{
		{"40", "1.5", "f", "2"},
		{"41", "2", "f", "2"},
		{"61", "3", "f", "2"},
		{"70", "99", "f", "2"},
		{"50", "1.5", "m", "2"},
		{"60", "2", "m", "2"},
		{"62", "3", "m", "2"},
	}
	p := pieces{"ward", wardSchema(), []table{{wardHeader, lines[:2]}, {wardHeader, lines[2:5]}, {wardHeader, lines[5:]}}}
	return newStudy(t, func(r *job.Roster) { r.Disclosure.MinCount = minCount }, p)
}

// TestMinCount: a result that tells of fewer rows than the study's minimum is
// suppressed as a whole; a count of zero tells of nobody.
func TestMinCount(t *testing.T) {
	leakFree(t)
	for _, c := range []struct {
		minCount    int
		where, want string
	}{
		{0, "", statusOK},
		{1, "", statusOK},
		{3, "", statusOK},
		{4, "", statusSuppressed}, // three men
		{5, "", statusSuppressed},
		{4, "sex = 'f'", statusOK},
		{5, "sex = 'f'", statusSuppressed},
		{3, "age < 45", statusSuppressed},
		{2, "age < 45", statusOK},
		{2, "age > 119", statusEmpty},
		{0, "age > 119", statusEmpty},
	} {
		r := strictWards(t, c.minCount).result(ask{"ward", "frequency", c.where, `{"columns":"sex"}`})
		if r.Status != c.want {
			t.Errorf("min_count %d where %q: %q, want %q", c.minCount, c.where, r.Status, c.want)
		}
		if ok := r.Status == statusOK; ok != (r.Value != nil) || ok == (r.Reason != "") || ok != (len(r.Tables) > 0) {
			t.Errorf("min_count %d where %q: %+v", c.minCount, c.where, r)
		}
	}
}

// TestPrecedence: of several reasons the recipient learns the first.
func TestPrecedence(t *testing.T) {
	leakFree(t)
	for _, c := range []struct{ where, want string }{
		{"", statusOutside},
		{"dose < 3", statusOK},
		{"age > 60", statusSuppressed}, // and a value outside
		{"dose > 99", statusEmpty},
	} {
		r := strictWards(t, 4).result(ask{"ward", "histogram", c.where, `{"column":"dose","edges":[0,10]}`})
		if r.Status != c.want {
			t.Errorf("where %q: %q, want %q", c.where, r.Status, c.want)
		}
	}
}

// TestHiddenResultIsZero: of a result that is withheld the recipient opens the
// status and zeros, whatever it does with them.
func TestHiddenResultIsZero(t *testing.T) {
	leakFree(t)
	s := strictWards(t, 5)
	tr := s.trial(ask{"ward", "frequency", "", `{"columns":["sex","grade"]}`})
	tr.run()
	for _, err := range tr.errs {
		tr.must(err)
	}
	opened, _, err := Open(tr.signed, s.roster, tr.decisions, tr.shares, s.recipient)
	tr.must(err)
	for _, x := range opened[cellCounts] {
		if x.Sign() != 0 {
			t.Errorf("a withheld count opens as %v", x)
		}
	}
	if opened[statusOutput][0].Sign() == 0 {
		t.Error("nothing was withheld: the test compares nothing")
	}
}

// TestOutcomesLookAlike: an empty, a suppressed, a failed and a good result are the
// same to everybody but the recipient: same frames, same sealed lengths.
func TestOutcomesLookAlike(t *testing.T) {
	leakFree(t)
	look := func(where string) (string, string) {
		tr := strictWards(t, 4).trial(ask{"ward", "histogram", where, `{"column":"dose","edges":[0,10]}`})
		tr.run()
		return tr.net.Transcript().Shape(), sealedLengths(tr.shares)
	}
	frames, sealed := look("dose < 3")
	for _, where := range []string{"", "age > 60", "age > 119"} {
		if f, o := look(where); f != frames || o != sealed {
			t.Errorf("where %q the outcome shows:\n%s\n%s", where, f, frames)
		}
	}
}

// sealedLengths is what anybody sees of a result's shares.
func sealedLengths(shares []job.SealedShare) string {
	var b strings.Builder
	for _, share := range shares {
		for _, o := range share.Outputs {
			fmt.Fprintf(&b, "%s %s %d\n", share.Party, o.Name, len(o.Ciphertext))
		}
	}
	return b.String()
}

// TestEveryWordIsExplained: a recipient gets a sentence for each status.
func TestEveryWordIsExplained(t *testing.T) {
	for word, text := range explanations {
		if text == "" || strings.HasSuffix(text, ".") {
			t.Errorf("%s: %q", word, text)
		}
	}
	p := &Plan{MinCount: 1, Failures: []string{statusOutside}}
	if got := p.words(); !slices.Equal(got, []string{statusEmpty, statusSuppressed, statusOutside}) {
		t.Errorf("words %q", got)
	}
}
