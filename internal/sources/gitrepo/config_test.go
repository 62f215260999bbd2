package gitrepo

import (
	"errors"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/sources"
)

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		field  string // "" when the configuration is good
	}{
		{"https", func(*Config) {}, ""},
		{"path", func(c *Config) { c.Repo = "../product" }, ""},
		{"file", func(c *Config) { c.Repo = "file:///srv/product.git" }, ""},
		{"ssh", func(c *Config) { c.Repo, c.SSHKeyFile = "ssh://git@example.com/product.git", "/key" }, ""},
		{"scp", func(c *Config) { c.Repo, c.SSHKeyFile = "git@example.com:product.git", "/key" }, ""},
		{"token", func(c *Config) { c.Token = secret.New("t") }, ""},
		{"token to this machine", func(c *Config) { c.Repo, c.Token = "http://127.0.0.1:9000/x.git", secret.New("t") }, ""},
		{"token in the clear", func(c *Config) { c.Repo, c.Token = "http://example.com/x.git", secret.New("t") }, "token"},
		{"token with ssh", func(c *Config) { c.Repo, c.TokenFile = "git@example.com:x.git", "/t" }, "token_file"},
		{"key with https", func(c *Config) { c.SSHKeyFile = "/key" }, "ssh_key_file"},
		{"no repo", func(c *Config) { c.Repo = "" }, "repo"},
		{"option", func(c *Config) { c.Repo = "--upload-pack=id" }, "repo"},
		{"program", func(c *Config) { c.Repo = "ext::sh -c id" }, "repo"},
		{"scheme", func(c *Config) { c.Repo = "ftp://example.com/x.git" }, "repo"},
		{"host option", func(c *Config) { c.Repo = "ssh://-oProxyCommand=id/x" }, "repo"},
		{"user option", func(c *Config) { c.Repo = "ssh://-oProxyCommand=id@example.com/x" }, "repo"},
		{"password", func(c *Config) { c.Repo = "https://u:p@example.com/x.git" }, "repo"},
		{"ssh password", func(c *Config) { c.Repo = "ssh://u:p@example.com/x.git" }, "repo"},
		{"no path", func(c *Config) { c.Repo = "https://example.com" }, "repo"},
		{"ref", func(c *Config) { c.Ref = "feature/x-1.0" }, ""},
		{"ref option", func(c *Config) { c.Ref = "--all" }, "ref"},
		{"ref range", func(c *Config) { c.Ref = "a..b" }, "ref"},
		{"outside", func(c *Config) { c.Path = "docs/../../x" }, "path"},
		{"absolute", func(c *Config) { c.Path = "/docs" }, "path"},
		{"glob", func(c *Config) { c.Include = []string{"/docs/**"} }, "include[0]"},
	} {
		c := NewConfig()
		c.Repo = "https://example.com/x.git"
		tt.change(c)
		var fields []string
		for _, bad := range c.Validate() {
			fields = append(fields, bad.Field)
		}
		if got := strings.Join(fields, " "); got != tt.field {
			t.Errorf("%s: problems with %q, want %q", tt.name, got, tt.field)
		}
	}
}

func TestOpen(t *testing.T) {
	if _, err := NewConfig().Open(sources.Options{}); !errors.Is(err, fault.ErrSetup) {
		t.Error(err)
	}
}
