package gitrepo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/sourcetest"
)

// What is wrong with a key is said before the server is asked, which would only refuse it.
func TestKeys(t *testing.T) {
	t.Parallel()
	keygen := need(t, "ssh-keygen")
	dir := t.TempDir()
	for name, args := range map[string][]string{"good": {"-t", "ed25519", "-N", ""}, "locked": {"-t", "ed25519", "-N", "secret words"}, "old": {"-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret words"}} {
		if out, err := exec.Command(keygen, append(args, "-q", "-f", filepath.Join(dir, name))...).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "good"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "open"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "open"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"good.pub": "is the public half of a key; name the private one",
		"locked":   "has a passphrase",
		"old":      "has a passphrase",
		"open":     "can be read by other users, so that ssh does not use it; chmod 600",
		"none":     "cannot be read: no such file",
		".":        "is a directory",
	} {
		c := NewConfig()
		c.Repo, c.SSHKeyFile = "git@127.0.0.1:x.git", name
		s, err := c.Open(sources.Options{Name: "docs", Dir: dir, CacheDir: filepath.Join(t.TempDir(), "cache")})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Scan(t.Context(), sources.Known{}, &sourcetest.Listing{})
		if err == nil || !strings.Contains(err.Error(), "ssh_key_file "+name+" "+want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		_ = s.Close()
	}
	if err := usableKey(filepath.Join(dir, "good"), "good"); err != nil {
		t.Error(err)
	}
}

func FuzzKeyTrouble(f *testing.F) {
	f.Add([]byte("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU="))
	f.Fuzz(func(t *testing.T, text []byte) {
		if what, hint := keyTrouble(text); (what == "") != (hint == "") {
			t.Errorf("%q, %q", what, hint)
		}
	})
}
