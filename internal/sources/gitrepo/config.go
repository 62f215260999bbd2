package gitrepo

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/sources"
)

// Kind is the entry of this source in sources/all.
var Kind = sources.Kind{
	Name:      "git",
	Summary:   "files of a branch, tag or commit in a git repository (not built yet)",
	NewConfig: func() sources.Config { return NewConfig() },
}

// Config is the configuration of a repository.
type Config struct {
	Repo       string        `yaml:"repo" required:"true" doc:"Where the repository is: an https, ssh or file address, git@host:path, or a path, relative to the configuration file."`
	Ref        string        `yaml:"ref" default:"the repository's default branch" doc:"A branch, tag or commit."`
	Path       string        `yaml:"path" default:"the whole repository" doc:"The directory in the repository that holds the documents."`
	Include    []string      `yaml:"include" kind:"glob" doc:"Globs relative to path, for example **/*.md; everything when absent."`
	Exclude    []string      `yaml:"exclude" kind:"glob" doc:"Globs relative to path that are left out."`
	Token      secret.String `yaml:"token" doc:"Token for https."`
	TokenFile  string        `yaml:"token_file" kind:"path" doc:"A file that holds the token, in place of token."`
	SSHKeyFile string        `yaml:"ssh_key_file" kind:"path" doc:"Private key for ssh; without it the agent and the keys of the user count."`
}

var _ sources.Config = (*Config)(nil)

// NewConfig is a configuration with its defaults.
func NewConfig() *Config { return &Config{} }

// form is the way a repository is reached.
type form int

const (
	formBad form = iota
	formPath
	formFile
	formHTTPS
	formHTTP
	formSSH
)

// scp is the short form of ssh addresses: user@host:path.
var scp = regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^:]`)

func formOf(repo string) form {
	scheme, _, ok := strings.Cut(repo, "://")
	switch {
	case !ok && scp.MatchString(repo):
		return formSSH
	case !ok && strings.Contains(repo, "::"): // the transports of git's remote helpers run programs
		return formBad
	case !ok:
		return formPath
	}
	return map[string]form{"https": formHTTPS, "http": formHTTP, "ssh": formSSH, "file": formFile}[strings.ToLower(scheme)]
}

// Validate implements sources.Config.
func (c *Config) Validate() []fault.Invalid {
	bad := c.checkRepo()
	add := func(field, msg, hint string) {
		bad = append(bad, fault.Invalid{Field: field, Msg: msg, Hint: hint})
	}
	if msg := checkRef(c.Ref); msg != "" {
		add("ref", msg, "write the name of a branch or tag, or a commit")
	}
	if c.Path != "" && (strings.HasPrefix(c.Path, "/") || strings.ContainsAny(c.Path, "\\\x00\n") || path.Clean(c.Path) == ".." || strings.HasPrefix(path.Clean(c.Path), "../")) {
		add("path", "not a directory inside the repository", "write it relative to the root of the repository, with /")
	}
	for field, globs := range map[string][]string{"include": c.Include, "exclude": c.Exclude} {
		for i, g := range globs {
			if strings.HasPrefix(g, "/") {
				add(fmt.Sprintf("%s[%d]", field, i), "begins with a slash", "globs are relative to path")
			}
		}
	}
	hasToken := !c.Token.IsZero() || c.TokenFile != ""
	if f := formOf(c.Repo); f != formBad && hasToken && f != formHTTPS && !(f == formHTTP && loopback(c.Repo)) {
		field := "token"
		if c.Token.IsZero() || c.TokenFile != "" {
			field = "token_file"
		}
		add(field, "a token is only sent over https", "use an https address, or remove it")
	} else if f != formBad && c.SSHKeyFile != "" && f != formSSH {
		add("ssh_key_file", "a key is only used with ssh", "use an ssh address, or remove it")
	}
	return bad
}

// loopback tells an address on this machine, where a token crosses no network.
func loopback(repo string) bool {
	u, err := url.Parse(repo)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
}

// checkRepo looks at the address. It does not repeat it, because it may carry a password.
func (c *Config) checkRepo() []fault.Invalid {
	one := func(msg, hint string) []fault.Invalid { return []fault.Invalid{{Field: "repo", Msg: msg, Hint: hint}} }
	if c.Repo == "" {
		return one("empty", "write the address of the repository or a path")
	}
	if strings.HasPrefix(c.Repo, "-") || strings.ContainsFunc(c.Repo, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return one("not an address", "it must not begin with a dash or contain control characters")
	}
	f := formOf(c.Repo)
	if f == formBad {
		return one("unsupported kind of address", "use https, ssh, file or a path")
	}
	if !strings.Contains(c.Repo, "://") {
		return nil
	}
	u, err := url.Parse(c.Repo)
	switch {
	case err != nil || (f != formFile && u.Hostname() == "") || u.Path == "" || u.Path == "/":
		return one("not a complete address", `write it in full, for example "https://github.com/acme/product.git"`)
	case strings.HasPrefix(u.Hostname(), "-"):
		return one("not an address", "a host cannot begin with a dash")
	case u.User != nil && f != formSSH:
		return one("must not contain a user name or password", "use token: ${GIT_TOKEN}")
	case u.User != nil && strings.HasPrefix(u.User.Username(), "-"):
		return one("not an address", "a user name cannot begin with a dash")
	}
	if _, password := u.User.Password(); password {
		return one("must not contain a password", "use ssh_key_file")
	}
	return nil
}

// checkRef refuses what git would not take for the name of a branch, tag or commit.
func checkRef(ref string) string {
	switch {
	case ref == "":
		return ""
	case strings.HasPrefix(ref, "-"):
		return "begins with a dash"
	case len(ref) > 250:
		return "too long"
	case strings.ContainsAny(ref, " ~^:?*[\\") || strings.Contains(ref, "..") || strings.Contains(ref, "@{") ||
		strings.Contains(ref, "//") || strings.HasSuffix(ref, ".lock") || strings.HasSuffix(ref, "/") || strings.HasPrefix(ref, "/") ||
		strings.ContainsFunc(ref, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return "not the name of a branch, tag or commit"
	}
	return ""
}

// Open says that this kind of source cannot be used yet.
func (c *Config) Open(sources.Options) (sources.Source, error) {
	return nil, fault.New(fault.ErrSetup, "sources of type git are not built yet").
		WithHint("remove it from the syncs for now")
}
