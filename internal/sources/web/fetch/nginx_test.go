package fetch

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const nginxConf = `
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log error.log info;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	types { text/html html; text/markdown md; }
	gzip on;
	gzip_min_length 100;
	gzip_types text/markdown;
	server {
		listen %s;
		root www;
		absolute_redirect off;
		location /cached/ { alias www/; expires 10m; }
		location = /old { return 301 /page.html; }
		location = /now { return 302 /page.html?from=now; }
		location = /busy { return 503; }
		location = /closed { return 401; }
	}
}
`

// nginx runs a real server with some files on loopback, as the user of the test, and gives its address and host:port.
func nginx(t *testing.T, files map[string][]byte) (address, hostPort string) {
	t.Helper()
	bin, err := exec.LookPath("nginx")
	if err != nil {
		bin, err = exec.LookPath("/usr/sbin/nginx")
	}
	if err != nil {
		if os.Getenv("KBSYNC_NO_SKIP") != "" {
			t.Fatal("nginx is not installed, and KBSYNC_NO_SKIP is set")
		}
		t.Skip("nginx is not installed")
	}
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for name, content := range files {
		file := filepath.Join(dir, "www", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
	}
	hostPort = freePort(t)
	conf := filepath.Join(dir, "nginx.conf")
	text := strings.ReplaceAll(fmt.Sprintf(nginxConf, hostPort), "www", filepath.Join(dir, "www"))
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	runNginx(t, bin, dir, conf, hostPort)
	return "http://" + hostPort, hostPort
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func runNginx(t *testing.T, bin, dir, conf, hostPort string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, bin, "-p", dir, "-c", conf, "-e", filepath.Join(dir, "error.log"))
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.DialTimeout("tcp", hostPort, time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("nginx ended: %v\n%s", err, said.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx does not listen\n%s", said.String())
		}
	}
}

func TestNginx(t *testing.T) {
	text := bytes.Repeat([]byte("all work and no play "), 1000)
	at, host := nginx(t, map[string][]byte{"page.html": text, "guide.md": text, "small.html": []byte("small"), "robots.txt": []byte("User-agent: *\nDisallow: /closed\n")})
	c := client(t, Options{Hosts: []string{host}})

	t.Run("packed and unchanged", func(t *testing.T) {
		for path, contentType := range map[string]string{"/page.html": "text/html", "/guide.md": "text/markdown"} {
			p, got := read(t, c, Request{URL: at + path})
			if got != string(text) || p.ContentType != contentType || p.ETag == "" || p.LastModified == "" || !p.Fresh.IsZero() {
				t.Errorf("%s: %d bytes, %+v", path, len(got), p)
			}
			if p.Received() == 0 || p.Received() > int64(len(text)/10) {
				t.Errorf("%s: %d bytes came over the network", path, p.Received())
			}
			for name, r := range map[string]Request{
				"both": {ETag: p.ETag, LastModified: p.LastModified}, "ETag": {ETag: p.ETag}, "Last-Modified": {LastModified: p.LastModified},
			} {
				r.URL = at + path
				if again, _ := read(t, c, r); again.Status != http.StatusNotModified {
					t.Errorf("%s by %s: %d", path, name, again.Status)
				}
			}
			if other, _ := read(t, c, Request{URL: at + path, ETag: `"other"`}); other.Status != http.StatusOK {
				t.Errorf("%s by a foreign ETag: %d", path, other.Status)
			}
		}
	})
	t.Run("small pages are not packed", func(t *testing.T) {
		if p, got := read(t, c, Request{URL: at + "/small.html"}); got != "small" || p.Received() != 5 {
			t.Errorf("%q in %d bytes", got, p.Received())
		}
	})
	t.Run("freshness", func(t *testing.T) {
		p, _ := read(t, c, Request{URL: at + "/cached/page.html"})
		if left := time.Until(p.Fresh); left < 9*time.Minute || left > 10*time.Minute {
			t.Errorf("fresh for %v", left)
		}
	})
	t.Run("redirects", func(t *testing.T) {
		p, got := read(t, c, Request{URL: at + "/old"})
		if p.Moved != at+"/page.html" || got != string(text) {
			t.Errorf("%+v", p)
		}
		again, _ := read(t, c, Request{URL: at + "/old", ETag: p.ETag, LastModified: p.LastModified})
		if again.Status != http.StatusNotModified || again.Moved != at+"/page.html" {
			t.Errorf("unchanged: %+v", again)
		}
		if p, _ := read(t, c, Request{URL: at + "/now"}); p.Moved != "" || p.URL != at+"/page.html?from=now" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("other answers", func(t *testing.T) {
		if p, _ := read(t, c, Request{URL: at + "/gone.html"}); p.Status != http.StatusNotFound || p.Body != nil {
			t.Errorf("%+v", p)
		}
		wantErr(t, readErr(t, c, Request{URL: at + "/busy"}), nil, "/busy answers 503 Service Unavailable (tried 3 times)")
		wantErr(t, readErr(t, c, Request{URL: at + "/closed"}), nil, "/closed answers 401 Unauthorized", "headers")
	})
	t.Run("robots.txt", func(t *testing.T) {
		for path, want := range map[string]bool{"/page.html": true, "/closed": false} {
			if ok, _, err := c.Allowed(t.Context(), at+path); ok != want || err != nil {
				t.Errorf("%s: %v, %v", path, ok, err)
			}
		}
	})
}
