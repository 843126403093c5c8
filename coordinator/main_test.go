package coordinator

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childConfig names, in the environment of a child process of the tests, the
// configuration of the coordinator that it shall be until it is killed.
const childConfig = "CONSILIUM_TEST_COORDINATOR"

func TestMain(m *testing.M) {
	if path := os.Getenv(childConfig); path != "" {
		os.Exit(beCoordinator(path))
	}
	goleak.VerifyTestMain(m)
}

func beCoordinator(path string) int {
	cfg, err := LoadConfig(path)
	if err == nil {
		var s *Server
		if s, err = Start(context.Background(), *cfg); err == nil {
			fmt.Println(s.Addr())
			<-s.Done()
			err = s.Close(context.Background())
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
