package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"consilium/client"
	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/setup"
	"consilium/job"
	"consilium/node"
	"consilium/protocols"
)

// childVariable makes this test binary behave as the program itself, so that
// the daemons that the tests start are the code under test.
const childVariable = "CONSILIUM_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		main()
		os.Exit(0)
	}
	if err := os.Setenv(childVariable, "1"); err != nil { // for the daemons and programs that tests start
		panic(err)
	}
	testscript.Main(m, map[string]func(){"consilium": main})
}

// world is a running local study with a client at hand.
type world struct {
	t       *testing.T
	layout  *localnet.Layout
	network *localnet.Network
	client  *client.Client
	conn    *client.Conn
	tap     *wiretap
}

// testSchema is the dataset of the worlds: two numbers and a category.
var testSchema = job.Schema{Columns: []job.Column{
	{Name: "age", Type: job.Integer, Min: "0", Max: "99999999"},
	{Name: "bili", Type: job.Decimal, Step: "0.001", Min: "0", Max: "99999999"},
	{Name: "sex", Type: job.Text, Categories: []string{"f", "m"}},
}}

const testHeader = "patient,age,bili,sex\n"

// limits of a test world: long enough for a busy machine, short enough to wait for.
const (
	testTimeout  = 6 * time.Second
	testDeadline = 30 * time.Second
)

// newWorld starts a study of five nodes whose k-th hospital holds files[k-1]
// (none where the text is empty), each process behind the wiretap.
func newWorld(t *testing.T, files ...string) *world {
	t.Helper()
	return newVaultWorld(t, job.Vault{}, files...)
}

// newVaultWorld is newWorld with a vault of that kind.
func newVaultWorld(t *testing.T, vault job.Vault, files ...string) *world {
	t.Helper()
	dir := t.TempDir()
	dataset := job.Dataset{Name: "visits", Schema: testSchema, Vault: vault}
	at := make(map[string]string)
	for i, text := range files {
		if text == "" {
			continue
		}
		name := localnet.NodeName(i + 1)
		at[name] = filepath.Join(dir, name+".csv")
		write(t, at[name], testHeader+text)
		dataset.Sites = append(dataset.Sites, job.Site{Node: name, Rows: strings.Count(text, "\n")})
	}
	return startWorld(t, dir, []job.Dataset{dataset}, map[string]map[string]string{"visits": at})
}

// startWorld starts a study with those datasets, whose files are there.
func startWorld(t *testing.T, dir string, datasets []job.Dataset, files map[string]map[string]string, policies ...string) *world {
	t.Helper()
	w := &world{t: t, tap: newWiretap(t)}
	w.start(dir, localnet.Spec{Nodes: 5, Files: files, Timeout: testTimeout, Deadline: testDeadline, Proxy: w.tap.front}, datasets, policies...)
	return w
}

// start starts a study with those datasets in a folder, and a client.
func (w *world) start(dir string, spec localnet.Spec, datasets []job.Dataset, policies ...string) {
	t := w.t
	t.Helper()
	spec.Study = &setup.StudyFile{
		Study: "test", Parties: []string{"hospital-1", "hospital-2", "hospital-3"},
		Policies: policies, Datasets: datasets,
	}
	must(t, spec.Study.Bundle(dir))
	var err error
	w.layout, err = localnet.Create(filepath.Join(dir, "study"), spec)
	must(t, err)
	exe, err := os.Executable()
	must(t, err)
	w.network, err = localnet.Start(t.Context(), exe, w.layout)
	must(t, err)
	t.Cleanup(w.stop)
	w.client, err = client.Load(w.layout.ClientDir())
	must(t, err)
	w.conn, err = w.client.Dial(t.Context())
	must(t, err)
	t.Cleanup(func() { w.conn.Close() })
}

// stop ends the daemons; tests that killed or froze some do not mind their exit codes.
func (w *world) stop() {
	if err := w.network.Stop(); err != nil {
		w.t.Log("stop:", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// sign prepares and signs a job on the world's dataset.
func (w *world) sign(analysis string, args map[string]any, where string) *job.Signed {
	w.t.Helper()
	return w.signFile(&job.File{Analysis: analysis, Args: args, Where: where})
}

// signFile is sign for a job file, whose study and dataset it fills in.
func (w *world) signFile(f *job.File) *job.Signed {
	w.t.Helper()
	f.Study, f.Dataset = "test", "visits"
	p, err := w.client.Prepare(f)
	must(w.t, err)
	signed, err := p.Sign()
	must(w.t, err)
	return signed
}

// run takes a signed job to its end.
func (w *world) run(signed *job.Signed) (*protocols.Result, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*testDeadline)
	defer cancel()
	id, _, err := w.conn.Submit(ctx, signed)
	if err != nil {
		return nil, err
	}
	if err := w.conn.Watch(ctx, id, func(client.Event) {}); err != nil {
		return nil, err
	}
	return w.conn.Result(ctx, signed)
}

// describeAge is the job that every world can answer.
func (w *world) describeAge() *job.Signed {
	return w.sign("describe", map[string]any{"columns": []any{"age"}}, "")
}

// wantSum runs describeAge and compares the sum of ages.
func (w *world) wantSum(sum float64) {
	w.t.Helper()
	w.wantSumOf(w.describeAge(), sum)
}

// wantSumOf runs a job such as describeAge and compares the sum of ages.
func (w *world) wantSumOf(signed *job.Signed, sum float64) {
	w.t.Helper()
	r, err := w.run(signed)
	must(w.t, err)
	age := r.Value.(map[string]any)["age"].(map[string]any)
	if age["sum"] != sum {
		w.t.Fatalf("sum of ages is %v, want %v", age["sum"], sum)
	}
}

// wantFailure checks that a job ended badly in one line that names what it should.
func (w *world) wantFailure(err error, state client.State, words ...string) {
	w.t.Helper()
	var ended *client.EndedError
	if !errors.As(err, &ended) {
		w.t.Fatalf("the job ended with %v, want it %s", err, state)
	}
	if ended.State != state {
		w.t.Errorf("the job is %s (%v), want %s", ended.State, err, state)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			w.t.Errorf("the message %q does not name %q", err, word)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		w.t.Errorf("the message has several lines: %q", err)
	}
}

const (
	fileA = "1,40,1.5,f\n2,50,0.25,m\n"
	fileB = "3,60,,f\n4,,3,f\n"
	fileC = "5,70,4.125,m\n"
)

// sumABC is the sum of ages over fileA, fileB and fileC.
const sumABC = 40 + 50 + 60 + 70

func TestNodeDownThenUp(t *testing.T) {
	w := newWorld(t, fileA, fileB, "", fileC, "")
	w.wantSum(sumABC)
	must(t, setup.SetDecideTimeout(w.layout.Central.Dir, 3*time.Second))
	must(t, w.network.Signal("coordinator", syscall.SIGKILL))
	must(t, w.network.Signal("hospital-4", syscall.SIGKILL))
	must(t, w.network.Run("coordinator"))
	must(t, w.network.Ready(t.Context(), "coordinator"))
	_, err := w.run(w.describeAge())
	w.wantFailure(err, client.Failed, "hospital-4")
	must(t, w.network.Run("hospital-4"))
	must(t, w.network.Ready(t.Context()))
	w.wantSum(sumABC)
}

func TestNodeDiesInMidJob(t *testing.T) { diesInMidJob(t, (*world).describeAge) }

// diesInMidJob kills a node in mid job: the job ends by its name, and the next one
// works once it is back. Ask signs such a job as describeAge.
func diesInMidJob(t *testing.T, ask func(*world) *job.Signed) {
	w := newWorld(t, fileA, fileB, "", fileC, "")
	w.wantSumOf(ask(w), sumABC)
	w.tap.hold("hospital-4") // the others' links to it stand still: the job starts and waits
	running := make(chan struct{})
	failed := make(chan error, 1)
	id, _, err := w.conn.Submit(t.Context(), ask(w))
	must(t, err)
	go func() {
		told := false
		failed <- w.conn.Watch(t.Context(), id, func(e client.Event) {
			if e.State == client.Running && !told {
				told = true
				close(running)
			}
		})
	}()
	select {
	case <-running:
	case err := <-failed:
		t.Fatalf("the job ended before it ran: %v", err)
	}
	must(t, w.network.Signal("hospital-4", syscall.SIGKILL))
	w.tap.release("hospital-4")
	w.wantFailure(<-failed, client.Failed, "hospital-4")
	must(t, w.network.Run("hospital-4"))
	must(t, w.network.Ready(t.Context()))
	w.wantSumOf(ask(w), sumABC)
}

func TestFrozenNodeEndsTheJobInTime(t *testing.T) { freezesInMidJob(t, (*world).describeAge) }

// freezesInMidJob has a node's links stand still: the job ends by its deadline and by
// the node's name. Ask signs such a job as describeAge.
func freezesInMidJob(t *testing.T, ask func(*world) *job.Signed) {
	w := newWorld(t, fileA, fileB, "", fileC, "")
	w.tap.hold("hospital-2")
	begin := time.Now()
	_, err := w.run(ask(w))
	w.wantFailure(err, client.Failed, "hospital-2")
	if took := time.Since(begin); took > testDeadline+testTimeout {
		t.Errorf("the job took %v to fail, its deadline is %v", took, testDeadline)
	}
	w.tap.release("hospital-2")
	must(t, w.network.Ready(t.Context()))
	w.wantSumOf(ask(w), sumABC)
}

func TestCoordinatorKilledLosesNoJob(t *testing.T) {
	w := newWorld(t, fileA, fileB, "", fileC, "")
	var signed []*job.Signed
	for range 6 {
		s := w.describeAge()
		_, _, err := w.conn.Submit(t.Context(), s)
		must(t, err)
		signed = append(signed, s)
	}
	for range 3 {
		must(t, w.network.Signal("coordinator", syscall.SIGKILL))
		must(t, w.network.Run("coordinator"))
		time.Sleep(150 * time.Millisecond) // let it get somewhere before the next kill
	}
	for _, s := range signed {
		ctx, cancel := context.WithTimeout(t.Context(), 2*testDeadline)
		must(t, w.conn.Watch(ctx, s.ID(), func(client.Event) {}))
		r, err := w.conn.Result(ctx, s)
		cancel()
		must(t, err)
		if sum := r.Value.(map[string]any)["age"].(map[string]any)["sum"]; sum != float64(sumABC) {
			t.Errorf("sum of ages is %v, want %v", sum, sumABC)
		}
	}
	for _, s := range signed {
		if _, known, err := w.conn.Submit(t.Context(), s); err != nil || !known {
			t.Errorf("submitting a finished job again: known %v, error %v", known, err)
		}
	}
	for _, n := range w.layout.Nodes {
		records, err := node.ReadRecords(t.Context(), filepath.Join(n.Dir, "state"))
		must(t, err)
		sessions := make(map[string]bool)
		for _, r := range records {
			if r.State != node.Done {
				t.Errorf("%s: job %v is %s: %s", n.Name, r.Job.Short(), r.State, r.Error)
			}
			sessions[string(r.Session)] = true
		}
		if len(records) != len(signed) || len(sessions) != len(signed) {
			t.Errorf("%s recorded %d jobs in %d sessions, want %d in as many", n.Name, len(records), len(sessions), len(signed))
		}
	}
}

// TestCanaries plants unusual values in one hospital's file and looks for them
// in everything that leaves it: all traffic, all logs, all files of the others.
func TestCanaries(t *testing.T) {
	const canaryAge, canaryBili = 48613597, 73519.931
	row := fmt.Sprintf("8675309,%d,%v,f\n", canaryAge, canaryBili)
	w := newWorld(t, fileA, fileB, "", fileC, row+row)
	for _, s := range []*job.Signed{
		w.describeAge(),
		w.sign("describe", map[string]any{"columns": []any{"age", "bili"}}, "sex = 'f'"),
		w.sign("frequency", map[string]any{"columns": []any{"sex"}}, ""),
		w.sign("histogram", map[string]any{"column": "age", "edges": []any{0, 100, 99999999}}, "bili > 1"),
		w.signMHE("describe", map[string]any{"columns": []any{"age", "bili"}}, "sex = 'f'"),
		w.signMHE("frequency", map[string]any{"columns": []any{"sex"}}, ""),
	} {
		_, err := w.run(s)
		must(t, err)
	}
	// A file that does not fit the schema must not be quoted either.
	write(t, filepath.Join(filepath.Dir(w.layout.Dir), "hospital-5.csv"), testHeader+row+"8675309,48613597x,73519.931,zz\n")
	_, err := w.run(w.describeAge())
	w.wantFailure(err, client.Failed, "hospital-5")

	needles := map[string][]byte{}
	for _, n := range []int64{canaryAge, 2 * canaryAge, canaryAge * canaryAge, 2 * canaryAge * canaryAge, 73519931, 2 * 73519931} {
		needles[fmt.Sprint("decimal ", n)] = fmt.Append(nil, n)
		needles[fmt.Sprint("little endian ", n)] = binary.LittleEndian.AppendUint64(nil, uint64(n))
		needles[fmt.Sprint("big endian ", n)] = binary.BigEndian.AppendUint64(nil, uint64(n))
	}
	needles["patient"] = []byte("8675309")
	needles["decimal bili"] = []byte("73519.931")
	lookFor := func(where string, haystack []byte) {
		for name, n := range needles {
			if bytes.Contains(haystack, n) {
				t.Errorf("%s holds a canary: %s", where, name)
			}
		}
	}
	capture := w.tap.capture()
	if len(capture) < 10_000 {
		t.Fatalf("the wiretap saw only %d bytes", len(capture))
	}
	lookFor("the traffic", capture)
	must(t, w.network.Stop())
	files := 0
	must(t, filepath.WalkDir(w.layout.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, w.layout.ClientDir()+"/") {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		lookFor(path, b)
		return err
	}))
	if files < 30 {
		t.Fatalf("looked into only %d files of coordinator and nodes", files)
	}
}
