package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// What is said in other words where the way to the repository makes them clearer.
const (
	saysDenied   = "access denied"
	saysNotFound = "the repository was not found"
	saysNoneHere = "there is no git repository"
)

// known are the ways in which reaching a repository fails, by what git, curl and ssh write. The first that matches counts.
var known = []struct {
	pattern   *regexp.Regexp
	what, fix string
}{
	{regexp.MustCompile(`(?i)host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|no .* host key is known`),
		"the server's host key is not known, or not the one that is known", "add the right key to known_hosts_file (ssh-keyscan HOST shows it; compare it with what the host publishes)"},
	{regexp.MustCompile(`(?i)permission denied \(|too many authentication failures|Load key .*(invalid format|error in libcrypto|bad permissions)`),
		"the server refuses the ssh key", "check ssh_key_file, and that its public half may read the repository"},
	{regexp.MustCompile(`(?i)could not read (username|password)|terminal prompts disabled`),
		"the repository does not exist or needs a login", "check repo, and set token, or credential_helper: true"},
	{regexp.MustCompile(`(?i)authentication failed|invalid (username|credentials)|requested url returned error: 401|HTTP Basic: Access denied`),
		"authentication failed", "check that the token is right, not expired and may read the repository, and username"},
	{regexp.MustCompile(`(?i)requested url returned error: 403|access denied|write access to repository not granted`),
		saysDenied, "give the token the right to read the repository"},
	{regexp.MustCompile(`(?i)dubious ownership`),
		"the repository belongs to another user, which git does not trust", "run kbsyncd as its owner, or reach it over https or ssh"},
	{regexp.MustCompile(`(?i)repository .*not found|requested url returned error: 404|does not appear to be a git repository|repository not exported|not valid: is this a git repository|project you were looking for could not be found`),
		saysNotFound, "check repo, and that the token or key may read it"},
	{regexp.MustCompile(`(?i)could not resolve (host|hostname|proxy)|name or service not known|temporary failure in name resolution`),
		"the name of the host cannot be resolved", "check repo and the network"},
	{regexp.MustCompile(`(?i)certificate|SSL_ERROR|TLS connect|gnutls_handshake|SSL routines`),
		"the server's certificate is not trusted", "check repo, or name your own authority with the environment variable GIT_SSL_CAINFO"},
	{regexp.MustCompile(`(?i)connection refused|couldn't connect to server|failed to connect to|no route to host|network is unreachable|connection reset`),
		"the server cannot be reached", "check repo and the network"},
	{regexp.MustCompile(`(?i)timed out|operation too slow|timeout`),
		"the server does not answer in time", "try again later, or check the network"},
	{regexp.MustCompile(`(?i)dumb http transport`),
		"the server has no git service, only files", "use a server that speaks git's smart protocol"},
	{regexp.MustCompile(`(?i)unable to update url base from redirection|unable to access .*redirect|requested url returned error: 3\d\d`),
		"the server redirects elsewhere", "write the address that it redirects to as repo"},
	{regexp.MustCompile(`(?i)early eof|unexpected disconnect|remote end hung up|RPC failed|requested url returned error: 5\d\d|the remote end .*closed|Connection closed`),
		"the connection broke off", "try again later"},
	{regexp.MustCompile(`(?i)no space left on device|disk quota exceeded`),
		"there is no room on the disk for the cache", "make room"},
}

// trouble makes an error of a failed command into one that a person can act on. It is of the class that deletes nothing.
func (r *Repo) trouble(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errTimeout):
		return fault.New(fault.ErrIncomplete, "%s: the server does not answer in time", r.shown).WithHint("try again later, or check the network")
	case errors.Is(err, errSilent):
		return fault.New(fault.ErrIncomplete, "%s: the server has sent nothing for %v", r.shown, r.stall).WithHint("try again later, or check the network")
	case errors.Is(err, errFull):
		return fault.New(fault.ErrIncomplete, "%s: less than %d MiB are left on the disk of the cache", r.shown, r.floor>>20).WithHint("make room")
	case errors.Is(err, errOutput):
		return fault.New(fault.ErrIncomplete, "%s: the answer of the server is too long", r.shown).WithHint("check repo")
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		if errors.Is(err, fault.ErrIncomplete) {
			return err
		}
		return fault.New(fault.ErrIncomplete, "%s: %s", r.shown, r.clean(plainRun(err)))
	}
	if what, fix, ok := recognise(f.stderr); ok {
		if what == saysDenied || what == saysNotFound {
			what, fix = r.inPlace(what, fix)
		}
		if what == saysNoneHere {
			return fault.New(fault.ErrIncomplete, "%s at %s", what, r.shown).WithHint("%s", fix)
		}
		if m := scpPort.FindStringSubmatch(r.access.address); r.access.form == formSSH && m != nil {
			fix += kb.Printable(fmt.Sprintf("; if %s is the port, write ssh://%s:%s/%s", m[2], m[1], m[2], m[3]))
		}
		return fault.New(fault.ErrIncomplete, "%s: %s", r.shown, what).WithHint("%s", fix)
	}
	return fault.New(fault.ErrIncomplete, "%s: git: %s", r.shown, r.clean(plainRun(err)))
}

// inPlace says that a repository cannot be had in the words of the way to it.
func (r *Repo) inPlace(what, fix string) (string, string) {
	switch f := r.access.form; {
	case f == formPath || f == formFile:
		return saysNoneHere, "check repo, and that the user kbsyncd runs as may read it"
	case f == formGit:
		return "the repository does not exist, or the server does not export it", "check repo"
	case f == formSSH && what == saysDenied:
		return what, "check that the key may read the repository"
	case f == formSSH:
		return what, "check repo, and that the key may read it"
	case (f == formHTTPS || f == formHTTP) && r.token.IsZero() && !r.access.helper:
		return what, "check repo; a repository that is not public needs a token"
	}
	return what, fix
}

// scpPort finds a short ssh address whose path begins with a number, which is meant to be a port most of the time.
var scpPort = regexp.MustCompile(`^([^@/]+@[^:/]+):(\d{2,5})/(.+)$`)

// recognise finds what a failure is about. The text of the server itself comes first in the output and often explains more.
func recognise(stderr string) (what, fix string, ok bool) {
	for _, k := range known {
		if k.pattern.MatchString(stderr) {
			return k.what, k.fix, true
		}
	}
	return "", "", false
}

// foreign tells a failure that lies with the server or the way to it, so that a new cache would not help.
func foreign(err error) bool {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return true
	}
	_, _, known := recognise(f.stderr)
	return known || badPack.MatchString(f.stderr) && !ownPack.MatchString(f.stderr) || fromAfar.MatchString(f.stderr) || refusesIDs(err) || len(notOurs(err)) > 0 || strings.Contains(f.stderr, "couldn't find remote ref")
}

// fromAfar is in what git says of a server, also where what is wrong with it is not among the known.
var fromAfar = regexp.MustCompile(`(?im)unable to access|remote error|could not read from remote repository|^remote:|curl \d+|protocol error`)

// What came was no pack, unless git names a pack of the cache as the trouble.
var (
	badPack = regexp.MustCompile(`(?i)invalid index-pack output|invalid ls-refs response|bad line length|expected '[^']*', received '|index-pack (abnormal exit|failed)|bad pack header|pack signature mismatch`)
	ownPack = regexp.MustCompile(`(?i)pack-[0-9a-f]{40,64}|\.idx|loose object|unable to read|packed object`)
)

// clean makes a line of git safe to show: no secret, no path of the cache.
func (r *Repo) clean(s string) string {
	if t := r.token.Reveal(); t != "" {
		s = strings.ReplaceAll(s, t, "[redacted]")
	}
	if r.cache != nil && r.cache.dir != "" {
		s = strings.ReplaceAll(s, r.cache.dir, "the cache")
	}
	s = userinfo.ReplaceAllString(s, "://")
	if len(s) > 300 {
		s = s[:300]
	}
	return kb.Printable(strings.ToValidUTF8(s, ""))
}

var userinfo = regexp.MustCompile(`://[^/\s@]*@`)

// lastLine is the last line of stderr that says something.
func lastLine(s string) string {
	last := "it failed without a word"
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimSpace(line)
		rest, _ := strings.CutPrefix(line, "fatal: ")
		switch {
		case line == "", strings.HasPrefix(line, "hint:"), strings.HasPrefix(line, "warning:"),
			strings.HasPrefix(line, "and the repository exists"), strings.HasPrefix(line, "Please make sure"):
		default:
			last = strings.TrimPrefix(rest, "error: ")
		}
	}
	return last
}

// refusesIDs tells that a server sends only what it has a name for.
func refusesIDs(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && (strings.Contains(f.stderr, "Server does not allow request for unadvertised object") ||
		strings.Contains(f.stderr, "no such remote ref") && !strings.Contains(f.stderr, "refs/"))
}

var notOurRef = regexp.MustCompile(`not our ref ([0-9a-f]{40,64})`)

// notOurs are the objects that a server says it does not have.
func notOurs(err error) []string {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return nil
	}
	var ids []string
	for _, m := range notOurRef.FindAllStringSubmatch(f.stderr, -1) {
		ids = append(ids, m[1])
	}
	return ids
}
