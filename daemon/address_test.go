package daemon

import "testing"

func TestCheckAddress(t *testing.T) {
	for _, good := range []string{"0.0.0.0:7101", ":7101", "[::]:0", "node-1.example.org:65535", "127.0.0.1:0"} {
		if err := CheckAddress("listen", good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":                "not host:port",
		"hospital-1":      "not host:port",
		"::1:7101":        "not host:port",
		"0.0.0.0:https":   "no port number",
		"127.0.0.1:":      "no port number",
		"127.0.0.1:65536": "no port number",
		"127.0.0.1:-1":    "no port number",
		"127.0.0.1:07101": "no port number",
		"127.0.0.1:7101 ": "no port number",
	} {
		wantError(t, CheckAddress("listen", bad), want)
		wantError(t, CheckLoopback("listen", bad), "listen: ")
	}
}

func TestCheckLoopback(t *testing.T) {
	for _, good := range []string{"127.0.0.1:9101", "[::1]:9101", "127.8.9.1:0"} {
		if err := CheckLoopback("metrics", good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"0.0.0.0:9101", ":9101", "[::]:9101", "192.0.2.1:9101", "localhost:9101", "localhost.example.org:9101", "[fe80::1]:9101"} {
		wantError(t, CheckLoopback("metrics", bad), "not a loopback address; write 127.0.0.1")
	}
}
