package gitrepo

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
)

// What git, curl and ssh were seen to write, and what becomes of it. A cache is made anew only for what is wrong with the cache.
func TestTrouble(t *testing.T) {
	t.Parallel()
	r := &Repo{shown: "https://example.com/x.git", token: secret.New(testToken), cache: &cache{dir: "/var/cache/x/repo.git"}}
	for _, tt := range []struct {
		stderr, want string
		foreign      bool
	}{
		{"Host key verification failed.\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.", "host key is not known", true},
		{"git@example.com: Permission denied (publickey).\nfatal: Could not read from remote repository.", "refuses the ssh key", true},
		{"ssh: Could not resolve hostname nowhere: Name or service not known\nfatal: Could not read from remote repository.", "cannot be resolved", true},
		{"ssh: connect to host x port 22: Connection timed out\nfatal: Could not read from remote repository.", "in time", true},
		{"remote: Repository not found.\nfatal: repository 'https://example.com/x.git/' not found", "was not found", true},
		{"remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://example.com/x.git/'", "authentication failed", true},
		{"fatal: unable to access 'https://example.com/x.git/': The requested URL returned error: 503", "broke off", true},
		{"fatal: unable to access 'https://example.com/x.git/': SSL certificate problem: self-signed certificate", "not trusted", true},
		{"fatal: unable to access 'https://u:" + testToken + "@example.com/x.git/': something new", "something new", true},
		{"error: object file /var/cache/x/repo.git/objects/aa is empty\nfatal: bad object HEAD", "git: bad object HEAD", false},
		{"fatal: bad config line 1 in file /var/cache/x/repo.git/config", "in file the cache/config", false},
		{"fatal: \x1b[31mred\x1b[0m", `\x1b[31mred`, false},
		{"", "exit status 1", false},
	} {
		f := &failure{stderr: tt.stderr, err: &exec.ExitError{}}
		if tt.stderr == "" {
			f.err = errors.New("exit status 1")
		}
		err := r.trouble(t.Context(), f)
		if !errors.Is(err, fault.ErrIncomplete) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), testToken) || strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("%q becomes %v, want %q", tt.stderr, err, tt.want)
		}
		if foreign(f) != tt.foreign {
			t.Errorf("%q: foreign %v", tt.stderr, foreign(f))
		}
	}
}
