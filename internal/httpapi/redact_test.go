package httpapi

import (
	"html"
	"strings"
	"testing"
	"testing/synctest"

	"kbsyncd/internal/secret"
)

// A key is found in the forms that vendors give it, also where it looks like markup.
func TestKeyWithOddCharacters(t *testing.T) {
	const odd = `sk+0123456789&<"b%=`
	synctest.Test(t, func(t *testing.T) {
		for _, body := range []string{
			"bad key " + odd, "<p>bad key " + odd + "</p>", "<p>bad key " + html.EscapeString(odd) + "</p>",
			`{"detail":"bad key sk+0123456789\u0026\u003c\"b%="}`, `{"detail":"bad key sk+0123456789\u0026\u003c\"b%="`,
		} {
			c := client(t, say(422, body), func(o *Options) { o.Key = secret.New(odd) })
			_, err := c.Do(t.Context(), get, nil)
			if err == nil || strings.Contains(err.Error(), "0123") || !strings.Contains(err.Error(), "bad key [redacted]") {
				t.Errorf("%s:\n got %v", body, err)
			}
		}
	})
}
