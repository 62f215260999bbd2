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
		{"error: inflate: data stream error (incorrect header check)\nfatal: fetch-pack: invalid index-pack output", "invalid index-pack output", true},
		{"error: packfile /var/cache/x/repo.git/objects/pack/pack-" + strings.Repeat("a", 40) + ".pack cannot be accessed\nfatal: index-pack failed", "index-pack failed", false},
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

// What cannot be had is explained by the way to it.
func TestTroubleByForm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ repo, token, stderr, want string }{
		{"/srv/docs", "", "fatal: '/srv/docs' does not appear to be a git repository\nfatal: Could not read from remote repository.", "there is no git repository at /srv/docs; check repo, and that the user"},
		{"git://h/x", "", "fatal: remote error: access denied or repository not exported: /x", "does not exist, or the server does not export it; check repo"},
		{"https://h/x", "", "remote: x\nfatal: unable to access 'https://h/x/': The requested URL returned error: 403", "access denied; check repo; a repository that is not public needs a token"},
		{"https://h/x", "t", "fatal: unable to access 'https://h/x/': The requested URL returned error: 403", "access denied; give the token the right"},
		{"git@h:2222/a/b.git", "", "fatal: '2222/a/b.git' does not appear to be a git repository\nfatal: Could not read from remote repository.", "if 2222 is the port, write ssh://git@h:2222/a/b.git"},
		{"git@h:a/b.git", "", "ERROR: Repository not found.\nfatal: Could not read from remote repository.", "was not found; check repo, and that the key may read it"},
	} {
		r := &Repo{shown: tt.repo, token: secret.New(tt.token), access: access{address: tt.repo, form: formOf(tt.repo)}}
		err := r.trouble(t.Context(), &failure{stderr: tt.stderr, err: &exec.ExitError{}})
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.repo, err, tt.want)
		}
		if tt.token == "" && tt.repo[:5] != "https" && strings.Contains(err.Error(), "token") {
			t.Errorf("%s: %v", tt.repo, err)
		}
	}
}
