package localserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// Postgres starts PostgreSQL.
func Postgres(ctx context.Context) (*Server, error) {
	const places = "/usr/lib/postgresql/*/bin"
	paths := map[string]string{}
	for _, name := range []string{"initdb", "postgres", "psql"} {
		path, err := program(name, "postgresql", places)
		if err != nil {
			return nil, err
		}
		paths[name] = path
	}
	s, err := newServer()
	if err != nil {
		return nil, err
	}
	s.stop = syscall.SIGQUIT
	s.client = []string{paths["psql"], "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", s.port(), "-U", s.User, "-d", "postgres"}
	data, secret := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "password")
	err = errors.Join(os.WriteFile(secret, []byte(password), 0o600), s.handOver(secret))
	if err == nil {
		err = s.once(paths["initdb"], "-D", data, "-U", s.User, "--pwfile", secret, "-A", "scram-sha-256", "-E", "UTF8", "--locale", "C", "--no-sync")
	}
	if err == nil {
		err = s.start(ctx, paths["postgres"], "-D", data, "-h", "127.0.0.1", "-p", s.port(), "-k", "",
			"-c", "fsync=off", "-c", "shared_buffers=32MB", "-c", "max_connections=50", "-c", "autovacuum=off")
	}
	if err == nil {
		_, err = s.Run(ctx, "CREATE DATABASE "+s.Database+";")
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.client[len(s.client)-1] = s.Database
	return s, nil
}
