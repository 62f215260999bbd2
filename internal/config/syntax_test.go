package config

import (
	"strings"
	"testing"
)

// The line in a message is the one to look at.
func TestLineOfSyntaxErrors(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		line       int
	}{
		{"bracket in the second line", "owner: me\nlog: [a, b\nlisten: x\n", 2},
		{"bracket in the first line", "log: [a, b\n", 1},
		{"bracket that nothing opened", "owner: me\nlog: a\nsources: ]\n", 3},
		{"variable in braces", "sources:\n  a:\n    x: 1\n  b: { type: folder, path: ${HOME} }\n", 4},
		{"key too far left", "sources:\n  a:\n    type: folder\n    path: x\n   include: y\n", 5},
		{"key too far left after a list", "sources:\n  a: [x,\n    y]\n  b:\n    - 1\n   c: 2\n", 6},
		{"indented key", "owner: me\nlog: x\n  level: y\n", 3},
		{"tab", "owner: me\nlog:\n\tlevel: x\n", 3},
		{"open quote", "owner: me\nlog: \"x\nlisten: y\n", 2},
		{"anchor", "owner: me\nlog: x\nlisten: *none\n", 3},
		{"control character", "owner: me\nlog: x\nlisten: \x01\n", 3},
		{"encoding", "owner: me\nlog: x\nlisten: \xff\n", 3},
	} {
		_, err := load(t, tt.text)
		if err == nil {
			t.Errorf("%s: no error", tt.name)
			continue
		}
		if p := problems(t, err)[0]; p.Line != tt.line || !strings.Contains(p.Msg, "not valid YAML") {
			t.Errorf("%s: %s, want line %d", tt.name, p, tt.line)
		}
	}
}

func TestNotifyURL(t *testing.T) {
	for value, good := range map[string]bool{
		"foo": false, "hooks.example.com/x": false, "ftp://example.com": false, `"https:///x"`: false, `"${POLL}"`: false,
		`"${SLACK_WEBHOOK}"`: true, `"http://127.0.0.1:9/x?y=z"`: true,
	} {
		_, err := load(t, minimal+"notify: [{ url: "+value+" }]\n")
		if (err == nil) != good {
			t.Errorf("%s: %v", value, err)
		}
		if err != nil && !strings.Contains(err.Error(), "notify[0].url: must be an http or https address") {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestAgentsNeedAChat(t *testing.T) {
	const text = `
sources: { a: { type: folder, path: . } }
targets:
  support: { type: starleads, api_key: k, dataset: d%s }
syncs:
  support: { from: a, to: support%s }
  other: { from: a, to: support, agents: [y] }
`
	for _, tt := range []struct{ target, sync, want string }{
		{"", ", agents: [x]", `targets.support.chat: missing, though the sync "other" has agents; write chat: "Support assistant" (created when it does not exist) or chat_id`},
		{", chat: c", ", agents: [x]", ""},
		{", chat_id: c", "", ""},
		{`, chat_id: "${NOBODY_SET_THIS}"`, "", "targets.support.chat_id: "},
	} {
		_, err := load(t, strings.Replace(strings.Replace(text, "%s", tt.target, 1), "%s", tt.sync, 1))
		switch {
		case tt.want == "" && err == nil:
		case tt.want == "" || err == nil:
			t.Errorf("%q: %v", tt.target, err)
		default:
			if list := problems(t, err); len(list) != 1 || list[0].Line != 4 || !strings.Contains(list[0].String(), tt.want) {
				t.Errorf("%q: %v", tt.target, err)
			}
		}
	}
}

func TestCopiesNeedAgents(t *testing.T) {
	const text = `
sources: { a: { type: folder, path: . } }
targets:
  bot: { type: chatbase, api_key: k%s }
  voice: { type: hamsa, api_key: k }
`
	for _, tt := range []struct{ target, rest, want string }{
		{"", "", "targets.bot: chatbase keeps a copy for each agent, and without syncs there are no agents"},
		{"", "syncs: { s: { from: a, to: [bot, voice] } }\n", `syncs.s: chatbase keeps a copy for each agent, and the sync has no agents for "bot"`},
		{"", "syncs: { s: { from: a, to: [bot, voice], agents: [{ id: x, to: voice }] } }\n", `syncs.s: chatbase keeps a copy for each agent`},
		{"", "syncs: { s: { from: a, to: [bot, voice], agents: [{ id: x, to: bto }] } }\n", `did you mean "bot"?`},
		{"", "syncs: { s: { from: a, to: [bot, voice], agents: [{ id: x, to: bot }] } }\n", ""},
		{"", "syncs: { s: { from: a, to: bot, agents: [x] }, t: { from: a, to: bot, agents: [x] } }\n", ""},
		{", api: v1", "syncs: { s: { from: a, to: bot, agents: [x] }, t: { from: a, to: bot, agents: [x] } }\n", `syncs.t: the agent "x" of "bot" belongs to the sync "s" already`},
		{", api: v1", "syncs: { s: { from: a, to: bot, agents: [x] }, t: { from: a, to: bot, agents: [y] } }\n", ""},
	} {
		_, err := load(t, strings.Replace(text, "%s", tt.target, 1)+tt.rest)
		switch {
		case tt.want == "" && err == nil:
		case tt.want == "" || err == nil:
			t.Errorf("%q: %v", tt.rest, err)
		default:
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q: %v", tt.rest, err)
			}
		}
	}
}
