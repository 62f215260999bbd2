package gitrepo

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// sshd is a real server on loopback that runs as the current user.
type sshd struct {
	dir, addr, user string
}

func startSSHD(t *testing.T) *sshd {
	t.Helper()
	need(t, "ssh")
	keygen := need(t, "ssh-keygen")
	program := "/usr/sbin/sshd"
	if _, err := os.Stat(program); err != nil {
		program = need(t, "sshd")
	}
	who, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := &sshd{dir: t.TempDir(), user: who.Username}
	for _, name := range []string{"host", "good key", "bad"} {
		if out, err := exec.Command(keygen, "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, name)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(s.addr)
	config := fmt.Sprintf("Port %s\nListenAddress 127.0.0.1\nHostKey %s/host\nPidFile none\nAuthorizedKeysFile \"%s/good key.pub\"\nStrictModes no\n"+
		"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nUsePAM no\nAcceptEnv GIT_PROTOCOL\n", port, s.dir, s.dir)
	s.write(t, "config", config)
	pub, err := os.ReadFile(filepath.Join(s.dir, "host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(filepath.Join(s.dir, "bad.pub"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "known hosts", "[127.0.0.1]:"+port+" "+string(pub))
	s.write(t, "wrong hosts", "[127.0.0.1]:"+port+" "+string(other))
	s.write(t, "no hosts", "")
	cmd := exec.Command(program, "-D", "-e", "-f", filepath.Join(s.dir, "config"))
	var said strings.Builder
	cmd.Stderr = &said
	if os.Geteuid() == 0 {
		_ = os.MkdirAll("/run/sshd", 0o755) // where a server of root goes when it sheds its rights
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("sshd: %s", said.String())
		}
	})
	s.ready(t, &said)
	return s
}

// ready waits until the server listens.
func (s *sshd) ready(t *testing.T, said *strings.Builder) {
	t.Helper()
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(until) {
			t.Fatalf("sshd does not listen: %s", said.String())
		}
	}
}

func (s *sshd) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSSH(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	o := sample(t)
	for _, tt := range []struct{ name, key, hosts, want string }{
		{"good", "good key", "known hosts", ""},
		{"unknown host", "good key", "no hosts", "host key is not known"},
		{"another host", "good key", "wrong hosts", "host key is not known"},
		{"wrong key", "bad", "known hosts", "refuses the ssh key"},
		{"no key", "nothing", "known hosts", "nothing cannot be read"},
	} {
		r := o.open(func(c *Config, _ *sources.Options) {
			c.Repo = "ssh://" + s.user + "@" + s.addr + o.dir
			c.SSHKeyFile, c.KnownHostsFile = filepath.Join(s.dir, tt.key), filepath.Join(s.dir, tt.hosts)
			c.Include = []string{"docs/**"}
		})
		l := &sourcetest.Listing{}
		err := r.Scan(t.Context(), sources.Known{}, l)
		switch {
		case tt.want != "":
			if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		case err != nil || len(l.Documents) != 20:
			t.Errorf("%s: %d documents, %v", tt.name, len(l.Documents), err)
			continue
		}
		if err := r.Fetch(t.Context(), pointers(l)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		readAll(t, l)
	}
}
