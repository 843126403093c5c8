package localserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// MariaDB starts MariaDB, which speaks MySQL's protocol.
func MariaDB(ctx context.Context) (*Server, error) {
	paths := map[string]string{}
	for _, name := range []string{"mariadb-install-db", "mariadbd", "mariadb"} {
		path, err := program(name, "mariadb-server")
		if err != nil {
			return nil, err
		}
		paths[name] = path
	}
	s, err := newServer()
	if err != nil {
		return nil, err
	}
	data, first := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "first.sql")
	s.client = []string{paths["mariadb"], "--no-defaults", "-h", "127.0.0.1", "-P", s.port(), "-u", s.User, "-N", "-B", "--default-character-set=utf8mb4"}
	grants := fmt.Sprintf("CREATE DATABASE %s;\nCREATE USER %s@'127.0.0.1' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO %[2]s@'127.0.0.1' WITH GRANT OPTION;\n", database, s.User, s.Password)
	err = errors.Join(os.WriteFile(first, []byte(grants), 0o600), s.handOver(first))
	if err == nil {
		err = s.once(paths["mariadb-install-db"], "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=8M")
	}
	if err == nil {
		err = s.start(ctx, paths["mariadbd"], "--no-defaults", "--datadir="+data, "--bind-address=127.0.0.1", "--port="+s.port(),
			"--socket="+filepath.Join(s.dir, "socket"), "--init-file="+first, "--character-set-server=utf8mb4",
			"--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--local-infile=1", "--skip-name-resolve")
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.client = append(s.client, s.Database)
	return s, nil
}
