package gitrepo

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"strings"
	"time"
)

// access is how a repository is reached.
type access struct {
	address              string // as git is given it; without any secret
	form                 form
	username             string
	keyFile              string
	knownHosts           string
	keyShown, hostsShown string // as they are written in the configuration
	helper               bool   // the user's own credential helpers
}

// tokenHelper answers git's question for a login from two variables of the environment. The token so is in no argument, no
// address and no file; git asks the helper anew for every host, and it is set for the host of the repository alone, so a redirect
// to another host gets nothing. A header from http.extraHeader would go along with a redirect. printf is part of the shell, so that
// nothing shows in the list of processes; the environment of a process can only be read by its own user.
const tokenHelper = `!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$KBSYNCD_GIT_USER" "$KBSYNCD_GIT_TOKEN"; }; f`

// protocols is what may be spoken to reach the repository.
func (f form) protocols() string {
	switch f {
	case formHTTPS:
		return "https"
	case formHTTP:
		return "http:https"
	case formSSH:
		return "ssh"
	case formGit:
		return "git"
	}
	return "file"
}

// remote are the settings and the environment of commands that use the network.
func (r *Repo) remote(ctx context.Context) ([]setting, []string, error) {
	a := &r.access
	set := []setting{{"remote.origin.url", a.address}}
	var env []string
	switch {
	case a.form == formSSH:
		if err := usableKey(a.keyFile, a.keyShown); err != nil {
			return nil, nil, err
		}
		if err := readable("known_hosts_file", a.knownHosts, a.hostsShown); err != nil {
			return nil, nil, err
		}
		env = append(env, "GIT_SSH_COMMAND="+a.sshCommand(), "GIT_SSH_VARIANT=ssh")
	case !r.token.IsZero():
		u, err := url.Parse(a.address)
		if err != nil {
			return nil, nil, err
		}
		set = append(set, setting{"credential." + u.Scheme + "://" + u.Host + ".helper", tokenHelper})
		env = append(env, "KBSYNCD_GIT_USER="+a.username, "KBSYNCD_GIT_TOKEN="+r.token.Reveal())
	case a.helper:
		own, err := r.userCredentials(ctx)
		if err != nil {
			return nil, nil, err
		}
		set = append(set, own...)
		env = append(env, "HOME="+os.Getenv("HOME"))
		for _, name := range []string{"XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY"} {
			if v, ok := os.LookupEnv(name); ok {
				env = append(env, name+"="+v)
			}
		}
	}
	return set, env, nil
}

// userCredentials reads what the user's own configuration says of credentials, and nothing else.
func (r *Repo) userCredentials(ctx context.Context) ([]setting, error) {
	cmd := r.git.prepare(ctx, "git", &command{args: []string{"config", "--null", "--get-regexp", `^credential\.`}})
	env := make([]string, 0, len(cmd.Env))
	for _, e := range cmd.Env {
		name, _, _ := strings.Cut(e, "=")
		if name != "HOME" && name != "XDG_CONFIG_HOME" && !strings.HasPrefix(name, "GIT_CONFIG_") {
			env = append(env, e)
		}
	}
	env = append(env, "HOME="+os.Getenv("HOME"))
	if x, ok := os.LookupEnv("XDG_CONFIG_HOME"); ok {
		env = append(env, "XDG_CONFIG_HOME="+x)
	}
	cmd.Env = env
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, nil //nolint:nilerr // git ends with 1 when nothing is set
	}
	var set []setting
	for item := range bytes.SplitSeq(out, []byte{0}) {
		if key, value, ok := strings.Cut(string(item), "\n"); ok {
			set = append(set, setting{key, value})
		}
	}
	return set, nil
}

// sshCommand never asks, and never trusts a host that is not known.
func (a *access) sshCommand() string {
	args := []string{"ssh", "-T", "-a", "-x"}
	options := []string{
		"BatchMode=yes", "StrictHostKeyChecking=yes", "UpdateHostKeys=no", "ConnectTimeout=20", "ServerAliveInterval=15", "ServerAliveCountMax=4",
		"ClearAllForwardings=yes", "PermitLocalCommand=no", "LogLevel=ERROR",
	}
	if a.keyFile != "" {
		options = append(options, "IdentitiesOnly=yes", "IdentityAgent=none")
	}
	if a.knownHosts != "" {
		options = append(options, `UserKnownHostsFile="`+a.knownHosts+`"`, "GlobalKnownHostsFile=/dev/null")
	}
	for _, o := range options {
		args = append(args, "-o", shellQuote(o))
	}
	if a.keyFile != "" {
		args = append(args, "-i", shellQuote(a.keyFile))
	}
	return strings.Join(args, " ")
}

// shellQuote makes one word of the shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
