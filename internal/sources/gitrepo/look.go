package gitrepo

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
	"kbsyncd/internal/sources"
)

// tip is what the configured ref means now.
type tip struct {
	commit string
	remote string // the full name of the ref on the server, or the id of a commit
	shown  string // for people
}

// spec is what to fetch the tip by. The ref is fetched by its name, because not every server sends what it is asked for by id.
func (t *tip) spec() string { return t.remote + ":" + t.local() }

// local is where the tip is kept in the cache.
func (t *tip) local() string { return localRef(t.remote) }

func localRef(remote string) string { return "refs/kbsyncd/" + tag(remote) }

var fullID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// findTip asks the server what the ref means. A full id of a commit means itself; of a branch and a tag with one name the branch counts.
func (r *Repo) findTip(ctx context.Context) (*tip, error) {
	if fullID.MatchString(r.ref) {
		return &tip{commit: r.ref, remote: r.ref, shown: "commit " + r.ref}, nil
	}
	args := []string{"ls-remote", "--symref", "--quiet", "--end-of-options", "origin"}
	short := strings.TrimPrefix(strings.TrimPrefix(r.ref, "refs/heads/"), "refs/tags/")
	branch, tagged := "refs/heads/"+short, "refs/tags/"+short
	if r.ref == "" {
		args = append(args, "HEAD")
	} else {
		args = append(args, branch, tagged, tagged+"^{}")
	}
	out, err := r.network(ctx, command{args: args, limit: r.patience})
	if err != nil {
		return nil, r.trouble(ctx, err)
	}
	ids, head := parseRefs(out)
	switch {
	case r.ref == "" && ids["HEAD"] != "":
		shown := "the default branch"
		if b, ok := strings.CutPrefix(head, "refs/heads/"); ok {
			shown += " " + b
		} else {
			head = "HEAD"
		}
		return &tip{commit: ids["HEAD"], remote: head, shown: shown}, nil
	case r.ref == "":
		return nil, fault.New(fault.ErrIncomplete, "%s: the repository is empty, or its default branch does not exist", r.shown).
			WithHint("push a first commit, or name a branch as `ref`")
	case ids[branch] != "" && !strings.HasPrefix(r.ref, "refs/tags/"):
		return &tip{commit: ids[branch], remote: branch, shown: "branch " + short}, nil
	case ids[tagged] != "" && !strings.HasPrefix(r.ref, "refs/heads/"):
		t := &tip{commit: ids[tagged], remote: tagged, shown: "tag " + short}
		if peeled := ids[tagged+"^{}"]; peeled != "" {
			t.commit = peeled
		}
		return t, nil
	}
	return nil, fault.New(fault.ErrIncomplete, "%s: there is no branch or tag %s", r.shown, kb.Printable(r.ref)).
		WithHint("correct `ref`; a commit has to be written with all its digits")
}

// isOf tells that a listing is that of the tip. The id of a tag always means the same commit, which the listing names.
func (t *tip) isOf(l *listing) bool {
	return l.commit == t.commit || fullID.MatchString(t.remote) && l.spec == t.spec()
}

// parseRefs reads what ls-remote writes: the ids by name, and what HEAD stands for.
func parseRefs(out []byte) (ids map[string]string, head string) {
	ids = map[string]string{}
	for line := range strings.Lines(string(out)) {
		id, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		to, symbolic := strings.CutPrefix(id, "ref: ")
		switch {
		case !ok:
		case symbolic && name == "HEAD":
			head = to
		case fullID.MatchString(id):
			ids[name] = id
		}
	}
	return ids, head
}

// Scan implements sources.Source. See the package comment for what makes it fail.
func (r *Repo) Scan(ctx context.Context, known sources.Known, sink sources.Sink) error {
	l, err := r.look(ctx, known)
	if err != nil {
		return err
	}
	_, noLFS := exec.LookPath("git-lfs")
	r.lfsLess.forget()
	for i := range l.at {
		if i&63 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e := l.entry(i)
		if e.kind == isDocument {
			err = sink.Document(r.document(l, e, noLFS == nil))
		} else {
			err = sink.Problem(r.problem(e))
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// look finds out what there is. Scans of one run share it, also its failure, unless that came from their own caller.
func (r *Repo) look(ctx context.Context, known sources.Known) (*listing, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.looking:
	}
	defer func() { r.looking <- struct{}{} }()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, s := range r.shared {
		if known.Run != 0 && s.run == known.Run {
			return s.listing, s.err
		}
	}
	start := time.Now()
	requests, received := r.requests.Load(), r.received.Load()
	l, err := r.lookNow(ctx, known)
	cost := sources.Cost{Requests: r.requests.Load() - requests, BytesReceived: r.received.Load() - received, Duration: time.Since(start)}
	if err == nil && cost.Requests > 0 && cost.BytesReceived == 0 {
		cost.NotModified = cost.Requests
	}
	r.noteCost(known.Run, cost, requests, received)
	if known.Run != 0 && ctx.Err() == nil {
		if len(r.shared) == maxShared {
			r.shared = append(r.shared[:0], r.shared[1:]...)
		}
		r.shared = append(r.shared, sharedLook{run: known.Run, listing: l, err: err})
	}
	return l, err
}

// lookNow asks the server for the tip, and fetches and lists it when it is not the one that is known.
func (r *Repo) lookNow(ctx context.Context, known sources.Known) (*listing, error) {
	if err := r.ready(ctx); err != nil {
		return nil, err
	}
	t, err := r.findTip(ctx)
	if err != nil {
		return nil, err
	}
	r.begin("+" + t.spec())
	if l := r.listing(); l != nil && t.isOf(l) {
		return l, nil
	}
	l := r.load(t)
	if l == nil {
		if l, err = r.update(ctx, t, known); err != nil {
			return nil, r.trouble(ctx, err)
		}
	}
	r.mu.Lock()
	r.current = l
	r.mu.Unlock()
	return l, nil
}

// update brings the cache to the tip and lists it.
func (r *Repo) update(ctx context.Context, t *tip, known sources.Known) (*listing, error) {
	var l *listing
	sha256 := len(t.commit) == 64
	err := r.healing(ctx, sha256, func(held *os.File) error {
		if l = r.load(t); l != nil {
			return nil // another process was faster
		}
		if r.cache.overgrown() {
			r.log.Info("cache of the repository has grown too large, making it anew")
			if err := r.renew(sha256); err != nil {
				return err
			}
		}
		commit, err := r.haveTip(ctx, t, held)
		if err != nil {
			return err
		}
		l, err = r.makeListing(ctx, t, commit, held, known)
		return err
	})
	return l, err
}

// haveTip makes sure that the commit is in the cache. The branch may have moved since it was looked at: then what came counts.
func (r *Repo) haveTip(ctx context.Context, t *tip, held *os.File) (commit string, err error) {
	found, err := r.objects.info(ctx, []string{t.commit})
	if err != nil {
		return "", err
	}
	if found[0].kind == "commit" {
		return t.commit, nil
	}
	if found[0].kind == "tag" {
		if commit, kind, err := r.objects.name(ctx, t.commit+"^{commit}"); err == nil && kind == "commit" {
			return commit, nil
		}
	}
	if err := r.fetchTip(ctx, "+"+t.spec(), held); err != nil {
		if refusesIDs(err) || len(notOurs(err)) > 0 {
			return "", fault.New(fault.ErrIncomplete, "%s: the server does not have %s, or sends no commits by their id", r.shown, kb.Printable(t.shown)).
				WithHint("correct `ref`, or name a branch or tag")
		}
		return "", err
	}
	commit, kind, err := r.objects.name(ctx, t.local()+"^{commit}")
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil || kind != "commit" {
		return "", fault.New(fault.ErrIncomplete, "%s: %s is not a commit", r.shown, kb.Printable(t.shown)).WithHint("name a branch, or the tag of a commit, as `ref`")
	}
	return commit, nil
}

// makeListing walks the commit, fetching what it needs to decide, and saves what came out.
func (r *Repo) makeListing(ctx context.Context, t *tip, commit string, held *os.File, known sources.Known) (*listing, error) {
	text, err := r.objects.read(ctx, commit, "commit", 1<<20)
	if err != nil {
		return nil, err
	}
	tree, when := parseCommit(text)
	if len(tree) != len(commit) {
		return nil, damaged(errors.New("a commit without a tree"))
	}
	w := &walker{r: r, root: tree, looked: known.Looked}
	for round := 0; ; round++ {
		if err := w.list(ctx, r.path); err != nil {
			return nil, err
		}
		if len(w.need) == 0 {
			break
		}
		if round == maxRounds {
			return nil, fault.New(fault.ErrIncomplete, "%s: too many links lead to links", r.shown)
		}
		need := make([]string, 0, len(w.need))
		for id := range w.need {
			need = append(need, id)
		}
		if err := r.bring(ctx, need, held); err != nil {
			return nil, err
		}
		if left, err := r.missing(ctx, need); err != nil || len(left) > 0 {
			return nil, errors.Join(err, fault.New(fault.ErrIncomplete, "%s: the server did not send all that the commit needs", r.shown).WithHint("the next pass looks again"))
		}
	}
	if known.Looked != nil {
		known.Looked(len(w.out))
	}
	b := encode(&listing{commit: commit, spec: t.spec(), ref: t.shown, root: slashed(r.path), when: when}, w.out)
	w.out = nil
	if err := r.save(b); err != nil {
		return nil, err
	}
	return decode(b)
}

// parseCommit finds the tree and the time of the author.
func parseCommit(text []byte) (tree string, when time.Time) {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			break
		}
		if id, ok := strings.CutPrefix(line, "tree "); ok && tree == "" && fullID.MatchString(id) {
			tree = id
		}
		if who, ok := strings.CutPrefix(line, "author "); ok && when.IsZero() {
			if i := strings.LastIndexByte(who, '>'); i >= 0 {
				if f := strings.Fields(who[i+1:]); len(f) > 0 {
					if s, err := strconv.ParseInt(f[0], 10, 64); err == nil && s > 0 && s < 1<<40 {
						when = time.Unix(s, 0)
					}
				}
			}
		}
	}
	return tree, when
}
