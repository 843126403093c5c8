package localserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Server is a database server that runs as a child of this process. Its only user has
// a password and may do anything.
type Server struct {
	Address  string // 127.0.0.1:PORT
	User     string
	Password string
	Database string

	dir    string
	cmd    *exec.Cmd
	done   chan struct{}  // closed when the process has ended
	stop   syscall.Signal // that ends the server at once, its clients notwithstanding
	client []string       // command that runs the SQL on its standard input

	run func(ctx context.Context, sql string) (string, error) // in place of a client, of a server within this process
	end func() error                                          // in place of Stop
}

// The only user of a server.
const (
	userName = "consilium"
	password = "loopback only"
	database = "hospital"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 15 * time.Second
	pollEvery    = 50 * time.Millisecond
)

// Run gives SQL to the server's own client and returns what it prints.
func (s *Server) Run(ctx context.Context, sql string) (string, error) {
	if s.run != nil {
		return s.run(ctx, sql)
	}
	cmd := exec.CommandContext(ctx, s.client[0], s.client[1:]...)
	var out, failed bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(sql), &out, &failed
	cmd.Env = append(os.Environ(), "PGPASSWORD="+s.Password, "MYSQL_PWD="+s.Password)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(s.client[0]), err, strings.TrimSpace(failed.String()))
	}
	return out.String(), nil
}

// Stop ends the server and removes its directory.
func (s *Server) Stop() error {
	if s.end != nil {
		return s.end()
	}
	var err error
	if s.cmd != nil {
		// A process that has already ended needs no signal.
		_ = s.cmd.Process.Signal(s.stop)
		late := time.NewTimer(stopTimeout)
		defer late.Stop()
		select {
		case <-s.done:
		case <-late.C:
			err = fmt.Errorf("%s did not stop within %v and was killed", filepath.Base(s.cmd.Path), stopTimeout)
			_ = s.cmd.Process.Kill()
			<-s.done
		}
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// program finds a program on the path or where Debian puts it.
func program(name, pkg string, places ...string) (string, error) {
	for _, place := range append(places, "/usr/sbin", "/usr/bin") {
		// A later version comes later in the alphabet, up to two digits.
		found, _ := filepath.Glob(filepath.Join(place, name))
		if len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("%s is not installed: install Debian's package %s (apt-get install %s)", name, pkg, pkg)
}

// newServer makes a server's directory.
func newServer() (*Server, error) {
	dir, err := os.MkdirTemp("", "consilium-server-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	s := &Server{
		Address: net.JoinHostPort("127.0.0.1", port), User: userName, Password: password, Database: database,
		dir: dir, stop: syscall.SIGTERM,
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, s.handOver(dir)
}

// freePort returns a port that nobody listened at a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func (s *Server) port() string {
	_, port, _ := net.SplitHostPort(s.Address)
	return port
}

// account is whose rights a server of this process has: nobody's if this is root, as
// which most servers refuse to run.
func account() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("servers do not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// handOver gives a file or directory to the server's account.
func (s *Server) handOver(path string) error {
	c, err := account()
	if c == nil || err != nil {
		return err
	}
	return os.Chown(path, int(c.Uid), int(c.Gid))
}

// command prepares a program that runs with the server's rights.
func (s *Server) command(path string, args ...string) (*exec.Cmd, error) {
	c, err := account()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "TZ=UTC")
	// It ends with this process, and no sooner by a Ctrl-C at the terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c}
	endWithParent(cmd.SysProcAttr)
	return cmd, nil
}

// once runs a program that prepares the server.
func (s *Server) once(path string, args ...string) error {
	cmd, err := s.command(path, args...)
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(path), err, lastLine(out))
	}
	return nil
}

// start runs the server and waits until its client gets an answer.
func (s *Server) start(ctx context.Context, path string, args ...string) error {
	cmd, err := s.command(path, args...)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(path), err)
	}
	s.cmd, s.done = cmd, make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(s.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(pollEvery)
	defer again.Stop()
	for {
		_, err := s.Run(ctx, "SELECT 1;")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", filepath.Base(path), err)
		case <-s.done:
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%s ended: %s", filepath.Base(path), lastLine(text))
		case <-again.C:
		}
	}
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
