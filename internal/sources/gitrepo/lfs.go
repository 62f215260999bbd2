package gitrepo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// maxPointer is the size of the largest file that git-lfs takes for a pointer.
const maxPointer = 1024

// pointer is what stands in the repository in the place of a file that git-lfs keeps elsewhere.
type pointer struct {
	oid  string // SHA-256 of the content
	size int64
	text []byte
}

var (
	pointerOID  = regexp.MustCompile(`(?m)^oid sha256:([0-9a-f]{64})$`)
	pointerSize = regexp.MustCompile(`(?m)^size (\d{1,18})$`)
)

// parsePointer reads a pointer; nil when the text is none.
func parsePointer(text []byte) *pointer {
	if len(text) > maxPointer || !bytes.HasPrefix(text, []byte("version https://git-lfs.github.com/spec/v1\n")) {
		return nil
	}
	oid, size := pointerOID.FindSubmatch(text), pointerSize.FindSubmatch(text)
	if oid == nil || size == nil {
		return nil
	}
	n, err := strconv.ParseInt(string(size[1]), 10, 64)
	if err != nil {
		return nil
	}
	return &pointer{oid: string(oid[1]), size: n, text: text}
}

// pointer reads a small blob, and gives nil when it is not a pointer.
func (r *Repo) pointer(ctx context.Context, id string) (*pointer, error) {
	text, err := r.whole(ctx, id)
	if err != nil {
		return nil, err
	}
	return parsePointer(text), nil
}

// lfsSettings keep git-lfs to the server of the repository, whatever a file .lfsconfig in the repository says.
func (a *access) lfsSettings() []setting {
	set := []setting{
		{"lfs.allowincompletepush", "false"}, {"lfs.skipdownloaderrors", "false"},
		{"lfs.concurrenttransfers", "4"}, {"lfs.transfer.maxretries", "2"}, {"lfs.transfer.maxretrydelay", "1"}, {"lfs.activitytimeout", "60"},
		{"lfs.dialtimeout", "20"},
	}
	if a.form == formHTTPS || a.form == formHTTP {
		base := strings.TrimSuffix(a.address, "/")
		if !strings.HasSuffix(base, ".git") {
			base += ".git"
		}
		set = append(set, setting{"lfs.url", base + "/info/lfs"})
	}
	return set
}

// openLFS gives the content that a pointer stands for.
func (r *Repo) openLFS(ctx context.Context, d kb.Document, id string, p *pointer) (kb.Content, error) {
	if p.size > r.largest {
		return nil, r.openError(ctx, d, errBig)
	}
	at := filepath.Join(r.cache.dir, "lfs", "objects", p.oid[:2], p.oid[2:4], p.oid)
	if info, err := os.Stat(at); err != nil || info.Size() != p.size {
		if err := r.smudge(ctx, d, p); err != nil {
			if errors.Is(err, fault.ErrUnsupported) {
				r.lfsLess.add(id)
			}
			return nil, err
		}
	}
	f, err := os.Open(at)
	if err != nil {
		if p.size == 0 {
			return memory{bytes.NewReader(nil)}, nil
		}
		return nil, fault.New(fault.ErrIncomplete, "%s: git-lfs did not fetch the content", kb.Printable(string(d.Key)))
	}
	return &largeFile{File: f, doc: d, p: p, hash: sha256.New()}, nil
}

// smudge lets git-lfs fetch the content into the cache.
func (r *Repo) smudge(ctx context.Context, d kb.Document, p *pointer) error {
	name := kb.Printable(string(d.Key))
	set, env, err := r.remote(ctx)
	if err != nil {
		return r.trouble(ctx, err)
	}
	held, err := r.cache.lock(ctx)
	if err != nil {
		return r.trouble(ctx, err)
	}
	defer unlock(held)
	if err := r.refusesLFS(); err != nil {
		return fault.New(fault.ErrIncomplete, "%s", name).Because(err)
	}
	r.makeRoomForLFS(p.size)
	r.requests.Add(1)
	_, err = r.git.runAs(ctx, "git-lfs", command{
		args: []string{"smudge"}, dir: r.cache.dir, settings: append(set, r.access.lfsSettings()...), env: env,
		stdin: bytes.NewReader(p.text), limit: fetchLimit, hold: held, discard: true,
		stall: r.stall, grown: r.cache.lfsUnfinished, watch: r.within(r.cache.lfsUnfinished, p.size+lfsSlack),
	})
	if err != nil {
		r.cache.tidy()
	}
	switch {
	case err == nil:
		r.received.Add(p.size)
		return nil
	case errors.Is(err, errBudget):
		return fault.New(fault.ErrIncomplete, "%s: the server sends more than the %d bytes that git-lfs expects", name, p.size).WithHint("upload it to the server again")
	case lfsDenied(err):
		return fault.New(fault.ErrIncomplete, "%s", name).Because(r.giveUpLFS())
	case errors.Is(err, exec.ErrNotFound):
		return fault.New(fault.ErrUnsupported, "%s is kept by git-lfs, which is not installed here", name).WithHint("install git-lfs, or exclude it")
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fault.New(fault.ErrIncomplete, "%s: git-lfs could not fetch it", name).Because(r.trouble(ctx, err))
}

// largeFile is a document that git-lfs fetched.
type largeFile struct {
	*os.File
	doc  kb.Document
	p    *pointer
	hash hash.Hash
	read int64
}

// Read implements io.Reader.
func (l *largeFile) Read(p []byte) (int, error) {
	n, err := l.File.Read(p)
	l.hash.Write(p[:n])
	if l.read += int64(n); l.read > l.p.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Verify implements kb.Content. A copy that is not what the pointer says is removed, so that it is fetched again.
func (l *largeFile) Verify() (doubtful bool, err error) {
	if l.read != l.p.size || hex.EncodeToString(l.hash.Sum(nil)) != l.p.oid {
		_ = os.Remove(l.Name())
		return false, fault.New(fault.ErrChanged, "%s: the copy in the cache is damaged", kb.Printable(string(l.doc.Key))).WithHint("the next pass fetches it again")
	}
	return false, nil
}
