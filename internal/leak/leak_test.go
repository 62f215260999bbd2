package leak

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// token is a secret of the right form, put together here so that no scanner of repositories finds it in this file.
func token(prefix, alphabet string, n int) string {
	var b strings.Builder
	b.WriteString(prefix)
	for i := range n {
		b.WriteByte(alphabet[(i*7+3)%len(alphabet)])
	}
	return b.String()
}

const (
	letters  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	hexes    = "0123456789abcdef"
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

func secrets() map[string]string {
	return map[string]string{
		"-----BEGIN " + "RSA PRIVATE KEY-----\nMIIE": "a private key",
		"-----BEGIN " + "PRIVATE KEY-----":           "a private key",
		"-----BEGIN " + "PGP PRIVATE KEY BLOCK-----": "a private key",
		token("AKI"+"A", capitals, 16):               "an AWS access key",
		token("gh"+"p_", letters, 36):                "a GitHub token",
		token("github"+"_pat_", letters, 82):         "a GitHub token",
		token("glpa"+"t-", letters, 20):              "a GitLab token",
		token("xox"+"b-", letters, 40):               "a Slack token",
		token("sk_"+"live_", letters, 24):            "a Stripe key",
		token("AI"+"za", letters, 35):                "a Google API key",
		token("sk-"+"ant-", letters, 90):             "an Anthropic key",
		token("sk-"+"proj-", letters, 60):            "an OpenAI key",
		token("npm"+"_", letters, 36):                "an npm token",
		token("h"+"f_", letters, 34):                 "a Hugging Face token",
		token("dop"+"_v1_", hexes, 64):               "a DigitalOcean token",
		token("Account"+"Key=", letters, 86) + "==":  "an Azure storage key",
		token("SG"+".", letters, 66):                 "a SendGrid key",
	}
}

func scan(text string, chunk int) []Finding {
	s := New()
	for len(text) > chunk {
		_, _ = s.Write([]byte(text[:chunk]))
		text = text[chunk:]
	}
	_, _ = s.Write([]byte(text))
	return s.Findings()
}

func TestEverySecretIsFoundWhereverItIs(t *testing.T) {
	for secret, want := range secrets() {
		for _, before := range []int{0, 1, 2, window - longest - 3, window - longest - 2, window - longest - 1, window - longest, window - 20, window - 1, window, 3*window + 17} {
			for _, quote := range []string{" ", "\"", "\n", "=\t"} {
				text := strings.Repeat(".", before) + quote + secret + quote + strings.Repeat("\n", 40)
				got := scan(text, 1000+before%7)
				line := 1 + strings.Count(quote, "\n")
				if len(got) != 1 || got[0] != (Finding{want, line}) {
					t.Fatalf("%s after %d bytes and %q: %v", want, before, quote, got)
				}
			}
		}
	}
}

func TestLinesAreCounted(t *testing.T) {
	secret := token("gh"+"p_", letters, 36)
	for _, n := range []int{0, 1, 100, 40_000, 100_000} {
		if got := scan(strings.Repeat("\n", n)+secret, 5000); len(got) != 1 || got[0].Line != n+1 {
			t.Errorf("after %d lines: %v", n, got)
		}
	}
}

func TestWhatIsNoSecretPasses(t *testing.T) {
	for _, text := range []string{
		"AKIA" + "IOSFODNN7EXAMPLE", "ghp_" + strings.Repeat("x", 36), "token: ghp_yourtokenhere", "the AIzawl bird", "sk-proj-your-key",
		"-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----", "-----BEGIN PRIVATE KEYS ARE BAD", "pre" + token("AKI"+"A", capitals, 16),
		token("gh"+"p_", letters, 37), token("npm"+"_", letters, 12), "AccountKey=<key>", "SG.1.2", "dapi" + strings.Repeat("0", 32),
	} {
		if got := scan(text+"\n", 100); got != nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestAScannerIsUsedAgain(t *testing.T) {
	s := New()
	_, _ = s.Write([]byte("\n\n" + token("gh"+"p_", letters, 36)))
	if got := s.Findings(); len(got) != 1 || got[0].Line != 3 {
		t.Fatal(got)
	}
	s.Reset()
	_, _ = s.Write([]byte("nothing here"))
	if got := s.Findings(); got != nil {
		t.Fatal(got)
	}
}

// The way in which a text arrives changes nothing.
func FuzzChunks(f *testing.F) {
	for secret := range secrets() {
		f.Add([]byte("x "+secret+" y"), uint16(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, chunk uint16) {
		whole := scan(string(text), len(text)+1)
		if got := scan(string(text), 1+int(chunk)); fmt.Sprint(got) != fmt.Sprint(whole) {
			t.Errorf("in chunks %v, whole %v", got, whole)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("the of and install package key task skip pattern config -- AK hf shape gather server github npm link `code` https://example.com/path")
	var text bytes.Buffer
	for text.Len() < 1<<20 {
		text.WriteString(words[rng.IntN(len(words))])
		text.WriteByte(" \n"[rng.IntN(20)/19])
	}
	b.SetBytes(int64(text.Len()))
	s := New()
	for b.Loop() {
		s.Reset()
		_, _ = s.Write(text.Bytes())
		if s.Findings() != nil {
			b.Fatal("found something")
		}
	}
}
