package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"consilium/benchmarks/measure"
	"consilium/job"
	"consilium/mpc"
	"consilium/node/peer"
	"consilium/node/sharestore"
	"consilium/node/vault"
	"consilium/protocols"
)

// consigned is what the nodes of a deposit are told: the three parties, and a fourth, the
// site, whose rows they are.
type consigned struct {
	Dir       string // scratch: every node keeps its shares in a folder of it
	Client    []byte // certificate
	ClientKey []byte // seed
	Recipient []byte // public key
}

// depositResult is one line of output for a deposit. Its fields are those of the command's
// documentation.
type depositResult struct {
	Op      string    `json:"op"`
	N       size      `json:"n"`
	Seconds float64   `json:"seconds"`
	MBs     float64   `json:"mb_s"`
	MB      []float64 `json:"mb"`
	CPU     []float64 `json:"cpu"`
	DiskMB  []float64 `json:"disk_mb"`
	PeakMB  []float64 `json:"peak_mb"`
}

// measureDeposit measures one deposit as shares, from a site's stream of rows to shares on
// the disks of three parties.
func measureDeposit(ctx context.Context, b *bench, n size) (any, error) {
	n.cols = max(n.cols, 1)
	dir, err := os.MkdirTemp("", "consilium-deposit-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	client, err := job.NewIdentity("researcher", nil)
	if err != nil {
		return nil, err
	}
	_, public, err := job.NewRecipientKey()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(b.progress, "deposit=%v …", n)
	ctx, cancel := context.WithTimeoutCause(ctx, b.limit, fmt.Errorf("not done within %v", b.limit))
	defer cancel()
	o := order{Op: "deposit", Rows: n.rows, Cols: n.cols, Consigned: &consigned{dir, client.Certificate, client.Key.Seed(), public}}
	ms, err := together(ctx, slices.Repeat([]place{here}, parties+1), b.run, o)
	if err != nil {
		fmt.Fprintln(b.progress, " failed")
		return nil, fmt.Errorf("deposit=%v: %w", n, err)
	}
	res := &depositResult{Op: "deposit", N: n}
	var total uint64
	for _, m := range ms {
		res.Seconds = max(res.Seconds, measure.Round(m.Seconds[0]))
		res.MB, res.PeakMB = append(res.MB, measure.Round(m.Sent/1e6)), append(res.PeakMB, measure.Round(float64(m.Peak)/1e6))
		res.CPU, res.DiskMB = append(res.CPU, measure.Round(m.Kept.CPU)), append(res.DiskMB, measure.Round(float64(m.Kept.Disk)/1e6))
		total += m.Kept.Sum
	}
	if want := drawnSum(n.rows); total != want {
		return nil, fmt.Errorf("deposit=%v: the stored shares of the first column add up to %d, its numbers to %d", n, total, want)
	}
	res.MBs = measure.Round(8 * float64(n.rows) * float64(n.cols) / 1e6 / res.Seconds)
	fmt.Fprintf(b.progress, " %.4g s, %.4g MB/s\n", res.Seconds, res.MBs)
	return res, nil
}

// kept is what a node reports of a deposit.
type kept struct {
	CPU  float64
	Disk int64  // bytes
	Sum  uint64 // of this party's first component of the first column
}

// consign is one node's part: that of its daemon in the run of a job.
func (o *order) consign(ctx context.Context, ready func(address string) error) (*measured, error) {
	n, err := o.network(ctx, ready)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	start := mpc.SessionID(o.Session)
	if err := n.Admit(start); err != nil {
		return nil, err
	}
	defer n.Release(start)
	s, err := o.session(ctx, n)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	store, err := o.openStore()
	if err != nil {
		return nil, err
	}
	defer store.Close()
	task, err := o.depositTask(s, n)
	if err != nil {
		return nil, err
	}
	data := store.Dataset(depositSet)
	task.Shares = data
	if o.Self == parties {
		task.Data = newDealtRows(o.Rows, o.Cols)
	}
	measure.ResetPeak()
	meet(s.Step("start"), 0)
	m := &measured{Kept: &kept{}}
	began, used := time.Now(), measure.CPUSeconds()
	if err := runTask(ctx, task, n); err != nil {
		return nil, err
	}
	m.Seconds, m.Kept.CPU = []float64{time.Since(began).Seconds()}, measure.CPUSeconds()-used
	if m.Peak, err = measure.Peak(); err != nil {
		return nil, err
	}
	for p := range o.Names {
		m.Sent += float64(n.Stats(mpc.PartyID(p)).BytesSent)
	}
	if o.Self < parties {
		if m.Kept.Sum, err = storedSum(data, o.Self); err != nil {
			return nil, err
		}
	}
	if m.Kept.Disk, err = bytesIn(o.storeDir()); err != nil {
		return nil, err
	}
	barrier(s.Step("end"), 0)
	return m, s.Err()
}

const depositSet = "rows"

func (o *order) storeDir() string { return filepath.Join(o.Consigned.Dir, o.Names[o.Self], "shares") }

func (o *order) openStore() (*sharestore.Store, error) {
	dir := filepath.Dir(o.storeDir())
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "vault.key")
	if err := vault.MakeKey(file); err != nil {
		return nil, err
	}
	key, err := vault.LoadKey(file)
	if err != nil {
		return nil, err
	}
	return sharestore.Open(sharestore.Config{
		Dir: o.storeDir(), Key: key, Self: o.Names[o.Self], Datasets: []string{depositSet},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// depositTask makes this node's part of the job, which all nodes accept.
func (o *order) depositTask(s *mpc.Session, t mpc.Transport) (*protocols.Task, error) {
	d := job.Dataset{Name: depositSet, Sites: []job.Site{{Node: o.Names[parties], Rows: o.Rows}}}
	for i := range o.Cols {
		d.Schema.Columns = append(d.Schema.Columns, job.Column{Name: drawnName(i), Type: job.Integer, Step: "1", Min: "0", Max: strconv.Itoa(drawnMost)})
	}
	r := &job.Roster{
		Study: "benchmark", Version: 1, Parties: o.Names[:parties], Datasets: []job.Dataset{d},
		Clients: []job.Client{{Name: "researcher", Certificate: o.Consigned.Client, Recipient: o.Consigned.Recipient}},
	}
	for i, name := range o.Names {
		r.Nodes = append(r.Nodes, job.Node{Name: name, Certificate: o.Certificates[i]})
	}
	file := &job.RosterFile{Roster: r, Hash: job.Hash(o.Session)}
	signed, err := job.Sign(&job.Job{
		Protocol: job.ProtocolVersion, Study: r.Study, Roster: file.Hash, Dataset: depositSet, Analysis: "deposit", Args: map[string]any{},
		Engine: job.EngineShares, Recipient: o.Consigned.Recipient, Nonce: o.Data, Expires: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}, ed25519.NewKeyFromSeed(o.Consigned.ClientKey))
	if err != nil {
		return nil, err
	}
	task := &protocols.Task{Signed: signed, Roster: file, Self: o.Names[o.Self], Key: o.identity().Key, Transport: t, Timeout: wait}
	task.Decisions, err = o.decisions(s, signed.ID())
	return task, err
}

// decisions are those of all nodes, which accept.
func (o *order) decisions(s *mpc.Session, id job.Hash) ([]job.Decision, error) {
	own := job.Decision{Node: o.Names[o.Self], Job: id, Accept: true, Nonce: make([]byte, job.NonceSize)}
	rand.Read(own.Nonce)
	own.Sign(o.identity().Key)
	theirs := mpc.Exchange(s.Step("decisions"), s.Compute(), append(slices.Clone(own.Nonce), own.Signature...))
	if err := s.Err(); err != nil {
		return nil, err
	}
	all := []job.Decision{own}
	for p, frame := range theirs {
		all = append(all, job.Decision{Node: o.Names[p], Job: id, Accept: true, Nonce: frame[:job.NonceSize], Signature: frame[job.NonceSize:]})
	}
	return all, nil
}

func runTask(ctx context.Context, task *protocols.Task, n *peer.Net) error {
	confirm, run, err := task.Sessions()
	if err != nil {
		return err
	}
	for _, id := range []mpc.SessionID{confirm, run} {
		if err := n.Admit(id); err != nil {
			return err
		}
		defer n.Release(id)
	}
	_, err = task.Run(ctx)
	return err
}

// storedSum adds up a party's first component of the first column, of all chunks.
func storedSum(store protocols.ShareStore, role int) (uint64, error) {
	versions, err := store.Versions()
	if err != nil || len(versions) != 1 {
		return 0, errors.Join(err, fmt.Errorf("%d versions are kept", len(versions)))
	}
	stored, err := store.Open(versions[0].Snapshot.ID)
	if err != nil {
		return 0, err
	}
	defer stored.Close()
	var sum uint64
	for k := range versions[0].Snapshot.Chunks {
		c, err := protocols.LoadChunk(stored, role, k, drawnName(0))
		if err != nil {
			return 0, err
		}
		sum += c.Codes[drawnName(0)].A.Sum()[0]
	}
	return sum, nil
}

func bytesIn(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// dealtRows are rows that come over and over: a database's work is not what is measured here.
type dealtRows struct {
	protocols.SiteData // asked for rows alone
	record             arrow.Record
	rows               int
}

// drawnMost is the greatest code, and drawnBatch how many rows come at once.
const (
	drawnMost  = 1<<16 - 1
	drawnBatch = 1 << 16
)

func drawnName(column int) string { return "c" + strconv.Itoa(column) }

func drawnCode(row, column int) int64 { return int64(row*(2*column+40503)) & drawnMost }

// drawnSum is the sum of the first column's codes.
func drawnSum(rows int) (sum uint64) {
	for i := range rows {
		sum += uint64(drawnCode(i%drawnBatch, 0))
	}
	return sum
}

func newDealtRows(rows, columns int) *dealtRows {
	pool := memory.NewGoAllocator()
	all := array.NewBooleanBuilder(pool)
	for range drawnBatch {
		all.Append(true)
	}
	there := all.NewArray()
	var fields []arrow.Field
	var arrays []arrow.Array
	for c := range columns {
		b := array.NewInt64Builder(pool)
		for i := range drawnBatch {
			b.Append(drawnCode(i, c))
		}
		fields = append(fields, arrow.Field{Name: drawnName(c), Type: arrow.PrimitiveTypes.Int64}, arrow.Field{Name: drawnName(c) + ".valid", Type: arrow.FixedWidthTypes.Boolean})
		arrays = append(arrays, b.NewArray(), there)
	}
	fields, arrays = append(fields, arrow.Field{Name: ".selected", Type: arrow.FixedWidthTypes.Boolean}), append(arrays, there)
	return &dealtRows{record: array.NewRecord(arrow.NewSchema(fields, nil), arrays, drawnBatch), rows: rows}
}

// Rows implements protocols.SiteData.
func (d *dealtRows) Rows(context.Context, job.Predicate, []job.Vector) (array.RecordReader, error) {
	return &drawnReader{dealtRows: d}, nil
}

type drawnReader struct {
	*dealtRows
	at  int
	now arrow.Record
}

func (r *drawnReader) Retain()               {}
func (r *drawnReader) Release()              {}
func (r *drawnReader) Err() error            { return nil }
func (r *drawnReader) Schema() *arrow.Schema { return r.record.Schema() }
func (r *drawnReader) Record() arrow.Record  { return r.now }

func (r *drawnReader) Next() bool {
	n := min(r.rows-r.at, drawnBatch)
	r.at += n
	r.now = r.record.NewSlice(0, int64(n))
	return n > 0
}
