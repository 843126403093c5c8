package vault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/mhe"
	"consilium/node/statedir"
	"consilium/protocols"
)

var states = []state{
	{},
	{epoch: job.Hash{1}},
	{epoch: job.Hash{1}, deposit: job.Hash{2}, under: job.Hash{3}, held: true},
	{deposit: job.Hash{2}, under: job.Hash{3}},
}

func TestStateFile(t *testing.T) {
	for _, s := range states {
		b := s.encode()
		if got, err := parseState(b); err != nil || got != s {
			t.Errorf("%q became %+v: %v", b, got, err)
		}
		for i := range b {
			for bit := range 8 {
				bad := bytes.Clone(b)
				bad[i] ^= 1 << bit
				if got, err := parseState(bad); err == nil {
					t.Errorf("%q is read as %+v", bad, got)
				}
			}
			if _, err := parseState(b[:i]); err == nil {
				t.Errorf("%q is read", b[:i])
			}
		}
	}
	for _, lines := range []string{
		"", "epoch x\n", "deposit " + job.Hash{1}.String() + "\n", "held true\n", stateWords + "held true\n",
		stateWords + "epoch " + job.Hash{1}.String() + "\nepoch " + job.Hash{1}.String() + "\n",
		stateWords + "epoch " + job.Hash{}.String() + "\n",
		stateWords + "deposit " + job.Hash{1}.String() + "\nunder " + job.Hash{}.String() + "\nheld true\n",
		stateWords + "deposit " + job.Hash{1}.String() + "\nunder " + job.Hash{1}.String() + "\nheld 1\n",
	} {
		if got, err := parseState(statedir.Checked([]byte(lines))); err == nil {
			t.Errorf("%q is read as %+v", lines, got)
		}
	}
}

// someDeposit is one without ciphertexts.
func someDeposit() *protocols.Deposit {
	d := &protocols.Deposit{Job: job.Hash{1}, Epoch: job.Hash{2}, At: []string{"hospital-1", "archive"}}
	for site := range 3 {
		m := &mhe.Manifest{Epoch: d.Epoch, Site: mpc.PartyID(site), Rows: 5, Columns: []mhe.Column{{Name: "age IS NOT NULL", Bits: 1, Hashes: make([][32]byte, 2)}}}
		d.Manifests, d.Signatures = append(d.Manifests, m.Bytes()), append(d.Signatures, make([]byte, 64))
	}
	return d
}

func TestDepositFile(t *testing.T) {
	d := someDeposit()
	b := encodeDeposit(d)
	got, manifests, err := parseDeposit(b)
	if err != nil || !reflect.DeepEqual(got, d) || len(manifests) != 3 || manifests[2].Site != 2 {
		t.Fatalf("%+v became %+v: %v", d, got, err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, _, err := parseDeposit(bad); err == nil {
			t.Errorf("byte %d is another and the deposit is read", i)
		}
		if _, _, err := parseDeposit(b[:i]); err == nil {
			t.Errorf("%d bytes are read", i)
		}
	}
	for name, spoil := range map[string]func(d *protocols.Deposit){
		"no node's name": func(d *protocols.Deposit) { d.At[0] = "x y" },
		"no keeper":      func(d *protocols.Deposit) { d.At = nil },
		"too many":       func(d *protocols.Deposit) { d.At = make([]string, job.MaxNodes+1) },
		"another epoch":  func(d *protocols.Deposit) { d.Epoch = job.Hash{9} },
		"no signature":   func(d *protocols.Deposit) { d.Signatures[1] = nil },
		"twice":          func(d *protocols.Deposit) { d.Manifests[0] = d.Manifests[1] },
	} {
		d := someDeposit()
		spoil(d)
		if _, _, err := parseDeposit(encodeDeposit(d)); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
}

// TestDepositOfSitesInAnyOrder: a study may list its sites as it likes.
func TestDepositOfSitesInAnyOrder(t *testing.T) {
	d := someDeposit()
	d.Manifests[0], d.Manifests[2] = d.Manifests[2], d.Manifests[0]
	if _, manifests, err := parseDeposit(encodeDeposit(d)); err != nil || manifests[0].Site != 2 {
		t.Errorf("%v: %v", manifests, err)
	}
}

func FuzzState(f *testing.F) {
	for _, s := range states {
		f.Add(s.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// The checksum is made to fit, so that what is behind it is reached.
		for _, b := range [][]byte{b, statedir.Checked(bytes.Clone(b))} {
			if s, err := parseState(b); err == nil && !bytes.Equal(s.encode(), b) {
				t.Errorf("%q became %q", b, s.encode())
			}
		}
	})
}

func FuzzDeposit(f *testing.F) {
	good := encodeDeposit(someDeposit())
	f.Add(good)
	f.Add(good[:bytes.LastIndex(good, []byte("sha256"))])
	f.Add([]byte(depositWords + "at x\nat x\nsite = =\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, statedir.Checked(bytes.Clone(b))} {
			d, manifests, err := parseDeposit(b)
			if err != nil {
				continue
			}
			if !bytes.Equal(encodeDeposit(d), b) || len(manifests) != len(d.Signatures) {
				t.Errorf("%q became %q", b, encodeDeposit(d))
			}
		}
	})
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.key")
	if err := MakeKey(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: %v", info.Mode(), err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := MakeKey(path); err == nil || !strings.Contains(err.Error(), "never replaced") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a key was replaced: %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, before) {
		t.Errorf("a refusal changed the key: %v", err)
	}
	k, err := LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	secret := k.identity.String()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k, "config", Config{Key: k})
	text, err := json.Marshal(Config{Key: k})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", k, k, k, k, k, k), fmt.Sprintf("%+v", Config{Key: k}), log.String(), string(text)} {
		if strings.Contains(strings.ToUpper(shown), secret[len("AGE-SECRET-KEY-1"):]) || !strings.Contains(shown, "redacted") {
			t.Errorf("a key shows as %s", shown)
		}
	}
	lines := strings.SplitAfter(string(before), "\n")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others may read: %v", err)
	}
	for name, bad := range map[string]string{
		"empty": "", "none": lines[0], "two": lines[1] + lines[1], "cut": lines[0] + lines[1][:40] + "\n",
		"public": "age1" + strings.ToLower(secret[len("AGE-SECRET-KEY-1"):]) + "\n", "PEM": "-----BEGIN PRIVATE KEY-----\n", "other": strings.ToLower(secret) + "x\n",
	} {
		other := filepath.Join(t.TempDir(), "vault.key")
		if err := os.WriteFile(other, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadKey(other)
		if err == nil {
			t.Errorf("%s: it is a key", name)
		} else if strings.Contains(err.Error(), "\n") || strings.Contains(strings.ToUpper(err.Error()), secret[20:40]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadKey(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no file is a key")
	}
}
