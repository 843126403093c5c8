package job

import (
	"bytes"
	"testing"
)

func FuzzDecode(f *testing.F) {
	b, err := newStudy(f, 3).job().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"protocol":1,"study":"a","args":{"x":1e999999999}}`))
	f.Add([]byte(`{"args":{"x":[[[[]]]]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := Decode(b)
		if err != nil {
			wantError(t, err, "job")
			return
		}
		again, err := j.Encode()
		if err != nil || !bytes.Equal(b, again) {
			t.Errorf("decodes but encodes as %q, %v", again, err)
		}
	})
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte(exampleFile))
	f.Add([]byte("study: a\ndataset: b\nanalysis: c\nargs: {a: [1, x, true, 0x1, ~], b: &x {}, <<: *x}\n"))
	f.Add([]byte("? [a]\n: b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := ParseFile(b)
		if err != nil {
			wantError(t, err, "job file")
			return
		}
		if _, err := normalArgs(file.Args); err != nil {
			t.Errorf("arguments that no job can carry: %v", err)
		}
	})
}

func FuzzParseRoster(f *testing.F) {
	s := newStudy(f, 3)
	file, err := SignRoster(s.roster, s.admin)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte("admin: {name: a, key: ''}\n\n— a AAAA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRoster(b)
		if err != nil {
			wantError(t, err, "roster")
			return
		}
		if err := r.Roster.Check(); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParsePredicate(f *testing.F) {
	s := testSchema()
	for _, text := range []string{
		"age >= 50 AND sex = 'f'", `"wt loss" NOT BETWEEN -0.5 AND 1e2 OR NOT (note IS NOT NULL)`, "age IN (1,2,3", "sex = 'it''s'",
		"((((((((((((((((((((((((((((((((((((((((", "NOT NOT NOT", "''''", `""`, `"" = 1`, "age = 1e99", "É = 1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePredicate(text, &s)
		if err != nil {
			wantError(t, err, "condition")
			return
		}
		for _, name := range Columns(p) {
			if _, ok := s.Column(name); !ok {
				t.Errorf("unknown column %q", name)
			}
		}
		Eval(p, func(string) (int64, bool) { return 1, true })
		if truth, known := Eval(p, func(string) (int64, bool) { return 0, false }); truth && !known {
			t.Error("true but unknown")
		}
	})
}

func FuzzReadCard(f *testing.F) {
	s := newStudy(f, 3)
	card := Card{Kind: KindClient, Name: "ada", Organisation: "University", Certificate: s.client.Certificate, Recipient: s.recipient}
	b, err := card.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("kind: node\nname: a\ncertificate: AAAA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ReadCard(b)
		if err != nil {
			wantError(t, err, "card")
			return
		}
		if _, err := c.Encode(); err != nil {
			t.Error(err)
		}
	})
}

func FuzzCertificateKey(f *testing.F) {
	f.Add(newTestIdentity(f, "a").Certificate)
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := CertificateKey(der)
		if err != nil {
			wantError(t, err, "certificate")
			return
		}
		if len(key) != 32 {
			t.Errorf("key of %d bytes", len(key))
		}
	})
}
