package mpc_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"consilium/mpc"
)

func TestSessionIDAsText(t *testing.T) {
	id := mpc.SessionID{0xab, 0xcd, 7: 1, 31: 0xef}
	text, err := json.Marshal(id)
	if want := `"abcd000000000001` + strings.Repeat("0", 46) + `ef"`; err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("began", "session", id)
	if !strings.Contains(log.String(), `"session":"abcd000000000001"`) {
		t.Errorf("logged %s", log.String())
	}
}
