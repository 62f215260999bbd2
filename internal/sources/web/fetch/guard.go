package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

// reach is how far a host may lead.
type reach int

const (
	public  reach = iota // the internet
	private              // private networks and this machine as well
	literal              // the very address that the configuration names, whatever it is
)

// refusal is an address that is not dialled.
type refusal struct {
	addr netip.Addr
	kind string // what the address is
}

// Error names the address.
func (r *refusal) Error() string { return fmt.Sprintf("%s is %s", r.addr, r.kind) }

// metadata are the addresses under which clouds tell a machine its secrets; those that are link-local are not listed.
var metadata = map[netip.Addr]bool{
	netip.MustParseAddr("100.100.100.200"): true,
	netip.MustParseAddr("168.63.129.16"):   true, // public by its number
	netip.MustParseAddr("192.0.0.192"):     true,
	netip.MustParseAddr("fd00:ec2::254"):   true,
	netip.MustParseAddr("fd20:ce::254"):    true,
}

var (
	guardian = ssrf.New(ssrf.WithAnyPort())
	carriers = []struct { // IPv6 addresses that stand for an IPv4 address: where that one begins
		prefix netip.Prefix
		at     int
	}{
		{ssrf.IPv6NAT64Prefix, 12},
		{netip.MustParsePrefix("2002::/16"), 2},
		{netip.MustParsePrefix("::/96"), 12},
	}
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	localNAT64  = netip.MustParsePrefix("64:ff9b:1::/48")
	broadcast   = netip.MustParseAddr("255.255.255.255")
)

// check tells whether an address may be dialled for a host of some reach.
func check(addr netip.Addr, r reach) error {
	addr = addr.Unmap().WithZone("") // a prefix contains no address with a zone
	if r == literal {
		return nil
	}
	if kind := never(addr); kind != "" {
		return &refusal{addr, kind}
	}
	if r == public && guardian.SafeAddr(addr) != nil {
		return &refusal{addr, "a private or reserved address"}
	}
	return nil
}

// never tells what must not be dialled even for hosts that may be private; "" for what may.
func never(addr netip.Addr) string {
	switch {
	case metadata[addr], addr == netip.AddrFrom4([4]byte{169, 254, 169, 254}):
		return "where a cloud keeps a machine's secrets"
	case addr.IsLinkLocalUnicast():
		return "a link-local address"
	case addr.IsUnspecified(), thisNetwork.Contains(addr):
		return "no address of a host"
	case addr.IsMulticast(), addr == broadcast:
		return "an address of many hosts"
	case localNAT64.Contains(addr):
		return "a translated address"
	}
	for _, c := range carriers {
		if b := addr.As16(); c.prefix.Contains(addr) && addr != netip.IPv6Loopback() {
			if kind := never(netip.AddrFrom4([4]byte(b[c.at : c.at+4]))); kind != "" {
				return kind
			}
		}
	}
	return ""
}

// reachOf is how far a host and port that was asked for may lead.
func (c *Client) reachOf(key string) reach {
	named := c.named.hosts[key]
	name, _, _ := net.SplitHostPort(key)
	switch _, err := netip.ParseAddr(name); {
	case named && err == nil:
		return literal
	case named || c.opts.AllowPrivate:
		return private
	}
	return public
}

// guardedDial checks each address after the name was resolved, at the moment when it is dialled: a name that changes its
// address after a check would be of no use. What is allowed depends on nothing but the host and port that was asked for.
func (c *Client) guardedDial() dialFunc {
	if c.opts.outside.dial != nil {
		return c.opts.outside.dial
	}
	var dialers [literal + 1]*net.Dialer
	for r := range dialers {
		dialers[r] = &net.Dialer{Timeout: dialTimeout, Resolver: c.opts.outside.resolver, ControlContext: c.control(reach(r))}
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		return dialers[c.reachOf(addr)].DialContext(ctx, network, addr)
	}
}

func (c *Client) control(r reach) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%s is no address of a host", address)
		}
		if err := check(to.Addr(), r); err != nil {
			return err
		}
		if c.opts.outside.reached != nil {
			return c.opts.outside.reached(address)
		}
		return nil
	}
}

// admit tells whether a host and port may be asked at all, before anything is resolved: what its port and a literal host say.
func (c *Client) admit(key string) error {
	name, port, _ := net.SplitHostPort(key)
	n, _ := strconv.Atoi(port)
	if n != 80 && n != 443 && n < 1024 && !c.named.hosts[key] {
		return fmt.Errorf("port %d is of no website", n)
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return check(addr, c.reachOf(key))
	}
	return nil
}

// admitProxied is admit for an address that a proxy resolves: names that surely mean a forbidden address are refused as well.
func (c *Client) admitProxied(u *url.URL) error {
	key := hostPort(u)
	name := strings.TrimSuffix(u.Hostname(), ".")
	if _, err := netip.ParseAddr(name); err == nil || c.named.hosts[key] {
		return nil // admit has decided
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case name == "metadata.google.internal":
		return &refusal{netip.AddrFrom4([4]byte{169, 254, 169, 254}), "where a cloud keeps a machine's secrets"}
	case last == "" || last[0] >= '0' && last[0] <= '9':
		return fmt.Errorf("%s is a number in disguise", name) // such as 127.1 or 0x7f000001, which many proxies take for an address
	case last == "localhost" && c.reachOf(key) == public:
		return &refusal{netip.AddrFrom4([4]byte{127, 0, 0, 1}), "a private or reserved address"}
	}
	return nil
}
