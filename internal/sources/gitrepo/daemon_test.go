package gitrepo

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// daemon serves the directory of an origin over git's own protocol, and returns the address of the origin.
func (o *origin) daemon() string {
	o.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	program := filepath.Join(o.git("--exec-path"), "git-daemon")
	if _, err := os.Stat(program); err != nil {
		program = need(o.t, "git-daemon")
	}
	cmd := exec.Command(program, "--listen=127.0.0.1", "--port="+port, "--export-all", "--reuseaddr",
		"--base-path="+filepath.Dir(o.dir), filepath.Dir(o.dir))
	cmd.Env = cleanEnv()
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			return "git://" + addr + "/origin.git"
		}
		if time.Now().After(until) {
			o.t.Fatalf("git daemon does not listen: %v", err)
		}
	}
}

func TestDaemon(t *testing.T) {
	t.Parallel()
	for _, filters := range []string{"true", "false"} {
		t.Run("filters "+filters, func(t *testing.T) {
			o := sample(t)
			o.git("config", "uploadpack.allowFilter", filters)
			r := o.open(func(c *Config, _ *sources.Options) { c.Repo, c.Path = o.daemon(), "docs" })
			l := sourcetest.Scan(t, r)
			if len(l.Documents) != 20 {
				t.Fatalf("%d documents", len(l.Documents))
			}
			readAll(t, l)
			o.put("docs/p03.md", []byte("# edited\n"))
			o.flush()
			l = sourcetest.Scan(t, r)
			d, _ := l.Find("p03.md")
			if got, _, err := sourcetest.Read(t.Context(), d); err != nil || string(got) != "# edited\n" {
				t.Errorf("read %q, %v", got, err)
			}
			o.git("update-ref", "-d", "refs/heads/main")
			if err := r.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{}); !errors.Is(err, fault.ErrIncomplete) {
				t.Errorf("without the branch: %v", err)
			}
		})
	}
}
