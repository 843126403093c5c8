package memnet

import (
	"time"

	"consilium/mpc"
)

// Message is a frame on its way.
type Message struct {
	From, To mpc.PartyID
	Channel  mpc.Channel
	Index    int // counts from 0 within the channel from From to To
	Frame    []byte
}

// Hooks change what the network does to messages. They may be called from
// several goroutines at once; nil ones do nothing.
type Hooks struct {
	// Delay holds a message back, and with it those behind it on its channel.
	Delay func(Message) time.Duration
	// Tamper returns the frame that arrives instead and true, or false for one
	// that is lost. It may change the frame that it is given.
	Tamper func(Message) ([]byte, bool)
}

func (h Hooks) delay(m Message) time.Duration {
	if h.Delay == nil {
		return 0
	}
	return h.Delay(m)
}

func (h Hooks) tamper(m Message) ([]byte, bool) {
	if h.Tamper == nil {
		return m.Frame, true
	}
	return h.Tamper(m)
}
