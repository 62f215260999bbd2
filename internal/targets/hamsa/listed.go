package hamsa

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"strings"

	"kbsyncd/internal/targets"
)

// agentFields is how many fields besides its id show that an object is a whole agent, which has dozens.
const agentFields = 3

// decodeAgent finds the ids that an agent lists. told is false for an agent without a list, which need not have one while it is
// empty. An answer that is not surely this agent's, or not all of it, is an error, because what is concluded from it is written back.
func decodeAgent(b []byte, agent string) (ids []targets.RemoteID, told bool, err error) {
	var outer, inner struct{ Data, VoiceAgent, Agent json.RawMessage }
	if json.Unmarshal(b, &outer) != nil {
		return nil, false, errors.New("the answer is no agent")
	}
	_ = json.Unmarshal(outer.Data, &inner) // where it is no object there is nothing inside
	whole := false
	for _, raw := range []json.RawMessage{outer.Data, inner.VoiceAgent, inner.Agent, b, outer.VoiceAgent, outer.Agent} {
		var a struct {
			ID, VoiceAgentID      text
			KnowledgeBaseItemsIDs json.RawMessage
		}
		if json.Unmarshal(raw, &a) != nil {
			continue
		}
		id := string(cmp.Or(a.ID, a.VoiceAgentID))
		switch {
		case id != "" && !strings.EqualFold(id, agent):
			return nil, false, errors.New("the answer is another agent")
		case len(a.KnowledgeBaseItemsIDs) > 0:
			ids, err = decodeIDs(a.KnowledgeBaseItemsIDs, 0)
			return ids, err == nil, err
		case id != "":
			whole = whole || countFields(raw) >= agentFields
		}
	}
	if !whole {
		return nil, false, errors.New("the answer does not tell the items of the agent")
	}
	return nil, false, nil
}

// countFields is the number of fields of an object that say something about it, besides its id.
func countFields(b json.RawMessage) (n int) {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(b, &fields)
	for name, v := range fields {
		switch strings.ToLower(name) {
		case "id", "voiceagentid", "success", "statuscode", "message", "messagekey", "error", "data", "voiceagent", "agent":
		default:
			if string(v) != "null" {
				n++
			}
		}
	}
	return n
}

var errNoIDs = errors.New("the list of items cannot be read")

// decodeIDs reads a list that comes as one, as null, or as a string with JSON or with commas inside. What cannot be read as a whole is an
// error, because the rest would be lost.
func decodeIDs(b json.RawMessage, depth int) ([]targets.RemoteID, error) {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0 || string(b) == "null":
		return nil, nil
	case b[0] == '"' && depth < 2:
		var s string
		if json.Unmarshal(b, &s) != nil {
			return nil, errNoIDs
		}
		s = strings.TrimSpace(s)
		if strings.HasPrefix(s, "[") || strings.HasPrefix(s, `"`) || s == "null" {
			return decodeIDs(json.RawMessage(s), depth+1)
		}
		return splitIDs(s)
	case b[0] != '[':
		return nil, errNoIDs
	}
	var list []json.RawMessage
	if json.Unmarshal(b, &list) != nil {
		return nil, errNoIDs
	}
	var out []targets.RemoteID
	for _, raw := range list {
		var id text
		if len(raw) > 0 && raw[0] == '{' {
			var it item
			if json.Unmarshal(raw, &it) != nil {
				return nil, errNoIDs
			}
			id = text(it.ID)
		} else if json.Unmarshal(raw, &id) != nil {
			return nil, errNoIDs
		}
		if id == "" {
			return nil, errNoIDs
		}
		out = append(out, targets.RemoteID(id))
	}
	return out, nil
}

func splitIDs(s string) ([]targets.RemoteID, error) {
	var out []targets.RemoteID
	for id := range strings.SplitSeq(s, ",") {
		switch id = strings.TrimSpace(id); {
		case id == "":
		case strings.ContainsAny(id, "{}[]\"\\ "):
			return nil, errNoIDs
		default:
			out = append(out, targets.RemoteID(id))
		}
	}
	return out, nil
}
