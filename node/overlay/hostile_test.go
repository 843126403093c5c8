package overlay_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.dedis.ch/kyber/v3/group/edwards25519"
	"go.dedis.ch/onet/v3"
	"go.dedis.ch/onet/v3/network"

	"consilium/mpc"
	"consilium/node/linktest"
	"consilium/node/overlay"
	"consilium/node/peer"
)

var suite = edwards25519.NewBlakeSHA256Ed25519()

// start starts a node's end of the overlay without links over it.
func start(t *testing.T, cfg peer.Config) *overlay.Overlay {
	t.Helper()
	cfg, err := cfg.Prepared()
	if err != nil {
		t.Fatal(err)
	}
	o, err := overlay.Start(context.Background(), cfg, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return o
}

// victim is a node with three others, whose keys the test has, and its log.
type victim struct {
	*overlay.Overlay
	roster []linktest.Member
	log    *logLines
}

const self = 2 // the victim; 0 and 1 dial it

func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{roster: linktest.Roster(t, 4), log: &logLines{}}
	cfg := linktest.Config(v.roster, self)
	cfg.Log = slog.New(slog.NewTextHandler(v.log, nil))
	cfg.Handshake = time.Second
	v.Overlay = start(t, cfg)
	v.roster[self].Peer.Address = v.Addr().String()
	return v
}

// dial connects as member i does, up to the point where onet would speak.
func (v *victim) dial(t *testing.T, i int) *tls.Conn {
	t.Helper()
	cfg := linktest.Config(v.roster, i)
	cfg, err := cfg.Prepared()
	if err != nil {
		t.Fatal(err)
	}
	c, err := cfg.DialTLS(t.Context(), self)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// say sends messages of onet.
func say(t *testing.T, c io.Writer, messages ...network.Message) {
	t.Helper()
	for _, m := range messages {
		b, err := overlay.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(b); err != nil {
			return // refused already
		}
	}
}

// hangsUp checks that the victim closes a connection.
func hangsUp(t *testing.T, c *tls.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var timeout interface{ Timeout() bool }
	if _, err := io.Copy(io.Discard, c); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection stays open")
	}
}

// TestStrangersDoNotReachOnet: who has no certificate of the roster is refused by
// TLS, also with the name of a member.
func TestStrangersDoNotReachOnet(t *testing.T) {
	v := newVictim(t)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string][]tls.Certificate{
		"a stranger":         {linktest.Certify(t, "stranger", public, private)},
		"a false hospital-1": {linktest.Certify(t, "hospital-1", public, private)},
		"nobody":             nil,
	} {
		c, err := tls.Dial("tcp", v.Addr().String(), &tls.Config{Certificates: id, InsecureSkipVerify: true})
		if err != nil {
			continue // refused in the handshake
		}
		_, _ = c.Write([]byte("anything")) // the answer tells
		if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "remote error: tls") {
			t.Errorf("%s: got %v", name, err)
		}
		_ = c.Close()
	}
	if v.Pipes() != 0 || v.Router().MsgRx() != 0 {
		t.Errorf("%d pipes, %d messages", v.Pipes(), v.Router().MsgRx())
	}
}

// TestOnlyLowerMembersDial: one direction a pair, as between all nodes.
func TestOnlyLowerMembersDial(t *testing.T) {
	v := newVictim(t)
	c := v.dial(t, 3)
	say(t, c, v.Identity(3))
	hangsUp(t, c)
	eventually(t, "the log says why", func() bool { return v.log.has("only lower nodes dial higher ones") }) // it closes first
}

// TestAClaimedIdentityMustBeTheVerifiedOne: onet believes what a peer calls itself
// in its first message where a list of valid peers has that name.
func TestAClaimedIdentityMustBeTheVerifiedOne(t *testing.T) {
	v := newVictim(t)
	stranger := network.NewServerIdentity(suite.Point().Pick(suite.RandomStream()), "tls://127.0.0.1:1")
	renamed := *v.Identity(0)
	renamed.Public = v.Identity(1).Public // the ID of one and the key of another
	for name, first := range map[string]network.Message{
		"another member":  v.Identity(1),
		"a stranger":      stranger,
		"a false id":      &renamed,
		"no key":          &network.ServerIdentity{Address: "tls://127.0.0.1:1"},
		"not an identity": &overlay.Message{Kind: overlay.KindOpen},
	} {
		c := v.dial(t, 0)
		say(t, c, first)
		hangsUp(t, c)
		if v.Router().MsgRx() != 0 {
			t.Errorf("%s: onet has taken a message", name)
		}
	}
	c := v.dial(t, 0) // the honest way, for comparison
	v.open(t, c, 0)
	eventually(t, "the pipe is there", func() bool { return v.Pipes() == 1 })
}

// envelope is a message of onet with its sender.
type envelope = network.Envelope

// overlayType is the type of the pipe's messages.
func overlayType(t *testing.T) network.MessageTypeID {
	t.Helper()
	return network.MessageType(&overlay.Message{})
}

// token addresses the victim's end, or the other one, of the pipe with a member.
func (v *victim) token(with, at mpc.PartyID) *onet.Token {
	tree := v.Tree(with)
	place := tree.Root.ID
	if !tree.Root.ServerIdentity.Equal(v.Identity(at)) {
		place = tree.Root.Children[0].ID
	}
	return &onet.Token{
		RosterID: v.RosterID(), TreeID: tree.ID, TreeNodeID: place,
		ProtoID: onet.ProtocolNameToID("consilium pipe 1"), RoundID: onet.RoundID{1},
	}
}

// wrap makes of a pipe's message what travels.
func (v *victim) wrap(t *testing.T, from mpc.PartyID, m network.Message) *onet.ProtocolMsg {
	t.Helper()
	b, err := network.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return &onet.ProtocolMsg{From: v.token(from, from), To: v.token(from, self), MsgType: network.MessageType(m), MsgSlice: b}
}

// open does as an honest member does when it dials.
func (v *victim) open(t *testing.T, c io.Writer, from mpc.PartyID) {
	t.Helper()
	say(t, c, v.Identity(from), v.wrap(t, from, &overlay.Message{Kind: overlay.KindOpen}))
}

// TestOnlyThePipesMessagesPass hands the guard what a member of the roster might
// send and onet would act on.
func TestOnlyThePipesMessagesPass(t *testing.T) {
	v := newVictim(t)
	opening := func() *onet.ProtocolMsg { return v.wrap(t, 0, &overlay.Message{Kind: overlay.KindOpen}) }
	but := func(change func(*onet.ProtocolMsg)) *onet.ProtocolMsg {
		m := opening()
		change(m)
		return m
	}
	stranger := network.NewServerIdentity(suite.Point().Pick(suite.RandomStream()), "tls://127.0.0.1:1")
	tree := onet.TreeMarshal{}
	for name, c := range map[string]struct {
		from *network.ServerIdentity
		m    network.Message
	}{
		"nobody":              {nil, opening()},
		"no key":              {&network.ServerIdentity{ID: v.Identity(0).ID}, opening()},
		"a stranger's key":    {stranger, opening()},
		"another's tree":      {v.Identity(1), opening()},
		"one's own tree":      {v.Identity(self), opening()},
		"no address":          {v.Identity(0), but(func(m *onet.ProtocolMsg) { m.To = nil })},
		"no sender":           {v.Identity(0), but(func(m *onet.ProtocolMsg) { m.From = nil })},
		"a configuration":     {v.Identity(0), but(func(m *onet.ProtocolMsg) { m.Config = &onet.GenericConfig{} })},
		"an unknown tree":     {v.Identity(0), but(func(m *onet.ProtocolMsg) { m.To.TreeID = onet.TreeID{1} })},
		"another roster":      {v.Identity(0), but(func(m *onet.ProtocolMsg) { m.To.RosterID = onet.RosterID{1} })},
		"another protocol":    {v.Identity(0), but(func(m *onet.ProtocolMsg) { m.To.ProtoID = onet.ProtocolNameToID("Count") })},
		"a service":           {v.Identity(0), but(func(m *onet.ProtocolMsg) { m.To.ServiceID = onet.ServiceID{1} })},
		"another round":       {v.Identity(0), but(func(m *onet.ProtocolMsg) { m.From.RoundID = onet.RoundID{2} })},
		"to itself":           {v.Identity(0), but(func(m *onet.ProtocolMsg) { m.To.TreeNodeID = m.From.TreeNodeID })},
		"from the victim":     {v.Identity(0), but(func(m *onet.ProtocolMsg) { m.From.TreeNodeID = m.To.TreeNodeID })},
		"no content":          {v.Identity(0), but(func(m *onet.ProtocolMsg) { m.MsgSlice = nil })},
		"a tree as content":   {v.Identity(0), v.wrap(t, 0, &tree)},
		"a tree":              {v.Identity(0), &onet.ResponseTree{TreeMarshal: &tree}},
		"an old tree":         {v.Identity(0), &tree},
		"a request for trees": {v.Identity(0), &onet.RequestTree{TreeID: v.Tree(0).ID, Version: 1}},
		"a request of roster": {v.Identity(0), &onet.RequestRoster{RosterID: v.RosterID()}},
		"a roster":            {v.Identity(0), &onet.Roster{}},
		"a foreign config":    {v.Identity(0), &onet.ConfigMsg{}},
	} {
		before := v.Refused()
		v.Process(&envelope{ServerIdentity: c.from, MsgType: network.MessageType(c.m), Msg: c.m})
		if v.Refused() != before+1 || v.Pipes() != 0 {
			t.Errorf("%s: not refused", name)
		}
	}
	v.Process(&envelope{ServerIdentity: v.Identity(0), MsgType: onet.ProtocolMsgID, Msg: opening()})
	if v.Pipes() != 1 {
		t.Error("the honest message has opened no pipe")
	}
}

// TestRouterRefusesWhatIsNotThePipes sends, as a member, what onet's router hands to
// others than protocols. Nothing of it is even decoded.
func TestRouterRefusesWhatIsNotThePipes(t *testing.T) {
	v := newVictim(t)
	for name, m := range map[string]network.Message{
		"a request for trees": &onet.RequestTree{TreeID: v.Tree(0).ID, Version: 1},
		"a tree":              &onet.TreeMarshal{},
		"a second identity":   v.Identity(1),
		"a bare message":      &overlay.Message{Kind: overlay.KindOpen},
	} {
		c := v.dial(t, 0)
		say(t, c, v.Identity(0), m)
		hangsUp(t, c)
		if v.Router().MsgRx() != 0 {
			t.Errorf("%s: onet has taken a message", name)
		}
	}
}

// nested is an encoded tree of so many levels.
func nested(levels int) []byte {
	kind := network.MessageType(&onet.TreeMarshal{})
	var inner []byte
	for range levels {
		b := binary.AppendUvarint([]byte{5<<3 | 2}, uint64(len(inner))) // field 5: Children
		inner = append(b, inner...)
	}
	return append(kind[:], inner...)
}

// TestDeepNestingIsNotFollowed: the decoder of onet's messages recurses, and a tree
// of some megabytes would end the process beyond recovery.
func TestDeepNestingIsNotFollowed(t *testing.T) {
	deep := nested(3000)
	if _, _, err := network.Unmarshal(deep, suite); err != nil {
		t.Fatalf("onet does not take it: %v", err) // then this test shows nothing
	}
	v := newVictim(t)
	c := v.dial(t, 0)
	say(t, c, v.Identity(0))
	packet := binary.BigEndian.AppendUint32(nil, uint32(len(deep)))
	if _, err := c.Write(append(packet, deep...)); err != nil {
		t.Fatal(err)
	}
	hangsUp(t, c)
	inside := v.wrap(t, 0, &overlay.Message{Kind: overlay.KindOpen})
	inside.MsgSlice = deep
	c = v.dial(t, 0)
	say(t, c, v.Identity(0), inside)
	eventually(t, "it is refused", func() bool { return v.Refused() == 1 })
}

// TestLargeMessagesAreRefusedBeforeTheCall: onet's own send would return without an
// error, and what follows be lost or misread.
func TestLargeMessagesAreRefusedBeforeTheCall(t *testing.T) {
	if _, err := overlay.Encode(&overlay.Message{Data: make([]byte, overlay.MaxPacket)}); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("got %v", err)
	}
	if overlay.MaxPacket >= int(network.MaxPacketSize) {
		t.Errorf("packets of %d bytes, onet carries %d", overlay.MaxPacket, network.MaxPacketSize)
	}
	v := newVictim(t)
	b, err := overlay.Encode(v.wrap(t, 0, &overlay.Message{Kind: overlay.KindData, Data: make([]byte, overlay.MaxPiece)}))
	if err != nil {
		t.Errorf("the largest piece does not fit: %v, %d bytes", err, len(b))
	}
	c := v.dial(t, 0)
	say(t, c, v.Identity(0))
	if _, err := c.Write(binary.BigEndian.AppendUint32(nil, overlay.MaxPacket+1)); err != nil {
		t.Fatal(err)
	}
	hangsUp(t, c)
}

func TestMessagesAreKnownBeforeTheFirst(t *testing.T) {
	m := &overlay.Message{Kind: overlay.KindData, Number: 7, Data: []byte("first")}
	v := newVictim(t) // starting is enough
	b, err := overlay.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := overlay.Decode(b[4:], suite, overlayType(t))
	if err != nil || got.(*overlay.Message).Number != 7 || !bytes.Equal(got.(*overlay.Message).Data, m.Data) {
		t.Errorf("got %+v, %v", got, err)
	}
	v.open(t, v.dial(t, 1), 1)
	eventually(t, "the pipe is there", func() bool { return v.Pipes() == 1 })
}

// TestOnlyPipesOfThisStudy: NewProtocol looks at the tree's root and its roster,
// whatever their names are.
func TestOnlyPipesOfThisStudy(t *testing.T) {
	v := newVictim(t)
	all := []*network.ServerIdentity{v.Identity(0), v.Identity(1), v.Identity(2), v.Identity(3)}
	stranger := network.NewServerIdentity(suite.Point().Pick(suite.RandomStream()), "tls://127.0.0.1:1")
	tree := func(roster []*network.ServerIdentity, chain ...*network.ServerIdentity) *onet.Tree {
		root := onet.NewTreeNode(0, chain[0])
		for last := root; len(chain) > 1; chain = chain[1:] {
			next := onet.NewTreeNode(1, chain[1])
			last.AddChild(next)
			last = next
		}
		return &onet.Tree{ID: v.Tree(0).ID, Roster: onet.NewRoster(roster), Root: root}
	}
	wide := tree(all, all[0], all[2])
	wide.Root.AddChild(onet.NewTreeNode(2, all[3]))
	for want, c := range map[string]*onet.Tree{
		"over another roster":            tree([]*network.ServerIdentity{all[0], all[1], all[2], stranger}, all[0], all[2]),
		"over another roster: shorter":   tree(all[:3], all[0], all[2]),
		"over another roster: reordered": tree([]*network.ServerIdentity{all[1], all[0], all[2], all[3]}, all[0], all[2]),
		"nodes dial those behind them":   tree(all, all[2], all[0]),
		"nodes dial: a stranger":         tree(all, stranger, all[2]),
		"nodes dial: to a stranger":      tree(all, all[0], stranger),
		"a tree of others":               tree(all, all[0], all[1]),
		"no pipe: alone":                 tree(all, all[2]),
		"no pipe: a chain":               tree(all, all[0], all[1], all[2]),
		"no pipe: wide":                  wide,
		"no pipe: empty":                 {},
		"no pipe":                        nil,
	} {
		want, _, _ = strings.Cut(want, ":")
		if p, err := v.OtherEnd(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %d, %v; want %q", p, err, want)
		}
	}
	for _, p := range []mpc.PartyID{0, 1, 3} {
		if got, err := v.OtherEnd(v.Tree(p)); got != p || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
	}
}

// TestPipesThatNobodyAcceptsAreFew: a member may open pipe after pipe.
func TestPipesThatNobodyAcceptsAreFew(t *testing.T) {
	v := newVictim(t)
	for i := range 50 {
		m := v.wrap(t, 0, &overlay.Message{Kind: overlay.KindOpen})
		m.From.RoundID, m.To.RoundID = onet.RoundID{byte(i), 1}, onet.RoundID{byte(i), 1}
		v.Process(&envelope{ServerIdentity: v.Identity(0), MsgType: onet.ProtocolMsgID, Msg: m})
	}
	if v.Pipes() != 2 {
		t.Errorf("%d pipes wait", v.Pipes())
	}
}

func TestAConnectionThatDoesNotSayWhoItIsEnds(t *testing.T) {
	v := newVictim(t)
	c := v.dial(t, 0)
	hangsUp(t, c)
}

// FuzzMessages reads what a member might send: an error or a message that the guard
// has judged, and never the end of the process.
func FuzzMessages(f *testing.F) {
	overlayMessage := &overlay.Message{Kind: overlay.KindData, Number: 1, Data: []byte("data")}
	inner := func() []byte {
		network.RegisterMessage(overlayMessage)
		b, _ := network.Marshal(overlayMessage)
		return b
	}()
	whole, err := network.Marshal(&onet.ProtocolMsg{From: &onet.Token{}, To: &onet.Token{}, MsgSlice: inner})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(inner)
	f.Add(nested(10))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _, err := overlay.Decode(b, suite, onet.ProtocolMsgID, network.MessageType(overlayMessage))
		if (m == nil) == (err == nil) {
			t.Errorf("got %v, %v", m, err)
		}
	})
}
