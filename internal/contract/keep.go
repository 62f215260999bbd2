package contract

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"time"
)

// How long what was learnt stands, and how long a document that could not be had is left alone.
const (
	fresh = 24 * time.Hour
	again = time.Hour
)

// Memory outlives the process, as targets.Memory does.
type Memory interface {
	Recall(key string) ([]byte, error) // nil when there is nothing
	Remember(key string, value []byte) error
}

// learnt is what is remembered of a document.
type learnt struct {
	Tried  time.Time         `json:"tried"`
	Failed bool              `json:"failed,omitempty"`
	Routes map[string]string `json:"routes"` // as of the last time that the document could be had
}

func (l learnt) stands(now time.Time) bool {
	age := now.Sub(l.Tried)
	return age >= 0 && (age < again || age < fresh && !l.Failed)
}

// key changes with everything that the routes depend on.
func (c Contract) key() string {
	c.Auto = false
	text, _ := json.Marshal(c) // strings only
	sum := sha256.Sum256(text)
	return "contract " + c.Vendor + " " + hex.EncodeToString(sum[:8])
}

// Follower looks into the document of one contract. Its methods are not for concurrent use.
type Follower struct {
	Contract  Contract
	UserAgent string
	Memory    Memory // nil: what was learnt is forgotten with the process
	Log       *slog.Logger

	own learnt // what this process knows
}

// Routes are the routes of the document to use in place of guessed ones, by name. They are remembered, so that the document is
// loaded at most once a day, or once an hour while it cannot be had; then they are those of the last time, or none.
func (f *Follower) Routes(ctx context.Context) map[string]string {
	f.recall()
	if f.own.stands(time.Now()) || ctx.Err() != nil {
		return f.own.Routes
	}
	if _, err := f.Probe(ctx); err != nil && ctx.Err() == nil {
		f.Log.Warn("the vendor's document cannot be had; the known routes stand", "err", err)
	}
	return f.own.Routes
}

// Probe loads the document and compares it. What Auto needs is remembered for Routes.
func (f *Follower) Probe(ctx context.Context) (r Report, err error) {
	doc, err := Load(ctx, f.Contract.Where, f.UserAgent)
	if err == nil {
		r = Compare(doc, f.Contract)
	}
	if !f.Contract.Auto || ctx.Err() != nil {
		return r, err
	}
	f.recall()
	f.own.Tried, f.own.Failed = time.Now(), err != nil
	if err == nil {
		f.own.Routes = r.Routes()
	}
	if err := f.remember(); err != nil {
		f.Log.Warn("the routes of the vendor's document cannot be remembered", "err", err)
	}
	return r, err
}

// recall takes what another process, or the other copies of the target, learnt later.
func (f *Follower) recall() {
	if f.Memory == nil {
		return
	}
	var l learnt
	value, err := f.Memory.Recall(f.Contract.key())
	if err == nil && value != nil && json.Unmarshal(value, &l) == nil && l.Tried.After(f.own.Tried) {
		f.own = l
	}
}

func (f *Follower) remember() error {
	if f.Memory == nil {
		return nil
	}
	value, err := json.Marshal(f.own)
	if err != nil {
		return err
	}
	return f.Memory.Remember(f.Contract.key(), value)
}
