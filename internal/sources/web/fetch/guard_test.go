package fetch

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"kbsyncd/internal/fault"
)

func TestCheckAddress(t *testing.T) {
	for _, tt := range []struct {
		addr            string
		public, private bool // whether it is dialled at this reach
	}{
		{"93.184.216.34", true, true},
		{"2606:2800:220:1:248:1893:25c8:1946", true, true},
		{"127.0.0.1", false, true},
		{"127.8.9.1", false, true},
		{"::1", false, true},
		{"::ffff:127.0.0.1", false, true},
		{"10.1.2.3", false, true},
		{"172.16.0.1", false, true},
		{"192.168.1.1", false, true},
		{"100.64.0.1", false, true},
		{"198.18.0.1", false, true},
		{"fd12:3456::1", false, true},
		{"64:ff9b::a00:1", false, true},
		{"64:ff9b::a9fe:a9fe", false, false},
		{"64:ff9b:1::a00:1", false, false},
		{"2002:a00:1::1", false, true},
		{"2002:a9fe:a9fe::1", false, false},
		{"::a9fe:a9fe", false, false},
		{"169.254.169.254", false, false},
		{"::ffff:169.254.169.254", false, false},
		{"169.254.1.1", false, false},
		{"fe80::1", false, false},
		{"fe80::1%eth0", false, false},
		{"fd00:ec2::254", false, false},
		{"fd20:ce::254", false, false},
		{"100.100.100.200", false, false},
		{"168.63.129.16", false, false},
		{"192.0.0.192", false, false},
		{"0.0.0.0", false, false},
		{"0.1.2.3", false, false},
		{"::", false, false},
		{"224.0.0.1", false, false},
		{"ff02::1", false, false},
		{"255.255.255.255", false, false},
	} {
		addr := netip.MustParseAddr(tt.addr)
		if got := check(addr, public) == nil; got != tt.public {
			t.Errorf("check(%s, public) allows: %v, want %v", tt.addr, got, tt.public)
		}
		if got := check(addr, private) == nil; got != tt.private {
			t.Errorf("check(%s, private) allows: %v, want %v", tt.addr, got, tt.private)
		}
		if err := check(addr, literal); err != nil {
			t.Errorf("check(%s, literal) = %v", tt.addr, err)
		}
	}
}

func TestReach(t *testing.T) {
	c := client(t, Options{Hosts: []string{"docs.example.com", "intra:8080", "https://Wiki.Example.COM", "169.254.169.254", "[::1]:81", "Bücher.example"}})
	for key, want := range map[string]reach{
		"docs.example.com:80":       private,
		"docs.example.com:443":      private,
		"docs.example.com:8080":     public,
		"intra:8080":                private,
		"intra:80":                  public,
		"wiki.example.com:443":      private,
		"wiki.example.com:80":       public,
		"169.254.169.254:80":        literal,
		"169.254.169.254:8080":      public,
		"[::1]:81":                  literal,
		"xn--bcher-kva.example:443": private,
		"other.example.com:443":     public,
	} {
		if got := c.reachOf(key); got != want {
			t.Errorf("reachOf(%s) = %d, want %d", key, got, want)
		}
	}
}

// forbiddenServer is a server on loopback that nothing may reach.
func forbiddenServer(t *testing.T) (address, port string) {
	t.Helper()
	at, host := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a forbidden address was asked") })
	return at, host[strings.LastIndexByte(host, ':')+1:]
}

func TestLiteralAddressesAreRefused(t *testing.T) {
	at, port := forbiddenServer(t)
	c := client(t, Options{})
	for _, address := range []string{at, "http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://0.0.0.0:" + port, "http://169.254.169.254/latest/meta-data"} {
		wantErr(t, readErr(t, c, Request{URL: address}), fault.ErrUnsupported, "is not asked")
	}
	wantErr(t, readErr(t, c, Request{URL: at}), fault.ErrUnsupported, "127.0.0.1", "allow_private: true")
}

func TestRefusedAddresses(t *testing.T) {
	c := client(t, Options{AllowPrivate: true})
	for address, want := range map[string]string{
		"ftp://docs.example.com/a":                                    "https://",
		"file:///etc/passwd":                                          "https://",
		"https://me:hush@docs.example.com/?token=hush":                "user name",
		"https:///a":                                                  "no host",
		"https:docs.example.com":                                      "no host",
		"https://docs.example.com:22/":                                "port 22",
		"https://docs.example.com:0/":                                 "port",
		"https://docs.example.com:99999/":                             "port",
		"https://docs.example.com/\x7f?token=hush":                    "no address",
		"https://docs.example.com/" + strings.Repeat("a", maxAddress): "too long",
		"http://169.254.169.254/":                                     "allow_private does not open it",
	} {
		err := readErr(t, c, Request{URL: address})
		wantErr(t, err, fault.ErrUnsupported, want)
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
}

// TestNameThatChangesItsAddress has a name that is public when it is looked up for the first time and leads to this machine
// the next time.
func TestNameThatChangesItsAddress(t *testing.T) {
	_, port := forbiddenServer(t)
	var passed atomic.Int64
	c := client(t, Options{outside: outside{
		resolver: resolver(t, map[string][]string{"rebind.test": {"93.184.216.34", "127.0.0.1"}}),
		reached: func(string) error { // the public address is out of reach here
			passed.Add(1)
			return syscall.ECONNREFUSED
		},
	}})
	err := readErr(t, c, Request{URL: "http://rebind.test:" + port + "/"})
	wantErr(t, err, fault.ErrIncomplete, "rebind.test leads to 127.0.0.1", "allow_private: true")
	if passed.Load() != 1 {
		t.Errorf("%d addresses passed the guard, want the public one only", passed.Load())
	}
}

func TestNamesThatLeadToPrivateAddresses(t *testing.T) {
	_, port := forbiddenServer(t)
	c := client(t, Options{outside: outside{resolver: resolver(t, map[string][]string{
		"four.test": {"127.0.0.1"}, "six.test": {"::1"}, "cloud.test": {"169.254.169.254"},
	})}})
	for name, want := range map[string]string{"four.test": "127.0.0.1", "six.test": "::1", "cloud.test": "169.254.169.254"} {
		wantErr(t, readErr(t, c, Request{URL: "http://" + name + ":" + port}), fault.ErrIncomplete, name, want, "allow_private")
	}
}

// TestNamedNameIsNoWayToMetadata holds that naming a host allows private networks and no more.
func TestNamedNameIsNoWayToMetadata(t *testing.T) {
	c := client(t, Options{Hosts: []string{"wiki.test"}, AllowPrivate: true, outside: outside{
		resolver: resolver(t, map[string][]string{"wiki.test": {"169.254.169.254"}}),
	}})
	wantErr(t, readErr(t, c, Request{URL: "http://wiki.test/"}), fault.ErrIncomplete, "169.254.169.254", "allow_private does not open it")
}

// TestConnectionsAreNotShared holds that a connection that was made for a named host serves no other name for its address,
// over HTTP/1 and over HTTP/2.
func TestConnectionsAreNotShared(t *testing.T) {
	for _, proto := range []string{"http", "https"} {
		t.Run(proto, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.Host, "named.test") {
					t.Errorf("%s was asked", r.Host)
				}
				_, _ = w.Write([]byte(r.Proto))
			}))
			s.EnableHTTP2 = true
			want := "HTTP/1.1"
			if proto == "https" {
				s.StartTLS()
				want = "HTTP/2.0"
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)
			port := s.URL[strings.LastIndexByte(s.URL, ':'):]
			c := client(t, Options{Hosts: []string{"named.test" + port}, outside: outside{
				resolver: resolver(t, map[string][]string{"named.test": {"127.0.0.1"}, "other.test": {"127.0.0.1"}}),
				tweak:    insecure,
			}})
			if _, text := read(t, c, Request{URL: proto + "://named.test" + port}); text != want {
				t.Errorf("spoke %s, want %s", text, want)
			}
			wantErr(t, readErr(t, c, Request{URL: proto + "://other.test" + port}), fault.ErrIncomplete, "other.test leads to 127.0.0.1")
		})
	}
}

// TestProxy holds that addresses are asked through the proxy, which may be private, and that it opens nothing.
func TestProxy(t *testing.T) {
	at, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "docs.example.com" {
			t.Errorf("the proxy was asked for %s", r.URL)
		}
		_, _ = w.Write([]byte("by proxy"))
	})
	proxy, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, Options{outside: outside{proxy: http.ProxyURL(proxy)}})
	if _, text := read(t, c, Request{URL: "http://docs.example.com/a"}); text != "by proxy" {
		t.Errorf("got %q", text)
	}
	for _, host := range []string{
		"127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "localhost", "a.localhost", "localhost.",
		"127.1", "2130706433", "0x7f000001", "0177.0.0.1", "metadata.google.internal",
	} {
		wantErr(t, readErr(t, c, Request{URL: "http://" + host + "/"}), fault.ErrUnsupported, "is not asked")
	}
	c = client(t, Options{AllowPrivate: true, outside: outside{proxy: http.ProxyURL(proxy)}})
	for _, host := range []string{"169.254.169.254", "metadata.google.internal", "0xa9fea9fe"} {
		wantErr(t, readErr(t, c, Request{URL: "http://" + host + "/"}), fault.ErrUnsupported, "is not asked")
	}
}

func TestProxyThatRefuses(t *testing.T) {
	at, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) })
	proxy, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, Options{outside: outside{proxy: http.ProxyURL(proxy)}})
	for _, scheme := range []string{"http", "https"} {
		wantErr(t, readErr(t, c, Request{URL: scheme + "://docs.example.com/"}), fault.ErrIncomplete, "answers 407", "HTTPS_PROXY")
	}
}

// TestProxyAddressIsNoOpenDoor holds that an address which is that of the proxy but is asked directly is checked.
func TestProxyAddressIsNoOpenDoor(t *testing.T) {
	at, _ := forbiddenServer(t)
	proxy, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, Options{outside: outside{proxy: func(r *http.Request) (*url.URL, error) {
		if r.URL.Host == proxy.Host {
			return nil, nil // as the environment's rule for loopback has it
		}
		return proxy, nil
	}}})
	wantErr(t, readErr(t, c, Request{URL: at}), fault.ErrUnsupported, "is not asked")
}
