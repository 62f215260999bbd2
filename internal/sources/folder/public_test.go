//go:build unix

package folder

import (
	"strings"
	"testing"
)

func TestPublicURL(t *testing.T) {
	tr := newTree(t)
	tr.put("guide/a.md", "x")
	if d := tr.want("guide/a.md").Documents[0]; d.Public != "" {
		t.Errorf("without the key: %q", d.Public)
	}
	tr.conf.PublicURL = "https://docs.example.com/{page}"
	d := tr.want("guide/a.md").Documents[0]
	if got := d.Public.Of(d.Key.Path()); got != "https://docs.example.com/guide/a" {
		t.Errorf("got %q", got)
	}
	tr.conf.PublicURL = "https://bob:hunter2@docs.example.com/"
	bad := tr.conf.Validate()
	if len(bad) != 1 || bad[0].Field != "public_url" || strings.Contains(bad[0].Msg+bad[0].Hint, "hunter2") {
		t.Errorf("%v", bad)
	}
}
