package daemon

import (
	"fmt"
	"net"
	"strconv"
)

// CheckAddress checks that the value of a configuration's key is host:port. An
// empty host means all of the machine's addresses, port 0 any free port.
func CheckAddress(key, value string) error {
	_, err := hostOf(key, value)
	return err
}

// CheckLoopback checks that the value of a configuration's key is host:port and
// leads nowhere but to this machine. Names are refused, localhost too: where
// they lead is not written in the configuration.
func CheckLoopback(key, value string) error {
	host, err := hostOf(key, value)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s: %q is not a loopback address; write 127.0.0.1 or [::1], no name, before the port", key, value)
	}
	return nil
}

func hostOf(key, value string) (string, error) {
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		return "", fmt.Errorf("%s: %q is not host:port, such as 127.0.0.1:7101", key, value)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "", fmt.Errorf("%s: %q has no port number from 0 to 65535", key, value)
	}
	return host, nil
}
