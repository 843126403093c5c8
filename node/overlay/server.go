package overlay

import (
	"fmt"
	"os"
	"sync"

	"go.dedis.ch/onet/v3"
	"go.dedis.ch/onet/v3/network"
)

// pathVariable is how onet is told where its database is; it has no argument for
// it. environment guards the variable while it has a node's path.
const pathVariable = "CONODE_SERVICE_PATH"

var environment sync.Mutex

// newServer makes onet's server with its database in dir. The router that onet
// gives it is replaced by the caller's; it never serves, and its port on loopback
// is closed again at once.
func newServer(self *network.ServerIdentity, suite network.Suite, dir string) (server *onet.Server, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	environment.Lock()
	defer environment.Unlock()
	before, had := os.LookupEnv(pathVariable)
	if err := os.Setenv(pathVariable, dir); err != nil {
		return nil, err
	}
	defer func() {
		if had {
			_ = os.Setenv(pathVariable, before) // as it was
		} else {
			_ = os.Unsetenv(pathVariable)
		}
		if v := recover(); v != nil { // onet's way to say that it has no database
			err = fmt.Errorf("onet's database in %s: %v", dir, v)
		}
	}()
	server = onet.NewServerTCPWithListenAddr(self, suite, "127.0.0.1:0")
	return server, server.Router.Stop()
}
