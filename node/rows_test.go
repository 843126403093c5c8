package node

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"consilium/job"
	"consilium/node/vault"
	"consilium/protocols"
)

func someKept(first byte) *protocols.KeptRun {
	return &protocols.KeptRun{
		KeptFacts: protocols.KeptFacts{
			Job: job.Hash{first, 1}, Roster: job.Hash{2}, Signer: job.Base64{3}, Recipient: job.Base64{4}, Dataset: "kidney", Policy: "etkas",
			Day: "2025-01-02", Top: 2, Columns: []string{"ranked", "candidate"},
			Commitments: []protocols.Commitment{{Site: "hospital-1", List: "kidney", Side: job.Candidates, Hash: job.Hash{7}}},
		},
		Rows: bytes.Repeat([]byte{0xab}, 64), Rank: 1, Shown: time.Date(2025, 1, 2, 3, 4, 5, 6, time.UTC),
		Answers: []protocols.Answered{{Kind: 2, Hospital: 1, Code: 812, Signature: bytes.Repeat([]byte{9}, 64)}},
	}
}

func vaultKey(t *testing.T) *vault.Key {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.key")
	if err := vault.MakeKey(path); err != nil {
		t.Fatal(err)
	}
	key, err := vault.LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rowsIn opens the rows of a state directory, and returns what its log says.
func rowsIn(t *testing.T, state string, key *vault.Key) (*rowStore, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	s, err := openRows(state, key, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

func keep(t *testing.T, s *rowStore, run *protocols.KeptRun) {
	t.Helper()
	change, err := s.Keep(run)
	if err != nil {
		t.Fatal(err)
	}
	if err := change.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestRowsAreKept(t *testing.T) {
	for name, key := range map[string]*vault.Key{"in the clear": nil, "encrypted": vaultKey(t)} {
		state := t.TempDir()
		s, _ := rowsIn(t, state, key)
		if _, err := s.Open(someKept(1).Job); !errors.Is(err, protocols.ErrNoRows) {
			t.Errorf("%s: %v", name, err)
		}
		change, err := s.Keep(someKept(5))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(someKept(5).Job); !errors.Is(err, protocols.ErrNoRows) {
			t.Errorf("%s: a run is there before its commit: %v", name, err)
		}
		change.Discard()
		keep(t, s, someKept(1))
		o, err := s.Open(someKept(1).Job)
		if err != nil || !reflect.DeepEqual(o.Run(), someKept(1)) {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := s.Open(someKept(1).Job); err == nil || !strings.Contains(err.Error(), "is being revealed already") {
			t.Errorf("%s: two uses at once: %v", name, err)
		}
		next := someKept(1)
		next.Rank = 2
		if err := o.Write(next); err != nil {
			t.Fatal(err)
		}
		o.Close()
		again, _ := rowsIn(t, state, key)
		if o, err = again.Open(next.Job); err != nil || !reflect.DeepEqual(o.Run(), next) {
			t.Errorf("%s: %v", name, err)
		}
		path := s.path(next.Job)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: others may read the rows: %v, %v", name, info, err)
		}
		content, err := os.ReadFile(path)
		if err != nil || bytes.Contains(content, []byte("kidney")) != (key == nil) {
			t.Errorf("%s: the file holds %.60q: %v", name, content, err)
		}
		if text := fmt.Sprintf("%v %+v %#v", next, next, next); strings.Contains(text, "171") || !strings.Contains(text, "redacted") {
			t.Errorf("a run prints as %s", text)
		}
	}
}

// TestRowsThatCannotBeUsed: others hear one line without a path, the log why.
func TestRowsThatCannotBeUsed(t *testing.T) {
	key := vaultKey(t)
	id := someKept(1).Job
	alter := func(change func(b []byte) []byte) func(path string) error {
		return func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, change(b), 0o600)
		}
	}
	for name, c := range map[string]struct {
		then, now *vault.Key
		spoil     func(path string) error
		log       string
	}{
		"no key any more":     {key, nil, nil, "names no vault_key"},
		"another key":         {key, vaultKey(t), nil, "another vault_key"},
		"a bit of ciphertext": {key, key, alter(func(b []byte) []byte { b[len(b)-9] ^= 1; return b }), "the file is damaged"},
		"a bit":               {nil, nil, alter(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }), "the file is damaged"},
		"the end":             {nil, nil, alter(func(b []byte) []byte { return b[:len(b)-1] }), "the file is damaged"},
		"empty":               {nil, nil, alter(func([]byte) []byte { return nil }), "the file is damaged"},
		"renamed": {nil, nil, func(path string) error {
			return os.Rename(path, filepath.Join(filepath.Dir(path), job.Hash{8}.String()))
		}, "the file was renamed"},
	} {
		state := t.TempDir()
		s, _ := rowsIn(t, state, c.then)
		keep(t, s, someKept(1))
		if c.spoil != nil {
			if err := c.spoil(s.path(id)); err != nil {
				t.Fatal(err)
			}
		}
		s, log := rowsIn(t, state, c.now)
		look := id
		if name == "renamed" {
			look = job.Hash{8}
		}
		_, err := s.Open(look)
		if err == nil || strings.Contains(err.Error(), state) || !strings.Contains(err.Error(), "cannot be read; its operator's log says why") || !strings.Contains(log.String(), c.log) {
			t.Errorf("%s: %v, and the log says %s", name, err, log)
		}
	}
	// A node that gets a key later goes on with what it keeps, and encrypts it.
	state := t.TempDir()
	s, _ := rowsIn(t, state, nil)
	keep(t, s, someKept(1))
	s, _ = rowsIn(t, state, key)
	o, err := s.Open(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Write(o.Run()); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(s.path(id)); err != nil || !vault.IsSealed(b) {
		t.Errorf("the file is not encrypted: %v", err)
	}
}

// Of a process that does nothing but turn to the next rank.
const rowsChild = "CONSILIUM_ROWS_TEST"

// turnOn turns a run to rank after rank, and tells of each that is on disk.
func turnOn(state string) error {
	s, err := openRows(state, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	for {
		o, err := s.Open(someKept(1).Job)
		if err != nil {
			return err
		}
		run := *o.Run()
		run.Rank, run.Answers = run.Rank+1, append(slices.Clone(run.Answers), run.Answers[0])
		if err := o.Write(&run); err != nil {
			return err
		}
		o.Close()
		fmt.Println(run.Rank)
	}
}

// TestRowsSurviveAKill: a process that turns to rank after rank is killed, again and
// again: the rank that it had said to be written is there, or the one after it.
func TestRowsSurviveAKill(t *testing.T) {
	if state := os.Getenv(rowsChild); state != "" {
		t.Fatal(turnOn(state))
	}
	state, told := t.TempDir(), 1
	s, _ := rowsIn(t, state, nil)
	keep(t, s, someKept(1))
	for range 8 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRowsSurviveAKill$")
		cmd.Env = append(os.Environ(), rowsChild+"="+state)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ { // to the end of what it said
			if told, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatalf("it says %q", lines.Text())
			}
			if n == 20 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		s, _ := rowsIn(t, state, nil)
		o, err := s.Open(someKept(1).Job)
		if err != nil {
			t.Fatal(err)
		}
		if run := o.Run(); run.Rank != told && run.Rank != told+1 || len(run.Answers) != run.Rank {
			t.Fatalf("rank %d with %d answers is on disk, and %d was said to be", run.Rank, len(run.Answers), told)
		}
		entries, err := os.ReadDir(filepath.Join(state, rowsDir))
		if err != nil || len(entries) != 1 {
			t.Fatalf("%d files are left: %v", len(entries), err)
		}
	}
}
