package vault

import (
	"errors"

	"consilium/protocols"
)

// change is something written that is not in force yet. It uses what it has written
// until its end.
type change struct {
	vault *Vault
	own   *kept
	apply func(now force) (force, error)
	done  bool
}

var _ protocols.Change = (*change)(nil)

// newChange begins a change. The caller holds own for it.
func (v *Vault) newChange(own *kept, apply func(now force) (force, error)) *change {
	return &change{vault: v, own: own, apply: apply}
}

var errOver = errors.New("this change of the vault is over")

// Commit implements protocols.Change. It does not wait for readers of what it replaces.
func (c *change) Commit() error {
	v := c.vault
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.done {
		return errOver
	}
	c.done = true
	defer c.own.release()
	if err := v.ready(); err != nil {
		return err
	}
	next, err := c.apply(v.now)
	if err != nil {
		return err
	}
	return v.enter(next)
}

// Discard implements protocols.Change. After Commit it does nothing.
func (c *change) Discard() {
	c.vault.mu.Lock()
	defer c.vault.mu.Unlock()
	if !c.done {
		c.done = true
		c.own.release()
	}
}
