package fetch

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"kbsyncd/internal/fault"
)

func gzipped(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text)
	_ = w.Close()
	return b.Bytes()
}

func deflated(text []byte, zlibHeader bool) []byte {
	var b bytes.Buffer
	var w io.WriteCloser = zlib.NewWriter(&b)
	if !zlibHeader {
		w, _ = flate.NewWriter(&b, flate.BestCompression)
	}
	_, _ = w.Write(text)
	_ = w.Close()
	return b.Bytes()
}

func TestPackedBodies(t *testing.T) {
	text := []byte(strings.Repeat("all work and no play ", 5000))
	flipped := gzipped(text)
	flipped[len(flipped)-6] ^= 1 // the checksum
	const broken = "cannot be unpacked"
	for _, tt := range []struct {
		name, coding string
		body         []byte
		wrong        string // "": it is read as it was
	}{
		{"plain", "", text, ""},
		{"identity", "identity", text, ""},
		{"gzip", "gzip", gzipped(text), ""},
		{"gzip by its old name", "X-GZIP", gzipped(text), ""},
		{"gzip in two members", "gzip", append(gzipped(text[:100]), gzipped(text[100:])...), ""},
		{"zlib", "deflate", deflated(text, true), ""},
		{"deflate", "deflate", deflated(text, false), ""},
		{"gzip, cut", "gzip", gzipped(text)[:100], "cut short"},
		{"gzip, cut in its trailer", "gzip", gzipped(text)[:len(gzipped(text))-3], "cut short"},
		{"gzip with a wrong checksum", "gzip", flipped, broken},
		{"gzip with more after it", "gzip", append(gzipped(text), "more"...), "cut short"},
		{"gzip that is none", "gzip", text, broken},
		{"one byte", "gzip", []byte{0x1f}, "cut short"},
		{"zlib, cut", "deflate", deflated(text, true)[:50], "cut short"},
		{"deflate, cut", "deflate", deflated(text, false)[:50], "cut short"},
		{"zlib with more after it", "deflate", append(deflated(text, true), "more"...), broken},
		{"deflate with more after it", "deflate", append(deflated(text, false), "more"...), broken},
		{"one byte", "deflate", []byte{0x78}, "cut short"},
		{"another packing", "br", text, "packed as br"},
		{"packed twice", "gzip, gzip", gzipped(gzipped(text)), "packed as gzip, gzip"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Accept-Encoding"); got != "gzip, deflate" {
					t.Errorf("Accept-Encoding: %q", got)
				}
				if tt.coding != "" {
					w.Header().Set("Content-Encoding", tt.coding)
				}
				_, _ = w.Write(tt.body)
			})
			c := client(t, Options{Hosts: []string{host}})
			if tt.wrong != "" {
				wantErr(t, readErr(t, c, Request{URL: at}), fault.ErrIncomplete, tt.wrong)
				return
			}
			p, got := read(t, c, Request{URL: at})
			if got != string(text) {
				t.Errorf("got %d bytes, want %d", len(got), len(text))
			}
			if p.Received() != int64(len(tt.body)) {
				t.Errorf("received %d bytes, want %d", p.Received(), len(tt.body))
			}
			if _, _, received := c.Traffic(); received != int64(len(tt.body)) {
				t.Errorf("traffic: %d bytes, want %d", received, len(tt.body))
			}
		})
	}
}

func TestEmptyPackedBody(t *testing.T) {
	at, host := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Encoding", "gzip") })
	if _, text := read(t, client(t, Options{Hosts: []string{host}}), Request{URL: at}); text != "" {
		t.Errorf("got %q", text)
	}
}

func TestMaxBytes(t *testing.T) {
	const most = 1000
	page := func(n int) []byte { return bytes.Repeat([]byte("a"), n) }
	for _, tt := range []struct {
		name    string
		size    int
		packed  bool
		chunked bool
		fits    bool
	}{
		{"as large as may be", most, false, false, true},
		{"as large as may be, chunked", most, false, true, true},
		{"as large as may be, packed", most, true, false, true},
		{"one more", most + 1, false, false, false},
		{"one more, chunked", most + 1, false, true, false},
		{"one more, packed", most + 1, true, false, false},
		{"a bomb", 50 << 20, true, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := page(tt.size)
			if tt.packed {
				body = gzipped(body)
			}
			at, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if tt.packed {
					w.Header().Set("Content-Encoding", "gzip")
				}
				if tt.chunked {
					w.(http.Flusher).Flush()
				}
				_, _ = w.Write(body)
			})
			c := client(t, Options{Hosts: []string{host}})
			if tt.fits {
				if _, text := read(t, c, Request{URL: at, MaxBytes: most}); len(text) != tt.size {
					t.Errorf("got %d bytes", len(text))
				}
				return
			}
			p, err := c.Get(t.Context(), Request{URL: at, MaxBytes: most})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Body.Close()
			text, err := io.ReadAll(p.Body)
			wantErr(t, err, fault.ErrUnsupported, "larger than 1000 bytes")
			if len(text) > most || p.Received() > 100_000 {
				t.Errorf("got %d bytes from %d", len(text), p.Received())
			}
			if _, again := p.Body.Read(make([]byte, 1)); !errors.Is(again, fault.ErrUnsupported) {
				t.Errorf("read again: %v", again)
			}
		})
	}
}

// TestEmptyBlocksWithoutEnd sends a packed body that never becomes content.
func TestEmptyBlocksWithoutEnd(t *testing.T) {
	at, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		empty := bytes.Repeat(gzipped(nil), 1000)
		for {
			if _, err := w.Write(empty); err != nil {
				return
			}
		}
	})
	wantErr(t, readErr(t, client(t, Options{Hosts: []string{host}}), Request{URL: at, MaxBytes: 1000}), fault.ErrUnsupported, "larger than")
}

// raw answers every connection with what a function writes.
func raw(t *testing.T, write func(net.Conn)) (address, hostPort string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			write(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "http://" + l.Addr().String(), l.Addr().String()
}

func TestBodiesThatBreakOff(t *testing.T) {
	for name, head := range map[string]string{
		"shorter than announced": "Content-Length: 100\r\n\r\nshort",
		"chunked, no last chunk": "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
		"chunked, half a chunk":  "Transfer-Encoding: chunked\r\n\r\n50\r\nshort",
		"chunked, no chunk":      "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nnonsense\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			at, host := raw(t, func(conn net.Conn) { _, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s", head) })
			err := readErr(t, client(t, Options{Hosts: []string{host}}), Request{URL: at + "/a?token=hush"})
			wantErr(t, err, fault.ErrIncomplete, "/a?… was cut short after 5 bytes")
		})
	}
}

func TestTricklingBody(t *testing.T) {
	at, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte("a"))
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(time.Millisecond):
			}
		}
	})
	started := time.Now()
	c := client(t, Options{Hosts: []string{host}, Timeout: 100 * time.Millisecond, Concurrency: 1})
	wantErr(t, readErr(t, c, Request{URL: at}), fault.ErrIncomplete, "no complete answer")
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	wantErr(t, readErr(t, c, Request{URL: at}), fault.ErrIncomplete, "no complete answer") // the slot is free again
}

func TestCancelWhileReading(t *testing.T) {
	at, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("a"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	p, err := client(t, Options{Hosts: []string{host}}).Get(ctx, Request{URL: at})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Body.Close()
	if _, err := io.ReadFull(p.Body, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = p.Body.Read(make([]byte, 1))
	wantErr(t, err, fault.ErrIncomplete, "interrupted")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is no context.Canceled", err)
	}
}

func TestReadAfterClose(t *testing.T) {
	at, host := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("text")) })
	p, err := client(t, Options{Hosts: []string{host}}).Get(t.Context(), Request{URL: at})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Body.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a body that was closed reads as whole: %v", err)
	}
}
