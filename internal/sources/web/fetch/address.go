package fetch

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/secret"
)

const (
	maxAddress = 8 << 10 // bytes of an address
	maxShown   = 200     // bytes of an address in a message
)

// parse reads an address and brings it into the one form that everything else compares: the host in lower case and in ASCII,
// no fragment. What is wrong with it is said by address alone, no server was asked.
func parse(address string) (*url.URL, error) {
	if len(address) > maxAddress {
		return nil, errors.New("it is too long")
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("it is no address") // the cause would repeat the address with its query
	}
	return u, normalize(u)
}

// normalize brings a parsed address into the common form.
func normalize(u *url.URL) error {
	u.Scheme = strings.ToLower(u.Scheme)
	u.Fragment, u.RawFragment = "", ""
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("it must begin with https:// or http://")
	case u.User != nil:
		return errors.New("it holds a user name; give credentials under headers instead")
	case u.Opaque != "" || u.Hostname() == "":
		return errors.New("it has no host")
	}
	if err := normalizeHost(u); err != nil {
		return err
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return nil
}

func normalizeHost(u *url.URL) error {
	plain := true
	for i := range len(u.Host) {
		if b := u.Host[i]; b >= 0x80 || 'A' <= b && b <= 'Z' {
			plain = false
			break
		}
	}
	port := u.Port()
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return errors.New("its port is no number from 1 to 65535")
		}
	}
	if plain {
		return nil
	}
	name, err := asciiHost(u.Hostname())
	if err != nil {
		return err
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if port != "" {
		name += ":" + port
	}
	u.Host = name
	return nil
}

func asciiHost(name string) (string, error) {
	ascii, err := idna.Lookup.ToASCII(name)
	if err == nil {
		return strings.ToLower(ascii), nil
	}
	for i := range len(name) {
		if name[i] >= 0x80 {
			return "", errors.New("its host is no name")
		}
	}
	return strings.ToLower(name), nil // such as one with an underscore
}

// hostPort is the host and port that an address asks for; state and permissions are kept by it.
func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), defaultPort(u.Scheme))
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// show is an address for people: without its query, which may hold a token, and of bounded length.
func show(u *url.URL) string {
	return showWith(u, func(s string) string { return s })
}

// showWith is show after a text was changed as a whole.
func showWith(u *url.URL, change func(string) string) string {
	s := change(u.Scheme + "://" + u.Host + u.EscapedPath())
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	if u.RawQuery != "" {
		s += "?…"
	}
	return kb.Printable(s)
}

// showText is show for what may be no address at all.
func showText(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return show(u)
	}
	address, _, _ = strings.Cut(address, "?")
	if _, rest, found := strings.Cut(address, "@"); found {
		address = "…@" + rest
	}
	if len(address) > maxShown {
		address = address[:maxShown] + "…"
	}
	return kb.Printable(strings.ToValidUTF8(address, ""))
}

// names are the hosts of the configuration.
type names struct {
	hosts   map[string]bool // host:port, for what may be private
	headers map[string]bool // scheme://host:port, for what gets the headers
	bare    map[string]bool // host without port, for what must not be asked in the clear after it was asked over TLS
}

// readNames reads Options.Hosts.
func readNames(hosts []string) (names, error) {
	n := names{hosts: map[string]bool{}, headers: map[string]bool{}, bare: map[string]bool{}}
	for _, h := range hosts {
		schemes := []string{"http", "https"}
		rest := h
		if s, ok := strings.CutPrefix(h, "https://"); ok {
			schemes, rest = []string{"https"}, s
		} else if s, ok := strings.CutPrefix(h, "http://"); ok {
			rest = s
		}
		if addr, err := netip.ParseAddr(rest); err == nil && addr.Is6() {
			rest = "[" + rest + "]"
		}
		for _, scheme := range schemes {
			u, err := parse(scheme + "://" + rest)
			if err != nil || u.Path != "/" || u.RawQuery != "" {
				return names{}, fault.New(fault.ErrSetup, "%s is no host", showText(rest))
			}
			key := hostPort(u)
			n.hosts[key] = true
			n.headers[scheme+"://"+key] = true
			n.bare[u.Hostname()] = true
		}
	}
	return n, nil
}

// unfit are headers that the client itself or the protocol gives.
var unfit = map[string]bool{
	"Accept-Encoding": true, "Connection": true, "Content-Length": true, "Host": true, "If-Modified-Since": true, "If-None-Match": true,
	"If-Match": true, "If-Range": true, "If-Unmodified-Since": true, "Keep-Alive": true, "Range": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Upgrade": true, "Proxy-Authorization": true,
}

// readHeaders reads Options.Headers.
func readHeaders(from map[string]secret.String) (http.Header, []string, error) {
	headers := http.Header{}
	var values []string
	for name, value := range from {
		key := http.CanonicalHeaderKey(name)
		switch {
		case !isToken(name):
			return nil, nil, fault.New(fault.ErrSetup, "headers: %q is no name of a header", kb.Printable(name))
		case unfit[key]:
			return nil, nil, fault.New(fault.ErrSetup, "headers: %s cannot be set", key).WithHint("leave it out")
		case !isLine(value.Reveal()):
			return nil, nil, fault.New(fault.ErrSetup, "headers: the value of %s has characters that no header can carry", key)
		}
		headers[key] = []string{strings.TrimSpace(value.Reveal())}
		values = append(values, spellings(value.Reveal())...)
	}
	return headers, longestFirst(values), nil
}

func isToken(s string) bool {
	for i := range len(s) {
		b := s[i]
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0) {
			return false
		}
	}
	return s != ""
}

// isLine tells what can be sent as the value of a header.
func isLine(s string) bool {
	for i := range len(s) {
		if b := s[i]; b < 0x20 && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}
