package contract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"kbsyncd/internal/fault"
)

const (
	loadTimeout = 20 * time.Second
	maxRedirect = 5
)

// Load reads the document at an address or in a file. An address begins with https://, or with http:// on this machine; that holds
// for redirects as well. No key goes anywhere. Its errors are of class fault.ErrUnavailable.
func Load(ctx context.Context, where, userAgent string) (*Document, error) {
	read := readFile
	if strings.Contains(where, "://") {
		read = func(ctx context.Context, where string) ([]byte, error) { return fetch(ctx, where, userAgent) }
	}
	data, err := read(ctx, where)
	if err == nil && len(data) > maxBytes {
		err = fmt.Errorf("larger than %d MB", maxBytes/1_000_000)
	}
	if err != nil {
		return nil, fault.New(fault.ErrUnavailable, "%s cannot be read", where).Because(err)
	}
	doc, err := Parse(data)
	if err != nil {
		return nil, fault.New(fault.ErrUnavailable, "%s cannot be used", where).Because(err)
	}
	return doc, nil
}

func readFile(_ context.Context, name string) ([]byte, error) {
	st, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, cause(err)
	case !st.Mode().IsRegular():
		return nil, errors.New("no file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, cause(err)
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxBytes+1))
}

// cause is what the system says, without the name of the file, which the message around it has.
func cause(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

func fetch(ctx context.Context, where, userAgent string) ([]byte, error) {
	u, err := url.Parse(where)
	if err != nil {
		return nil, errors.New("not an address")
	}
	if msg := checkURL(u); msg != "" {
		return nil, errors.New(msg)
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, http.NoBody)
	if err != nil {
		return nil, errors.New("not an address")
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "application/json, application/yaml;q=0.9, */*;q=0.5")
	tr := http.DefaultTransport.(*http.Transport).Clone()
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, CheckRedirect: checkRedirect}
	resp, err := client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("no answer within %s", loadTimeout)
		}
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered with %s", resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxBytes+1))
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if msg := checkURL(req.URL); len(via) > maxRedirect || req.URL.Scheme != via[0].URL.Scheme || msg != "" {
		return errors.New("redirects too often, or to where it should not")
	}
	return nil
}

// checkURL says what keeps an address from being asked; "" when nothing does.
func checkURL(u *url.URL) string {
	switch host := u.Hostname(); {
	case host == "" || u.Opaque != "":
		return "must be an https address or a file"
	case u.User != nil:
		return "must not contain a user name or password"
	case u.RawQuery != "" || u.Fragment != "":
		return "must not have a query or fragment"
	case u.Scheme == "https" || u.Scheme == "http" && loopback(host):
		return ""
	}
	return "must be an https address or a file"
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
