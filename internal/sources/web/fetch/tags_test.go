package fetch

import (
	"net/http"
	"strings"
	"testing"
)

func TestRobotsTags(t *testing.T) {
	for name, tt := range map[string]struct {
		sent []string
		want string
	}{
		"none":    {nil, ""},
		"one":     {[]string{"noindex, nofollow"}, "noindex, nofollow"},
		"several": {[]string{"noindex", "otherbot: none"}, "noindex, otherbot: none"},
		"long":    {[]string{"noindex", strings.Repeat("x", maxRobotsTags)}, "noindex"},
	} {
		address, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			for _, tag := range tt.sent {
				w.Header().Add("X-Robots-Tag", tag)
			}
		})
		p, _ := read(t, client(t, Options{Hosts: []string{address}}), Request{URL: address + "/"})
		if p.Robots != tt.want {
			t.Errorf("%s: %q, want %q", name, p.Robots, tt.want)
		}
	}
}
