package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consilium/job"
	"consilium/protocols"
)

func TestLoad(t *testing.T) {
	s := newStudy(t)
	c := s.load(t)
	if c.Name() != "lee" || c.Roster().Hash != s.file.Hash || c.Dir() != s.dir {
		t.Errorf("loaded %s, %v, %s", c.Name(), c.Roster().Hash, c.Dir())
	}
	if text := fmt.Sprintf("%v %+v %#v", c.recipient, c.recipient, c.recipient); text != "redacted redacted redacted" {
		t.Errorf("the recipient key prints as %q", text)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, s *study)
		words []string
	}{
		{"no configuration", func(t *testing.T, s *study) {
			if err := os.Remove(filepath.Join(s.dir, ConfigFile)); err != nil {
				t.Fatal(err)
			}
		}, []string{"client.yaml does not exist", "--client", "consilium init"}},
		{"an unknown key", edit("name: lee", "name: lee\nrooster: x"), []string{"client.yaml", "rooster"}},
		{"a second document", func(t *testing.T, s *study) {
			write(t, filepath.Join(s.dir, ConfigFile), s.config()+"---\n"+s.config())
		}, []string{"more than one YAML document"}},
		{"not YAML", edit("name: lee", "\tname"), []string{"client.yaml"}},
		{"a missing key", edit("identity: .", ""), []string{"identity is missing"}},
		{"no pin", edit("roster_hash: ", "roster_hash: \"\" #"), []string{"no roster is pinned", "consilium study approve"}},
		{"a zero pin", edit("roster_hash: ", "roster_hash: "+strings.Repeat("0", 64)+" #"), []string{"roster_hash: zero"}},
		{"half a pin", edit("roster_hash: ", "roster_hash: ab #"), []string{"roster_hash", "64"}},
		{"another pin", func(t *testing.T, s *study) {
			s.file.Hash[0] ^= 1
			write(t, filepath.Join(s.dir, ConfigFile), s.config())
		}, []string{"study.roster", "is pinned"}},
		{"another name for the recipient key", edit("recipient_key: recipient.key", "recipient_key: other.key"), []string{"recipient.key"}},
		{"a name that the roster does not have", edit("name: lee", "name: kim"), []string{`no client "kim"`, "card"}},
		{"another identity", func(t *testing.T, s *study) { replaceIdentity(t, s, "lee") }, []string{"another certificate", "card"}},
		{"somebody else's identity", func(t *testing.T, s *study) { replaceIdentity(t, s, "kim") }, []string{`identity is that of "kim"`}},
		{"another recipient key", func(t *testing.T, s *study) {
			if err := os.Remove(filepath.Join(s.dir, "recipient.key")); err != nil {
				t.Fatal(err)
			}
			private, _, err := job.NewRecipientKey()
			if err != nil {
				t.Fatal(err)
			}
			if err := job.SaveRecipientKey(s.dir, private); err != nil {
				t.Fatal(err)
			}
		}, []string{"another recipient key", "card"}},
		{"a key that others can read", func(t *testing.T, s *study) {
			if err := os.Chmod(filepath.Join(s.dir, "recipient.key"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"recipient.key", "chmod 600"}},
		{"an altered roster", func(t *testing.T, s *study) {
			write(t, filepath.Join(s.dir, "study.roster"), strings.Replace(string(s.file.Bytes), "rows: 100", "rows: 101", 1))
		}, []string{"study.roster", "pinned"}},
		{"a configuration without end", func(t *testing.T, s *study) {
			write(t, filepath.Join(s.dir, ConfigFile), s.config()+strings.Repeat("#", maxConfig))
		}, []string{"more than"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStudy(t)
			c.spoil(t, s)
			_, err := Load(s.dir)
			wantError(t, err, c.words...)
		})
	}
}

// edit replaces a text in client.yaml.
func edit(old, new string) func(*testing.T, *study) {
	return func(t *testing.T, s *study) {
		t.Helper()
		if !strings.Contains(s.config(), old) {
			t.Fatalf("nothing to replace: %q", old)
		}
		write(t, filepath.Join(s.dir, ConfigFile), strings.Replace(s.config(), old, new, 1))
	}
}

func replaceIdentity(t *testing.T, s *study, name string) {
	t.Helper()
	for _, f := range []string{"identity.key", "identity.crt"} {
		if err := os.Remove(filepath.Join(s.dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	if err := identity(t, name).Save(s.dir); err != nil {
		t.Fatal(err)
	}
}

func TestPrepare(t *testing.T) {
	s := newStudy(t)
	c := s.load(t)
	file := &job.File{Study: "hearts", Dataset: "patients", Analysis: "frequency", Where: "age >= 50", Args: map[string]any{"columns": "sex"}}
	p, err := c.Prepare(file)
	if err != nil {
		t.Fatal(err)
	}
	statement := strings.Join(p.Statement(), "\n")
	for _, words := range []string{"lee (Institute)", "age >= 50", "aare (100 rows)", "birs (Hospital birs)", "levels of sex"} {
		if !strings.Contains(statement, words) {
			t.Errorf("the statement does not say %q:\n%s", words, statement)
		}
	}
	first, err := p.Sign()
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.Sign()
	if err != nil {
		t.Fatal(err)
	}
	if first.ID() == second.ID() {
		t.Error("two signatures made the same job; a failed one could not be repeated")
	}
	j, err := first.Verify()
	if err != nil {
		t.Fatal(err)
	}
	if j.Roster != s.file.Hash || string(j.Recipient) != string(s.file.Roster.Clients[0].Recipient) || !first.Signer.Equal(s.researcher.Key.Public()) {
		t.Errorf("signed %+v by %x", j, first.Signer)
	}
	lacking := *file
	lacking.Engine, lacking.Analysis = job.EngineMHE, "pca"
	var unsupported *protocols.Unsupported
	if _, err := c.Prepare(&lacking); !errors.As(err, &unsupported) {
		t.Errorf("an analysis that the engine lacks: %v", err)
	}
	for _, wrong := range []struct {
		change func(f *job.File)
		words  []string
	}{
		{func(f *job.File) { f.Study = "harts" }, []string{"harts", "hearts"}},
		{func(f *job.File) { f.Dataset = "patient" }, []string{`"patient"`, "patients"}},
		{func(f *job.File) { f.Analysis = "freq" }, []string{`"freq"`, "frequency"}},
		{func(f *job.File) { f.Engine = "magic" }, []string{`"magic"`, "auto, shares, mhe"}},
		{func(f *job.File) { f.Where = "agee > 3" }, []string{"where", "age"}},
		{func(f *job.File) { f.Where = "age > " }, []string{"where"}},
		{func(f *job.File) { f.Args = map[string]any{"columns": "sex", "colour": "red"} }, []string{"colour"}},
		{func(f *job.File) { f.Args = map[string]any{"columns": "race"} }, []string{"race", "sex"}},
	} {
		bad := *file
		wrong.change(&bad)
		_, err := c.Prepare(&bad)
		wantError(t, err, wrong.words...)
	}
}
