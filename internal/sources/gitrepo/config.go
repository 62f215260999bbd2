package gitrepo

import (
	"log/slog"
	"net"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/sources"
	"kbsyncd/internal/sources/filter"
)

// Kind is the entry of this source in sources/all.
var Kind = sources.Kind{
	Name:      "git",
	Summary:   "files of a branch, tag or commit in a git repository",
	NewConfig: func() sources.Config { return NewConfig() },
}

// Config is the configuration of a repository.
type Config struct {
	Repo             string        `yaml:"repo" required:"true" doc:"Where the repository is: an https, ssh, git or file address, git@host:path, or a path, relative to the configuration file."`
	Ref              string        `yaml:"ref" default:"the repository's default branch" doc:"A branch, a tag, or a commit with all its digits. Of a branch and a tag with one name the branch counts; refs/tags/NAME names the tag."`
	Path             string        `yaml:"path" default:"the whole repository" doc:"The directory in the repository that holds the documents."`
	Include          []string      `yaml:"include" kind:"glob" doc:"Globs relative to path, for example **/*.md; everything when absent."`
	Exclude          []string      `yaml:"exclude" kind:"glob" doc:"Globs relative to path that are left out; .kbsyncignore files (gitignore syntax) count as well."`
	PublicURL        string        `yaml:"public_url" doc:"Where readers find the documents: relative links in Markdown become absolute. An address that the path is added to, or one with {path} or {page} (the path without extension, and without index or README) in its place."`
	Token            secret.String `yaml:"token" doc:"Token for https."`
	TokenFile        string        `yaml:"token_file" kind:"path" doc:"A file that holds the token, in place of token."`
	Username         string        `yaml:"username" doc:"The user name that goes with the token: x-access-token for GitHub, oauth2 for GitLab, any for Gitea."`
	CredentialHelper bool          `yaml:"credential_helper" doc:"Use the credential helpers of the user's own git configuration."`
	SSHKeyFile       string        `yaml:"ssh_key_file" kind:"path" doc:"Private key for ssh; without it the agent and the keys of the user count."`
	KnownHostsFile   string        `yaml:"known_hosts_file" kind:"path" default:"those of the user and the system" doc:"The host keys that are trusted for ssh."`
}

var _ sources.Config = (*Config)(nil)

// NewConfig is a configuration with its defaults.
func NewConfig() *Config { return &Config{Username: "x-access-token"} }

// form is the way a repository is reached.
type form int

const (
	formBad form = iota
	formPath
	formFile
	formHTTPS
	formHTTP
	formSSH
	formGit
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
	return map[string]form{"https": formHTTPS, "http": formHTTP, "ssh": formSSH, "file": formFile, "git": formGit}[strings.ToLower(scheme)]
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
	for _, g := range c.Include {
		bad = append(bad, filter.CheckGlob("include", g)...)
	}
	for _, g := range c.Exclude {
		bad = append(bad, filter.CheckGlob("exclude", g)...)
	}
	if msg, hint := kb.CheckPublicURL(c.PublicURL); msg != "" {
		add("public_url", msg, hint)
	}
	return append(bad, c.checkAccess()...)
}

// checkAccess finds ways to log in that do not fit the address.
func (c *Config) checkAccess() (bad []fault.Invalid) {
	add := func(field, msg, hint string) {
		bad = append(bad, fault.Invalid{Field: field, Msg: msg, Hint: hint})
	}
	f := formOf(c.Repo)
	if f == formBad {
		return nil
	}
	web := f == formHTTPS || f == formHTTP && loopback(c.Repo)
	hasToken := !c.Token.IsZero() || c.TokenFile != ""
	field := "token"
	if c.Token.IsZero() || c.TokenFile != "" {
		field = "token_file"
	}
	switch {
	case hasToken && !web:
		add(field, "a token is only sent over https", "use an https address, or remove it")
	case hasToken && c.CredentialHelper:
		add("credential_helper", "given together with a token", "keep one of them")
	case c.CredentialHelper && !web:
		add("credential_helper", "only used with https", "use an https address, or remove it")
	}
	if c.Username == "" || strings.ContainsFunc(c.Username, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		add("username", "not a user name", "leave it out, or write the one that goes with the token")
	}
	for _, k := range [][3]string{{"ssh_key_file", c.SSHKeyFile, "a key is"}, {"known_hosts_file", c.KnownHostsFile, "host keys are"}} {
		switch field, file := k[0], k[1]; {
		case file == "":
		case f != formSSH:
			add(field, k[2]+" only used with ssh", "use an ssh address, or remove it")
		case strings.ContainsAny(file, "\"%\n\x00"):
			add(field, "contains a character that ssh does not take", "rename the file, without quotes and percent signs")
		}
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
		return one("unsupported kind of address", "use https, ssh, git, file or a path")
	}
	if !strings.Contains(c.Repo, "://") {
		return nil
	}
	u, err := url.Parse(c.Repo)
	switch {
	case err != nil || (f != formFile && u.Hostname() == "") || u.Path == "" || u.Path == "/":
		return one("not a complete address", `write it in full, for example "https://github.com/acme/product.git"`)
	case isPage(u):
		return one("the address of a page that shows a directory or file, not of a repository", "end it after the name of the repository; give the branch as ref and the directory as path")
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

// isPage tells an address that was copied from a browser, of the hosts whose addresses of repositories never look like it.
func isPage(u *url.URL) bool {
	if strings.Contains(u.Path, "/-/tree/") || strings.Contains(u.Path, "/-/blob/") {
		return true
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	host := strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
	return len(parts) > 2 && host == "github.com" && (parts[2] == "tree" || parts[2] == "blob")
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

// Open implements sources.Config. It touches neither disk nor network: that is for Scan.
func (c *Config) Open(o sources.Options) (sources.Source, error) {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	absolute := func(p string) string {
		if p == "" || filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(o.Dir, p)
	}
	a := access{
		address: c.Repo, form: formOf(c.Repo), username: c.Username,
		keyFile: absolute(c.SSHKeyFile), knownHosts: absolute(c.KnownHostsFile),
		keyShown: c.SSHKeyFile, hostsShown: c.KnownHostsFile, helper: c.CredentialHelper,
	}
	if a.form == formPath {
		at, err := filepath.Abs(absolute(c.Repo))
		if err != nil {
			return nil, err
		}
		a.address = at
	}
	dir := strings.Trim(path.Clean("/"+c.Path), "/")
	r := &Repo{
		name: o.Name, shown: kb.Printable(c.Repo), ref: c.Ref, path: dir, token: c.Token, access: a, log: log,
		filter: filter.New(c.Include, c.Exclude, ""), public: kb.PublicURL(c.PublicURL), largest: largest, most: maxEntries, patience: lookLimit, stall: stallLimit,
		tipRoom: tipRoom, wholeRoom: wholeRoom, floor: freeFloor, lfsRoom: lfsRoom,
		bounds:  bounds{visited: maxVisited, deep: maxDeep, names: maxNames, open: maxOpen, read: maxRead},
		view:    tag(c.Ref, dir, tag(c.Include...), tag(c.Exclude...)),
		looking: make(chan struct{}, 1),
	}
	r.looking <- struct{}{}
	r.cache = &cache{log: log, lockLimit: lockLimit, name: tag(a.address, a.username, a.keyFile, a.knownHosts, strconv.FormatBool(a.helper), strconv.FormatBool(c.Token.IsZero()))}
	if o.CacheDir != "" {
		r.cache.parent = filepath.Join(o.CacheDir, "git")
	}
	r.large, r.lfsLess = idSet{cache: r.cache, file: largeIDs}, idSet{cache: r.cache, file: withoutLFS}
	r.git = &git{cache: r.cache, protocol: a.form.protocols()}
	r.objects = newObjects(r.git, func() string { return r.cache.dir })
	return r, nil
}
