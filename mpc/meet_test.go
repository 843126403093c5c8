package mpc_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
)

// A participant may work as long as it likes before it meets the others.
func TestMeetWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := memnet.New(memnet.Config{N: 3, Timeout: time.Second})
		err := w.Run(func(s *mpc.Session) error {
			if s.Self() == 1 {
				time.Sleep(time.Hour)
			}
			if !mpc.Meet(s.Step("meet"), []mpc.PartyID{0, 1, 2}) {
				t.Errorf("%s did not meet the others", s.Name(s.Self()))
			}
			return s.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// What ends the session ends the wait, and says who did not come.
func TestMeetNamesWhoDoesNotCome(t *testing.T) {
	members := []mpc.PartyID{0, 1, 2}
	for name, c := range map[string]struct {
		at   func(s *mpc.Session)
		want string
	}{
		"gone":    {func(*mpc.Session) {}, "p1"},
		"stumble": {func(s *mpc.Session) { s.Step("work").Fail(errors.New("it stumbled")) }, "stumbled"},
	} {
		w := memnet.New(memnet.Config{N: 3})
		_ = w.Run(func(s *mpc.Session) error {
			if s.Self() == 1 {
				c.at(s)
				return nil
			}
			if mpc.Meet(s.Step("meet"), members) || !strings.Contains(s.Err().Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, s.Err(), c.want)
			}
			return nil
		})
	}
}
