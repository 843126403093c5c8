package mhe

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
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
	maxColumnName = 256
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
		c := Column{Name: r.text(maxColumnName), Bits: r.number(MaxBits)}
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

// Values is one column of a site's data.
type Values struct {
	Name    string
	Bits    int // every number is smaller than 2^Bits in absolute value
	Numbers []*big.Int
}

// Deposit encrypts columns of equal length under the epoch's key.
func (e *Epoch) Deposit(site mpc.PartyID, columns []Values) (*Manifest, Stored, error) {
	if len(columns) == 0 || len(columns) > MaxColumns {
		return nil, nil, fmt.Errorf("a deposit of %d columns: from 1 to %d", len(columns), MaxColumns)
	}
	m := &Manifest{Epoch: e.ID, Site: site, Rows: len(columns[0].Numbers)}
	l, err := e.keys.columns(m.Rows)
	if err != nil {
		return nil, nil, err
	}
	var stored Stored
	for _, c := range columns {
		if len(c.Name) > maxColumnName {
			return nil, nil, fmt.Errorf("a column's name has %d bytes, at most %d", len(c.Name), maxColumnName)
		}
		one := *l
		one.Bits = c.Bits
		sealed, err := Encrypt(&one, e.public, c.Numbers)
		if err != nil {
			return nil, nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		m.Columns = append(m.Columns, Column{c.Name, c.Bits, e.hashes(m, c.Name, sealed)})
		stored = append(stored, sealed)
	}
	return m, stored, m.check(e)
}

// CiphertextSize is the length in bytes of one stored ciphertext.
func (e *Epoch) CiphertextSize() int { return 2 * e.keys.HalfSize() }

// Ciphertext is the stored form of the k-th ciphertext of a column.
func (e *Epoch) Ciphertext(c *Ciphertexts, k int) []byte {
	frame, half := make([]byte, e.CiphertextSize()), e.keys.HalfSize()
	e.keys.rings.half.put(frame[:half], c.C0[k])
	e.keys.rings.half.put(frame[half:], c.C1[k])
	return frame
}

// hashes are those of a column's ciphertexts. Each says whose it is and where it
// belongs, so that none can take the place of another.
func (e *Epoch) hashes(m *Manifest, column string, c *Ciphertexts) [][sha256.Size]byte {
	list := make([][sha256.Size]byte, len(c.C0))
	for k := range list {
		list[k] = hashStored(m, column, k, e.Ciphertext(c, k))
	}
	return list
}

func hashStored(m *Manifest, column string, k int, frame []byte) [sha256.Size]byte {
	w := writer("consilium mhe stored ciphertext v1\x00")
	w.fixed(m.Epoch[:])
	w.number(uint64(m.Site))
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

func (e *Epoch) fetch(m *Manifest, column int, frame func(column, k int) ([]byte, error)) (*Ciphertexts, error) {
	sealed, half := &Ciphertexts{}, e.keys.HalfSize()
	for k, hash := range m.Columns[column].Hashes {
		b, err := frame(column, k)
		if err != nil {
			return nil, err
		}
		if len(b) != e.CiphertextSize() {
			return nil, fmt.Errorf("ciphertext %d has %d bytes, want %d", k, len(b), e.CiphertextSize())
		}
		if own := hashStored(m, m.Columns[column].Name, k, b); subtle.ConstantTimeCompare(own[:], hash[:]) == 0 {
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
