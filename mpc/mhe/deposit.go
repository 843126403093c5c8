package mhe

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"consilium/mpc"
)

// Manifest says what a site has deposited under the key of an epoch: columns of whole
// numbers, zero where there is none, validity bits, and 0/1 columns to filter by, and
// the hash of every ciphertext. The site signs its Bytes with the key of its roster,
// and nobody's ciphertexts are touched without that.
type Manifest struct {
	Epoch   [sha256.Size]byte
	Site    mpc.PartyID
	Rows    int
	Columns []Column
}

// Column is one column of a manifest.
type Column struct {
	Name   string
	Bits   int                 // its numbers are smaller than 2^Bits in absolute value
	Hashes [][sha256.Size]byte // of its ciphertexts, in order
}

// Limits of a manifest.
const (
	MaxColumns    = 4096
	MaxColumnName = 1 << 10
	manifestMagic = "consilium mhe manifest v1\x00"
)

// Bytes are the manifest in its one form, which is signed.
func (m *Manifest) Bytes() []byte {
	w := writer(manifestMagic)
	w.fixed(m.Epoch[:])
	w.number(uint64(m.Site))
	w.number(uint64(m.Rows))
	w.number(uint64(len(m.Columns)))
	for _, c := range m.Columns {
		w.text(c.Name)
		w.number(uint64(c.Bits))
		w.number(uint64(len(c.Hashes)))
		for _, h := range c.Hashes {
			w.fixed(h[:])
		}
	}
	return w
}

// ParseManifest reads Bytes and accepts nothing else: Bytes of what it returns are the
// same again.
func ParseManifest(b []byte) (*Manifest, error) {
	r := &reader{rest: b}
	r.magic(manifestMagic)
	m := &Manifest{}
	copy(m.Epoch[:], r.fixed(len(m.Epoch)))
	m.Site, m.Rows = mpc.PartyID(r.number(manyParticipants)), r.number(maxBlocks<<vault.logN)
	for range r.number(MaxColumns) {
		c := Column{Name: r.text(MaxColumnName), Bits: r.number(MaxBits)}
		for range r.number(uint64(maxBlocks * len(vault.plain))) {
			h := r.fixed(sha256.Size)
			if r.err != nil {
				return nil, fmt.Errorf("manifest: %w", r.err)
			}
			c.Hashes = append(c.Hashes, [sha256.Size]byte(h))
		}
		if r.err != nil {
			break
		}
		m.Columns = append(m.Columns, c)
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

// column returns the named column, or -1.
func (m *Manifest) column(name string) int {
	return slices.IndexFunc(m.Columns, func(c Column) bool { return c.Name == name })
}

// check refuses a manifest that does not fit the epoch.
func (m *Manifest) check(e *Epoch) error {
	if m.Epoch != e.ID {
		return errors.New("the deposit was made under the key of another epoch")
	}
	if !slices.Contains(e.Quorum.holders, m.Site) {
		return fmt.Errorf("participant %d, who made the deposit, holds no piece of the key", m.Site)
	}
	l, err := e.keys.columns(m.Rows)
	if err != nil {
		return err
	}
	for i, c := range m.Columns {
		if c.Name == "" || c.Bits < 1 || c.Bits > e.Bits || len(c.Hashes) != l.Ciphertexts || m.column(c.Name) != i {
			return fmt.Errorf("column %d of the deposit is not as it must be, or there twice", i+1)
		}
	}
	return nil
}

// Stored are the ciphertexts of a deposit's columns, in the manifest's order.
type Stored []*Ciphertexts

// NewManifest begins the manifest of a site's deposit of so many rows.
func (e *Epoch) NewManifest(site mpc.PartyID, rows int) (*Manifest, error) {
	m := &Manifest{Epoch: e.ID, Site: site, Rows: rows}
	return m, m.check(e)
}

// depositBatch is how many ciphertexts of a column are made before they are kept.
const depositBatch = 8

// Deposit encrypts a column of whole numbers below 2^width in absolute value under the
// epoch's key, and adds it to the manifest. Its ciphertexts go to keep in their order,
// in the form in which they are stored; keep does not keep the frame.
func (e *Epoch) Deposit(m *Manifest, name string, width int, numbers []int64, keep func(k int, frame []byte) error) error {
	c := Column{Name: name, Bits: width}
	switch {
	case len(m.Columns) == MaxColumns:
		return fmt.Errorf("a deposit has at most %d columns", MaxColumns)
	case name == "" || len(name) > MaxColumnName || m.column(name) >= 0:
		return fmt.Errorf("column %.64s: its name is empty, there already, or longer than %d bytes", name, MaxColumnName)
	case width < 1 || width > e.Bits:
		return fmt.Errorf("column %s of %d bits: from 1 to %d", name, width, e.Bits)
	case len(numbers) != m.Rows:
		return fmt.Errorf("column %s has %d rows, the deposit %d", name, len(numbers), m.Rows)
	case slices.ContainsFunc(numbers, func(x int64) bool { return bits.Len64(uint64(max(x, -x))) > width }):
		return fmt.Errorf("column %s: %w", name, errRange)
	}
	l, err := e.keys.columns(m.Rows)
	if err != nil {
		return err
	}
	for first := 0; first < l.Ciphertexts; first += depositBatch {
		frames := make([][]byte, min(depositBatch, l.Ciphertexts-first))
		err := parallel(len(frames), func() func(i int) error {
			sealer := newEncrypter(l, e.public)
			return func(i int) (err error) {
				frames[i], err = sealer.stored(numbers, first+i)
				return err
			}
		})
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		for i, frame := range frames {
			c.Hashes = append(c.Hashes, hashStored(e.ID, m.Site, name, first+i, frame))
			if err := keep(first+i, frame); err != nil {
				return err
			}
		}
	}
	m.Columns = append(m.Columns, c)
	return nil
}

// stored encrypts the k-th block of a column, in the form in which it is kept.
func (e *encrypter) stored(numbers []int64, k int) ([]byte, error) {
	lo, hi, prime := e.block(k)
	t, residues := e.rings.plain[prime], e.residues[:hi-lo]
	for i, x := range numbers[lo:hi] {
		if residues[i] = uint64(max(x, -x)) % t; x < 0 {
			residues[i] = subMod(0, residues[i], t)
		}
	}
	c0, c1, err := e.encryptResidues(residues, prime)
	if err != nil {
		return nil, err
	}
	half := e.rings.half
	frame := make([]byte, 2*half.size())
	half.put(frame, c0)
	half.put(frame[half.size():], c1)
	return frame, nil
}

// HashStored returns the hash by which a manifest names the k-th ciphertext of a
// column, and refuses what cannot be one: who keeps ciphertexts for others may hold no
// key, and checks what it is given.
func HashStored(epoch [sha256.Size]byte, site mpc.PartyID, column string, k int, frame []byte) ([sha256.Size]byte, error) {
	half := storedHalf()
	if len(frame) != 2*half.size() {
		return [sha256.Size]byte{}, fmt.Errorf("ciphertext %d has %d bytes, want %d", k, len(frame), 2*half.size())
	}
	for _, part := range [][]byte{frame[:half.size()], frame[half.size():]} {
		if err := half.check(part); err != nil {
			return [sha256.Size]byte{}, fmt.Errorf("ciphertext %d: %w", k, err)
		}
	}
	return hashStored(epoch, site, column, k, frame), nil
}

// hashStored says whose a ciphertext is and where it belongs, so that none can take the
// place of another.
func hashStored(epoch [sha256.Size]byte, site mpc.PartyID, column string, k int, frame []byte) [sha256.Size]byte {
	w := writer("consilium mhe stored ciphertext v1\x00")
	w.fixed(epoch[:])
	w.number(uint64(site))
	w.text(column)
	w.number(uint64(k))
	h := sha256.New()
	h.Write(w)
	h.Write(frame)
	return [sha256.Size]byte(h.Sum(nil))
}

// Fetch reads a deposit's ciphertexts, of the named columns alone, where they are
// kept: frame returns one of them. Verify tells whether the signature of the
// manifest's Bytes is the site's. Every ciphertext has the length that follows from
// the parameters, reduced coefficients, and the hash that the site signed.
func (e *Epoch) Fetch(manifest, signature []byte, verify func(site mpc.PartyID, message, signature []byte) bool, columns []string, frame func(column, k int) ([]byte, error)) (*Manifest, Stored, error) {
	m, err := ParseManifest(manifest)
	if err != nil {
		return nil, nil, err
	}
	if err := m.check(e); err != nil {
		return nil, nil, err
	}
	if !verify(m.Site, manifest, signature) {
		return nil, nil, fmt.Errorf("the manifest of participant %d is not signed by it", m.Site)
	}
	stored := make(Stored, len(m.Columns))
	for _, name := range columns {
		i := m.column(name)
		if i < 0 {
			return nil, nil, fmt.Errorf("participant %d has deposited no column %s", m.Site, name)
		}
		if stored[i] != nil {
			continue
		}
		if stored[i], err = e.fetch(m, i, frame); err != nil {
			return nil, nil, fmt.Errorf("column %s of participant %d: %w", name, m.Site, err)
		}
	}
	return m, stored, nil
}

// Holds tells whether frame is the k-th ciphertext of a column, by its place there.
func (m *Manifest) Holds(column, k int, frame []byte) bool {
	if column < 0 || column >= len(m.Columns) || k < 0 || k >= len(m.Columns[column].Hashes) {
		return false
	}
	own := hashStored(m.Epoch, m.Site, m.Columns[column].Name, k, frame)
	return subtle.ConstantTimeCompare(own[:], m.Columns[column].Hashes[k][:]) == 1
}

func (e *Epoch) fetch(m *Manifest, column int, frame func(column, k int) ([]byte, error)) (*Ciphertexts, error) {
	sealed, half := &Ciphertexts{}, e.keys.HalfSize()
	for k := range m.Columns[column].Hashes {
		b, err := frame(column, k)
		if err != nil {
			return nil, err
		}
		if len(b) != 2*half {
			return nil, fmt.Errorf("ciphertext %d has %d bytes, want %d", k, len(b), 2*half)
		}
		if !m.Holds(column, k, b) {
			return nil, fmt.Errorf("ciphertext %d is not the one in the manifest", k)
		}
		c0, c1 := e.keys.rings.q.NewPoly(), e.keys.rings.q.NewPoly()
		if err := errors.Join(e.keys.rings.half.get(c0, b[:half]), e.keys.rings.half.get(c1, b[half:])); err != nil {
			return nil, fmt.Errorf("ciphertext %d: %w", k, err)
		}
		sealed.C0, sealed.C1 = append(sealed.C0, c0), append(sealed.C1, c1)
	}
	return sealed, nil
}
