package sharestore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"consilium/job"
	"consilium/mpc"
	"consilium/mpc/ring"
	"consilium/node/statedir"
	"consilium/protocols"
)

// dirKey is what the files of one directory are encrypted with.
type dirKey [32]byte

const keyFile = "key.age"

// newKey draws the key of a directory and writes it there.
func (d *Dataset) newKey(dir string) (key dirKey, err error) {
	rand.Read(key[:]) // never fails: it would end the process
	wrapped, err := d.key.Wrap(key[:])
	if err != nil {
		return key, err
	}
	return key, writeNew(filepath.Join(dir, keyFile), wrapped)
}

func (d *Dataset) readKey(dir string) (key dirKey, err error) {
	wrapped, err := job.ReadFile(filepath.Join(dir, keyFile), 4<<10)
	if err != nil {
		return key, err
	}
	secret, err := d.key.Unwrap(wrapped, len(key))
	if err != nil {
		return key, errors.New("its key file is " + err.Error() + "; if vault_key names another file than then, name that one")
	}
	copy(key[:], secret)
	clear(secret)
	return key, nil
}

// sealer returns what encrypts the one file of that name. It seals one message in its
// life, so that its nonce may be zero.
func (k *dirKey) sealer(name string) (cipher.AEAD, error) {
	own, err := hkdf.Expand(sha256.New, k[:], "consilium shares file v1\x00"+name, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(own)
	clear(own)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

var nonce [12]byte

// writeSealed writes a file that is not there yet, durably but for its name. It uses the
// memory of content, which has room for the seal.
func (k *dirKey) writeSealed(dir, name string, content []byte) error {
	seal, err := k.sealer(name)
	if err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, name), seal.Seal(content[:0], nonce[:], content, nil))
}

// readSealed reads a file that writeSealed wrote.
func (k *dirKey) readSealed(dir, name string) ([]byte, error) {
	b, err := job.ReadFile(filepath.Join(dir, name), maxBlockFile)
	if err != nil {
		return nil, err
	}
	seal, err := k.sealer(name)
	if err != nil {
		return nil, err
	}
	content, err := seal.Open(b[:0], nonce[:], b, nil)
	if err != nil {
		return nil, statedir.ErrDamaged
	}
	return content, nil
}

// writeNew writes a file that is not there yet, durably but for its name.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync())
	forget(f)
	return errors.Join(err, f.Close())
}

// newName draws a name.
func newName(prefix string) string {
	var id [nameBytes]byte
	rand.Read(id[:])
	return prefix + hex.EncodeToString(id[:])
}

// maxBlockFile bounds what is read of a file: codes of 2^20 rows take 8 MiB.
const maxBlockFile = 16 << 20

// encodeHead writes seeds: three times one byte and the seed, zeros where there is none.
func encodeHead(h *protocols.ShareHead) []byte {
	b := make([]byte, 0, headSize+sealSize)
	for _, seed := range []*mpc.Seed{h.A, h.B, h.Salt} {
		if seed == nil {
			b = append(b, make([]byte, 1+mpc.SeedSize)...)
			continue
		}
		b = append(append(b, 1), seed[:]...)
	}
	return b
}

const (
	headSize = 3 * (1 + mpc.SeedSize)
	sealSize = 16
)

func parseHead(b []byte) (*protocols.ShareHead, error) {
	h := new(protocols.ShareHead)
	if len(b) != headSize {
		return nil, statedir.ErrDamaged
	}
	for _, seed := range []**mpc.Seed{&h.A, &h.B, &h.Salt} {
		if b[0] == 1 {
			*seed = (*mpc.Seed)(bytes.Clone(b[1 : 1+mpc.SeedSize]))
		}
		b = b[1+mpc.SeedSize:]
	}
	return h, nil
}

// The fields of a block's file.
var (
	codesField = arrow.Field{Name: "codes", Type: arrow.PrimitiveTypes.Uint64}
	bitsField  = arrow.Field{Name: "bits", Type: arrow.FixedWidthTypes.Boolean}
)

// encodeBlock writes a block as an Arrow IPC file of one record batch, with room for a
// seal, into memory that is used again.
func encodeBlock(b *protocols.ShareBlock, into *buffer) error {
	schema, columns := arrow.NewSchema([]arrow.Field{bitsField}, nil), []arrow.Array{newArray(bitsField.Type, b.Rows, arrow.Uint64Traits.CastToBytes(b.Bits))}
	if b.Codes != nil {
		schema = arrow.NewSchema([]arrow.Field{bitsField, codesField}, nil)
		columns = append(columns, newArray(codesField.Type, b.Rows, arrow.Uint64Traits.CastToBytes(b.Codes)))
	}
	record := array.NewRecord(schema, columns, int64(b.Rows))
	defer record.Release()
	for _, c := range columns {
		c.Release()
	}
	into.reset(8*len(b.Codes) + len(b.Bits)*8)
	w, err := ipc.NewFileWriter(into, ipc.WithSchema(schema))
	if err != nil {
		return err
	}
	return errors.Join(w.Write(record), w.Close())
}

func newArray(kind arrow.DataType, n int, bytes []byte) arrow.Array {
	data := array.NewData(kind, n, []*memory.Buffer{nil, memory.NewBufferBytes(bytes)}, nil, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// buffer is memory that an Arrow file is written into.
type buffer struct{ bytes []byte }

// reset empties it, with room for so many bytes and what comes around them.
func (b *buffer) reset(size int) {
	const around = 4 << 10
	if cap(b.bytes) < size+around {
		b.bytes = make([]byte, 0, size+around)
	}
	b.bytes = b.bytes[:0]
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.bytes = append(b.bytes, p...)
	return len(p), nil
}

// Seek implements io.Seeker as far as a writer asks where it is.
func (b *buffer) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.New("a buffer does not seek")
	}
	return int64(len(b.bytes)), nil
}

// parseBlock reads what encodeBlock writes, of that many rows.
func parseBlock(b []byte, n int, codes bool) (*protocols.ShareBlock, error) {
	r, err := ipc.NewFileReader(bytes.NewReader(b))
	if err != nil {
		return nil, statedir.ErrDamaged
	}
	defer r.Close()
	if r.NumRecords() != 1 {
		return nil, statedir.ErrDamaged
	}
	record, err := r.Record(0)
	if err != nil || int(record.NumRows()) != n || record.NumCols() < 1 || (record.NumCols() == 2) != codes {
		return nil, statedir.ErrDamaged
	}
	bits, ok := record.Column(0).(*array.Boolean)
	if !ok || bits.Data().Offset() != 0 || bits.Data().Buffers()[1].Len() < (n+7)/8 {
		return nil, statedir.ErrDamaged
	}
	out := &protocols.ShareBlock{Rows: n, Bits: make(ring.Words, ring.Stride(n))}
	copy(arrow.Uint64Traits.CastToBytes(out.Bits), bits.Data().Buffers()[1].Bytes()[:(n+7)/8])
	if codes {
		values, ok := record.Column(1).(*array.Uint64)
		if !ok || values.Len() != n {
			return nil, statedir.ErrDamaged
		}
		out.Codes = append(make(ring.Vec64, 0, n), values.Uint64Values()...)
	}
	return out, nil
}
