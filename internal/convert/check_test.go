package convert_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"kbsyncd/internal/convert"
	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

// secret looks like a token of GitHub without being one; it is put together here so that no scanner minds this file.
var secret = "ghp_" + "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vWxYz1"

// wide is a text in UTF-16.
func wide(s string) string { return "\xff\xfe" + strings.ReplaceAll(s, "", "\x00")[1:] }

func TestSecrets(t *testing.T) {
	convert.SetReader(t, ".odt", upper(""))
	far := strings.Repeat("A line of text that is not secret.\n", 5000)
	tests := []struct {
		name, text string
		limit      int64
		line       int // 0: nothing is found
	}{
		{"a.md", "# Hi\n\nUse " + secret + " to log in.\n", 0, 3},
		{"a.md", "---\ntitle: x\ntoken: none\n---\n\nUse " + secret + ".\n", 0, 6},
		{"a.md", "---\ntoken: " + secret + "\n---\nText\n", 0, 0},       // it is not sent
		{"a.md", "---\ntitle: key " + secret + "\n---\n\nText\n", 0, 3}, // its title is
		{"a.html", wide("<p>\n" + secret + "</p>\n"), 0, 2},
		{"a.py", far + "token = '" + secret + "'\n", 0, 5001},
		{"a.txt", far + secret + "\n" + far, 10_000, 5001},
		{"a.html", "<p>" + secret + "</p>", 0, 1},
		{"a.doc", secret, 0, 0},         // not ours to open
		{"a.md", "ghp_short\n", 0, 0},   // no token
		{"a.odt", "text\n" + far, 0, 0}, // converted
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %d", tt.name, tt.line), func(t *testing.T) {
			d, _ := document(tt.name, []byte(tt.text))
			for _, mode := range []string{"", "warn", "off", "block"} {
				to := starleads(tt.limit)
				to.Secrets = mode
				r, err := convert.Render(t.Context(), d, to)
				if mode == "block" && tt.line > 0 {
					want := fmt.Sprintf("(line %d)", tt.line)
					if !errors.Is(err, convert.ErrLeak) || !errors.Is(err, fault.ErrRejected) || isUnsupported(err) || !strings.Contains(err.Error(), want) {
						t.Errorf("got %v", err)
					}
					if f, ok := errors.AsType[*fault.Error](err); !ok || f.Hint == "" {
						t.Errorf("%v has no next step", err)
					}
					if strings.Contains(err.Error(), secret[4:]) {
						t.Errorf("the message tells the secret: %v", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				found := tt.line > 0 && mode != "off"
				if found != (len(r.Leaks) == 1) || found && r.Leaks[0].Line != tt.line {
					t.Errorf("%q: found %v, want line %d", mode, r.Leaks, tt.line)
				}
			}
		})
	}
	// What a reader brings to light counts as well.
	convert.SetReader(t, ".rtf", func(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
		return markup.Result{Title: "T", Markdown: append([]byte("\n"), src...)}, nil
	})
	d, _ := document("a.rtf", []byte(secret+"\n"))
	if r := mustRender(t, d, starleads(0)); len(r.Leaks) != 1 {
		t.Errorf("found %v", r.Leaks)
	}
}
