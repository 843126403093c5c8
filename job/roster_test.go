package job

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

func TestRosterRoundTrip(t *testing.T) {
	s := newStudy(t, 5)
	file, err := SignRoster(s.roster, s.admin)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseRoster(file)
	if err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	want := *s.roster
	want.Admin = Admin{Name: "office", Key: Base64(s.admin.Key.Public().(ed25519.PublicKey))}
	want.derived = r.Roster.derived
	if !reflect.DeepEqual(r.Roster, &want) {
		t.Errorf("got %+v\nwant %+v", r.Roster, &want)
	}
	if len(s.roster.Admin.Key) != 0 {
		t.Error("signing changed its argument")
	}
	if !bytes.Equal(r.Bytes, file) || !strings.Contains(string(file), "study: lung-2026\n") || !strings.Contains(string(file), "\n— office ") {
		t.Errorf("the file is not readable:\n%s", file)
	}
}

func TestRosterLookups(t *testing.T) {
	s := newStudy(t, 4)
	r := s.file(t).Roster
	if n, ok := r.Node("hospital-2"); !ok || n.Organisation != "Hospital 2" {
		t.Error("Node")
	}
	if _, ok := r.Node("ada"); ok || r.NodeIndex("ada") != -1 || r.NodeIndex("hospital-4") != 3 {
		t.Error("NodeIndex")
	}
	if n, ok := r.NodeByCert(s.nodes[2].Certificate); !ok || n.Name != "hospital-3" {
		t.Error("NodeByCert")
	}
	if _, ok := r.NodeByCert(s.client.Certificate); ok {
		t.Error("NodeByCert takes a client")
	}
	if c, ok := r.ClientByCert(s.client.Certificate); !ok || c.Name != "ada" {
		t.Error("ClientByCert")
	}
	if _, ok := r.ClientByKey(r.NodeKey(0)); ok {
		t.Error("ClientByKey takes a node")
	}
	if c, ok := r.Client("ada"); !ok || !bytes.Equal(c.Recipient, s.recipient) {
		t.Error("Client")
	}
	if !r.NodeKey(1).Equal(s.nodes[1].Key.Public()) {
		t.Error("NodeKey")
	}
	r.Parties = []string{"hospital-4", "hospital-1", "hospital-2"}
	if got := r.PartyIndexes(); !reflect.DeepEqual(got, []int{3, 0, 1}) {
		t.Errorf("PartyIndexes %v", got)
	}
	d, ok := r.Dataset("lung")
	if !ok || d.Rows() != 400 {
		t.Error("Dataset")
	}
	if site, ok := d.Site("hospital-2"); !ok || site.Rows != 100 {
		t.Error("Site")
	}
	if _, ok := d.Site("nobody"); ok {
		t.Error("Site of nobody")
	}
}

func TestRosterAltered(t *testing.T) {
	s := newStudy(t, 3)
	file, err := SignRoster(s.roster, s.admin)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(file); i++ {
		// Keys and certificates are long lines: a sample of them does.
		if line := file[bytes.LastIndexByte(file[:i], '\n')+1 : i]; len(line) > 100 && i%31 != 0 {
			continue
		}
		altered := bytes.Clone(file)
		altered[i] ^= 1
		if _, err := ParseRoster(altered); err == nil {
			t.Fatalf("byte %d altered, not refused", i)
		}
	}
	// The last character before the padding carries two bits that mean nothing.
	loose := bytes.Clone(file)
	last := bytes.LastIndexByte(loose, '=') - 1
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	loose[last] = alphabet[strings.IndexByte(alphabet, loose[last])+1]

	verifier, err := adminVerifier("other", s.client.Key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	text := file[:bytes.LastIndex(file, []byte("\n\n"))+1]
	other, err := note.Sign(&note.Note{Text: string(text)}, adminSigner{verifier, s.client.Key})
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(other, note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	adminVerify, err := adminVerifier("office", s.admin.Key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	both, err := note.Sign(n, adminSigner{adminVerify, s.admin.Key})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"another's signature": {other, "not signed by its administrator office alone"},
		"a second signature":  {both, "not signed by its administrator office alone"},
		"loose base64":        {loose, "not signed by its administrator office alone"},
		"no signature":        {text, "no signature"},
		"empty":               {nil, "no signature"},
		"trailing":            {append(bytes.Clone(file), '\n'), "roster: "},
		"too large":           {make([]byte, MaxRosterBytes+1), "at most"},
		"unknown key":         {bytes.Replace(file, []byte("min_count"), []byte("mincount"), 1), `unknown key "mincount": did you mean "min_count"? known: min_count, allow_minimum, allow_maximum`},
		"no admin":            {bytes.Replace(file, []byte("name: office"), []byte("name: ''"), 1), "admin name"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseRoster(c.file)
			wantError(t, err, c.want)
		})
	}
}

func TestReadRoster(t *testing.T) {
	s := newStudy(t, 3)
	r := s.file(t)
	path := filepath.Join(t.TempDir(), "roster.txt")
	_, err := ReadRoster(path, Hash{})
	wantError(t, err, "copy the study's roster there")
	if err := os.WriteFile(path, r.Bytes, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, pin := range []Hash{{}, r.Hash} {
		got, err := ReadRoster(path, pin)
		if err != nil || got.Hash != r.Hash {
			t.Errorf("pin %v: %v", pin, err)
		}
	}
	pin := r.Hash
	pin[0] ^= 1
	_, err = ReadRoster(path, pin)
	wantError(t, err, r.Hash.Short())
	wantError(t, err, pin.Short())
}

func TestRosterCheck(t *testing.T) {
	s := newStudy(t, 4)
	for name, c := range map[string]struct {
		change func(*Roster)
		want   string
	}{
		"study":                   {func(r *Roster) { r.Study = "A" }, "study is"},
		"version":                 {func(r *Roster) { r.Version = 0 }, "version is 0"},
		"overlay":                 {func(r *Roster) { r.Overlay = "tor" }, "overlay is \"tor\": use links or onet"},
		"min count":               {func(r *Roster) { r.Disclosure.MinCount = -1 }, "min_count"},
		"two nodes":               {func(r *Roster) { r.Nodes = r.Nodes[:2] }, "2 nodes"},
		"too many nodes":          {func(r *Roster) { r.Nodes = make([]Node, MaxNodes+1) }, "101 nodes"},
		"node name":               {func(r *Roster) { r.Nodes[0].Name = "-a" }, `node is "-a"`},
		"same node":               {func(r *Roster) { r.Nodes[3] = r.Nodes[0] }, "the name is taken"},
		"client as node":          {func(r *Roster) { r.Clients[0].Name = "hospital-1" }, "the name is taken"},
		"name not in certificate": {func(r *Roster) { r.Nodes[0].Name = "hospital-9" }, `its certificate is for "hospital-1"`},
		"no certificate":          {func(r *Roster) { r.Nodes[0].Certificate = nil }, "certificate has 0 bytes"},
		"bad certificate":         {func(r *Roster) { r.Coordinator.Certificate = Base64("x") }, "not X.509"},
		"same key": {func(r *Roster) {
			twin := *s.nodes[0]
			twin.Name = "hospital-4"
			r.Nodes[3].Certificate = certify(t, twin.Name, twin.Key)
		}, "node hospital-4: it has the key of hospital-1"},
		"organisation":      {func(r *Roster) { r.Nodes[0].Organisation = "" }, "no organisation"},
		"organisation text": {func(r *Roster) { r.Nodes[0].Organisation = "a\nb" }, "printed"},
		"address":           {func(r *Roster) { r.Nodes[0].Address = "localhost" }, "host:port"},
		"port":              {func(r *Roster) { r.Coordinator.Address = "localhost:0" }, "host:port"},
		"recipient":         {func(r *Roster) { r.Clients[0].Recipient = r.Clients[0].Recipient[:9] }, "recipient key has 9 bytes"},
		"two parties":       {func(r *Roster) { r.Parties = r.Parties[:2] }, "2 parties"},
		"unknown party":     {func(r *Roster) { r.Parties[1] = "hospital-22" }, `did you mean "hospital-2"?`},
		"same party":        {func(r *Roster) { r.Parties[1] = "hospital-1" }, "one organisation"},
		"same organisation": {func(r *Roster) { r.Nodes[1].Organisation = " hospital  1" }, "one organisation"},
		"dataset name":      {func(r *Roster) { r.Datasets[0].Name = "a b" }, "dataset is"},
		"dataset twice":     {func(r *Roster) { r.Datasets = append(r.Datasets, r.Datasets[0]) }, "comes twice"},
		"no sites":          {func(r *Roster) { r.Datasets[0].Sites = nil }, "no sites"},
		"site is no node":   {func(r *Roster) { r.Datasets[0].Sites[0].Node = "ada" }, "is no node"},
		"site twice":        {func(r *Roster) { r.Datasets[0].Sites[0].Node = "hospital-2" }, "comes twice"},
		"no rows":           {func(r *Roster) { r.Datasets[0].Sites[0].Rows = 0 }, "declares 0 rows"},
		"many rows":         {func(r *Roster) { r.Datasets[0].Sites[0].Rows = maxRows + 1 }, "rows"},
		"schema":            {func(r *Roster) { r.Datasets[0].Schema.Columns = nil }, "schema has 0 columns"},
		"admin":             {func(r *Roster) { r.Admin.Key = r.Admin.Key[1:] }, "admin key"},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.file(t).Roster
			c.change(r)
			wantError(t, r.Check(), c.want)
			wantError(t, r.Check(), "roster: ")
		})
	}
	r := s.file(t).Roster
	r.Datasets[0].Sites[0].Rows = maxRows
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	r.Parties[0] = "hospital-9"
	_, err := SignRoster(r, s.admin)
	wantError(t, err, "is no node")
	_, err = SignRoster(s.roster, &Identity{Name: "x"})
	wantError(t, err, "no Ed25519 key")
}

func TestCards(t *testing.T) {
	s := newStudy(t, 3)
	node := Card{Kind: KindNode, Name: "hospital-1", Organisation: "Hospital", Address: "h:1", Certificate: s.nodes[0].Certificate}
	client := Card{Kind: KindClient, Name: "ada", Organisation: "University", Certificate: s.client.Certificate, Recipient: s.recipient}
	coordinator := Card{Kind: KindCoordinator, Name: "rendezvous", Address: "h:1", Certificate: s.coordinator.Certificate}
	for _, c := range []Card{node, client, coordinator} {
		b, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadCard(b)
		if err != nil || !reflect.DeepEqual(got, &c) {
			t.Errorf("got %+v, %v, want %+v", got, err, c)
		}
	}
	for name, c := range map[string]struct {
		card   Card
		change func(*Card)
		want   string
	}{
		"kind":                {node, func(c *Card) { c.Kind = "x" }, "use node, coordinator or client"},
		"name":                {node, func(c *Card) { c.Name = "" }, "name is"},
		"other's certificate": {node, func(c *Card) { c.Certificate = s.nodes[1].Certificate }, "its certificate is for"},
		"no organisation":     {node, func(c *Card) { c.Organisation = "" }, "no organisation"},
		"no address":          {coordinator, func(c *Card) { c.Address = "" }, "host:port"},
		"node's recipient":    {node, func(c *Card) { c.Recipient = s.recipient }, "only clients"},
		"client's address":    {client, func(c *Card) { c.Address = "h:1" }, "nobody connects"},
		"no recipient":        {client, func(c *Card) { c.Recipient = nil }, "recipient key has 0 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			c.change(&c.card)
			_, err := c.card.Encode()
			wantError(t, err, c.want)
		})
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":    {"", "empty"},
		"unknown":  {"kind: node\nsecret: x\n", `line 2: unknown key "secret": known: kind, name`},
		"base64":   {"kind: node\nname: a\ncertificate: '*'\n", "base64"},
		"too long": {strings.Repeat("#", maxCard+1), "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadCard([]byte(c.text))
			wantError(t, err, c.want)
		})
	}
}

func TestParsePin(t *testing.T) {
	hash := Hash{31: 7}
	if pin, err := ParsePin(hash.String()); err != nil || pin != hash {
		t.Errorf("pin %v, %v", pin, err)
	}
	for text, want := range map[string]string{
		"":                                      "roster_hash is missing: no roster is pinned yet",
		"00":                                    "roster_hash: hash: not 64",
		Hash{}.String():                         "roster_hash: zero is no file's hash",
		strings.ToUpper(Hash{9, 0xAB}.String()): "lower-case",
	} {
		_, err := ParsePin(text)
		wantError(t, err, want)
	}
}

func TestRosterOverlay(t *testing.T) {
	for overlay, inFile := range map[Overlay]bool{"": false, OverlayLinks: true, OverlayOnet: true} {
		s := newStudy(t, 4)
		s.roster.Overlay = overlay
		f := s.file(t)
		if f.Roster.Overlay != overlay {
			t.Errorf("overlay %q came back as %q", overlay, f.Roster.Overlay)
		}
		if got := strings.Contains(string(f.Bytes), "\noverlay: "); got != inFile {
			t.Errorf("overlay %q stands in the file: %v, want %v", overlay, got, inFile)
		}
	}
}
