package gitrepo

import (
	"strings"
	"testing"

	"kbsyncd/internal/secret"
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
		{"git", func(c *Config) { c.Repo = "git://example.com/product.git" }, ""},
		{"token over git", func(c *Config) { c.Repo, c.Token = "git://example.com/product.git", secret.New("t") }, "token"},
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
		{"page", func(c *Config) { c.Repo = "https://github.com/acme/product/tree/main/docs" }, "repo"},
		{"file page", func(c *Config) { c.Repo = "https://git.example.com/acme/docs/-/blob/main/a.md" }, "repo"},
		{"a group named tree", func(c *Config) { c.Repo = "https://git.example.com/acme/docs/tree/x.git" }, ""},
		{"ref", func(c *Config) { c.Ref = "feature/x-1.0" }, ""},
		{"ref option", func(c *Config) { c.Ref = "--all" }, "ref"},
		{"ref range", func(c *Config) { c.Ref = "a..b" }, "ref"},
		{"outside", func(c *Config) { c.Path = "docs/../../x" }, "path"},
		{"absolute", func(c *Config) { c.Path = "/docs" }, "path"},
		{"helper", func(c *Config) { c.CredentialHelper = true }, ""},
		{"helper and token", func(c *Config) { c.CredentialHelper, c.Token = true, secret.New("t") }, "credential_helper"},
		{"helper with ssh", func(c *Config) { c.Repo, c.CredentialHelper = "git@example.com:x.git", true }, "credential_helper"},
		{"user", func(c *Config) { c.Username = "a\nb" }, "username"},
		{"hosts with https", func(c *Config) { c.KnownHostsFile = "/k" }, "known_hosts_file"},
		{"hosts", func(c *Config) { c.Repo, c.KnownHostsFile = "git@example.com:x.git", "/k" }, ""},
		{"odd key file", func(c *Config) { c.Repo, c.SSHKeyFile = "git@example.com:x.git", "/k%h" }, "ssh_key_file"},
		{"public", func(c *Config) { c.PublicURL = "https://docs.example.com/{page}?v=1" }, ""},
		{"public twice", func(c *Config) { c.PublicURL = "https://docs.example.com/{page}/{path}" }, "public_url"},
		{"public brace", func(c *Config) { c.PublicURL = "https://docs.example.com/{name}" }, "public_url"},
		{"public user", func(c *Config) { c.PublicURL = "https://u@docs.example.com/" }, "public_url"},
		{"public fragment", func(c *Config) { c.PublicURL = "https://docs.example.com/#{path}" }, "public_url"},
		{"public scheme", func(c *Config) { c.PublicURL = "javascript:alert(1)" }, "public_url"},
		{"glob", func(c *Config) { c.Include = []string{"/docs/**"} }, "include"},
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
