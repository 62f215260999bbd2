package leak

import "bytes"

// rule is one format: a fixed beginning and characters of a class.
type rule struct {
	name        string
	prefix      []byte
	class       func(byte) bool
	least, most int // characters after the prefix; most 0: any number
	distinct    int // different characters among them, at least
	sure        func(rest []byte) bool
}

func upper(c byte) bool { return 'A' <= c && c <= 'Z' }
func digit(c byte) bool { return '0' <= c && c <= '9' }
func alnum(c byte) bool { return upper(c) || digit(c) || 'a' <= c && c <= 'z' }
func hex(c byte) bool   { return digit(c) || 'a' <= c && c <= 'f' }
func id(c byte) bool    { return alnum(c) || c == '_' }
func url(c byte) bool   { return alnum(c) || c == '_' || c == '-' }
func b32(c byte) bool   { return upper(c) || '2' <= c && c <= '7' }
func b64(c byte) bool   { return alnum(c) || c == '+' || c == '/' || c == '=' }
func path(c byte) bool  { return url(c) || c == '/' }

// The formats as their services document them. Each has a beginning of at least three bytes, which no words have.
var rules = func() []rule {
	var out []rule
	add := func(name string, r rule, prefixes ...string) {
		for _, p := range prefixes {
			r.name, r.prefix = name, []byte(p)
			if r.distinct == 0 {
				r.distinct = 8
			}
			out = append(out, r)
		}
	}
	add("a private key", rule{class: func(byte) bool { return true }, sure: privateKey, distinct: 1}, "-----BEGIN ")
	add("an age key", rule{class: alnum, least: 50}, "AGE-SECRET-KEY-1")
	add("an AWS access key", rule{class: b32, least: 16, most: 16, sure: noExample}, "AKIA", "ASIA")
	add("a GitHub token", rule{class: alnum, least: 36, most: 36}, "ghp_", "gho_", "ghu_", "ghs_", "ghr_")
	add("a GitHub token", rule{class: id, least: 60}, "github_pat_")
	add("a GitLab token", rule{class: url, least: 20}, "glpat-", "gldt-", "glrt-")
	add("a Slack token", rule{class: url, least: 20}, "xoxb-", "xoxa-", "xoxp-", "xoxr-", "xoxs-", "xapp-")
	add("a Slack webhook", rule{class: path, least: 35}, "hooks.slack.com/services/T")
	add("a Stripe key", rule{class: alnum, least: 20}, "sk_live_", "rk_live_")
	add("a Google API key", rule{class: url, least: 35, most: 35}, "AIza")
	add("an OpenAI key", rule{class: url, least: 40}, "sk-proj-", "sk-svcacct-", "sk-admin-")
	add("an Anthropic key", rule{class: url, least: 60}, "sk-ant-")
	add("an npm token", rule{class: alnum, least: 36, most: 36}, "npm_")
	add("a PyPI token", rule{class: url, least: 50}, "pypi-AgE")
	add("an Azure storage key", rule{class: b64, least: 80}, "AccountKey=")
	add("a DigitalOcean token", rule{class: hex, least: 64, most: 64}, "dop_v1_", "doo_v1_")
	add("a Hugging Face token", rule{class: alnum, least: 34, most: 40}, "hf_")
	add("a Shopify token", rule{class: hex, least: 32, most: 32}, "shpat_", "shpss_", "shpca_")
	add("a Databricks token", rule{class: hex, least: 32, most: 32}, "dapi")
	add("a Docker token", rule{class: url, least: 27}, "dckr_pat_")
	add("an Atlassian token", rule{class: func(c byte) bool { return url(c) || c == '=' }, least: 100}, "ATATT3")
	add("a SendGrid key", rule{class: func(c byte) bool { return url(c) || c == '.' }, least: 66, most: 66}, "SG.")
	add("a Grafana token", rule{class: id, least: 32}, "glsa_")
	return out
}()

// candidate says that a token of this rule begins so many bytes before the pair.
type candidate struct{ rule, offset uint8 }

// pairs holds, for every pair of bytes, the tokens that it may be in. Only every second pair of a text is looked up, so each beginning
// is known by two neighbouring pairs. The bits of known, which stay in the processor's nearest cache, say for which pairs there are any.
var pairs, known = func() (t map[uint16][]candidate, bits [1 << 10]uint64) {
	t = map[uint16][]candidate{}
	for r, rule := range rules {
		first := rarest(rule.prefix)
		for offset := first; offset < first+2; offset++ {
			k := uint16(rule.prefix[offset])<<8 | uint16(rule.prefix[offset+1])
			t[k] = append(t[k], candidate{uint8(r), uint8(offset)})
			bits[k/64] |= 1 << (k % 64)
		}
	}
	return t, bits
}()

// rarest is where in a beginning the two neighbouring pairs are that texts have least: those with few small letters.
func rarest(prefix []byte) (at int) {
	least := 4
	for o := 0; o+2 < len(prefix); o++ {
		common := 0
		for _, c := range []byte{prefix[o], prefix[o+1], prefix[o+1], prefix[o+2]} {
			if 'a' <= c && c <= 'z' {
				common++
			}
		}
		if common < least {
			at, least = o, common
		}
	}
	return at
}

// privateKey reads the rest of the line that begins a PEM block.
func privateKey(rest []byte) bool {
	kind, _, ok := bytes.Cut(rest, []byte("-----"))
	return ok && len(kind) < 40 && (bytes.HasSuffix(kind, []byte("PRIVATE KEY")) || bytes.Equal(kind, []byte("PGP PRIVATE KEY BLOCK")))
}

// noExample lets the key pass that the service's own documentation uses.
func noExample(rest []byte) bool { return !bytes.HasPrefix(rest[9:], []byte("EXAMPLE")) }
