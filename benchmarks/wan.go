package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// errNoWAN says that this machine cannot emulate a wide-area network.
var errNoWAN = errors.New("no wide-area network can be emulated here")

// wan is a line between each two parties.
type wan struct {
	rtt  time.Duration // there and back
	mbit float64       // million bits a second that a party can send
}

// parseWAN reads "RTT,MBIT".
func parseWAN(text string) (*wan, error) {
	rtt, mbit, ok := strings.Cut(text, ",")
	if !ok {
		return nil, errors.New("write RTT,MBIT, for example 40ms,100")
	}
	var w wan
	var err error
	if w.rtt, err = time.ParseDuration(rtt); err != nil || w.rtt < 0 || w.rtt > 10*time.Second {
		return nil, fmt.Errorf("round trip %q is not a time from 0s to 10s, such as 40ms", rtt)
	}
	if w.mbit, err = strconv.ParseFloat(mbit, 64); err != nil || !(w.mbit >= 0.1 && w.mbit <= 10000) {
		return nil, fmt.Errorf("rate %q is not a number of Mbit/s from 0.1 to 10000", mbit)
	}
	return &w, nil
}

// String is the line as on the command line.
func (w *wan) String() string {
	return fmt.Sprintf("%v,%v", w.rtt, w.mbit)
}

// predict returns the seconds that rounds and bytes alone cost: each round one
// delay, and the busiest party's million bytes at its rate.
func (w *wan) predict(rounds int, megabytes float64) float64 {
	return float64(rounds)*w.rtt.Seconds()/2 + 8*megabytes/w.mbit
}
