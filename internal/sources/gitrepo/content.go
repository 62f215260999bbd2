package gitrepo

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"os/exec"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// inMemory is the largest document that is read at once; larger ones come from a process of their own.
const inMemory = 1 << 20

// Open implements kb.Opener. A blob that was not fetched before is fetched now.
func (r *Repo) Open(ctx context.Context, d kb.Document) (kb.Content, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.opens.Add(1)
	id := blobID(d.Fingerprint)
	if !fullID.MatchString(id) {
		return nil, fault.New(fault.ErrChanged, "%s is not the version that was listed", kb.Printable(string(d.Key)))
	}
	if err := r.open(); err != nil {
		return nil, err
	}
	size, err := r.present(ctx, id)
	if err != nil {
		return nil, r.openError(ctx, d, err)
	}
	if size <= maxPointer {
		p, err := r.pointer(ctx, id)
		if err != nil {
			return nil, r.openError(ctx, d, err)
		}
		if p != nil {
			return r.openLFS(ctx, d, id, p)
		}
	}
	if size > r.largest {
		return nil, r.openError(ctx, d, errBig)
	}
	if size <= inMemory {
		data, err := r.whole(ctx, id)
		if err != nil {
			return nil, r.openError(ctx, d, err)
		}
		return memory{bytes.NewReader(data)}, nil
	}
	return r.stream(ctx, d, id, size)
}

// present gives the size of a blob, after fetching it where it is missing.
func (r *Repo) present(ctx context.Context, id string) (int64, error) {
	for round := 0; ; round++ {
		if r.large.has(id) {
			return 0, errBig
		}
		found, err := r.objects.info(ctx, []string{id})
		switch {
		case err == nil && found[0].kind == "blob":
			return found[0].size, nil
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case round == 1 && err != nil:
			return 0, err
		case round == 1 && r.large.has(id):
			return 0, errBig
		case round == 1:
			return 0, errMissing
		}
		if err := r.fetch(ctx, []string{id}); err != nil {
			return 0, err
		}
	}
}

// whole reads a blob. A damaged cache is made anew once, and the blob fetched again.
func (r *Repo) whole(ctx context.Context, id string) ([]byte, error) {
	data, err := r.objects.read(ctx, id, "blob", inMemory)
	if err == nil || !errors.Is(err, errDamaged) && !errors.Is(err, errMissing) || ctx.Err() != nil {
		return data, err
	}
	if err := r.refetch(ctx, id, err); err != nil {
		return nil, err
	}
	return r.objects.read(ctx, id, "blob", inMemory)
}

// refetch makes the cache anew because of a blob that cannot be read, and fetches it again.
func (r *Repo) refetch(ctx context.Context, id string, why error) error {
	first := true
	err := r.healing(ctx, len(id) == 64, func(held *os.File) error {
		if first {
			first = false
			return why
		}
		return r.bring(ctx, []string{id}, held)
	})
	if err != nil {
		return r.trouble(ctx, err)
	}
	return nil
}

// openError says why a document cannot be had.
func (r *Repo) openError(ctx context.Context, d kb.Document, err error) error {
	name := kb.Printable(string(d.Key))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errBig):
		return fault.New(fault.ErrUnsupported, "%s is larger than %d MiB", name, max(1, r.largest>>20)).WithHint("exclude it to silence this")
	case errors.Is(err, errMissing):
		return fault.New(fault.ErrChanged, "%s: the server no longer has the version that was listed", name)
	}
	return r.trouble(ctx, err)
}

// memory is content that was held against its name already.
type memory struct{ *bytes.Reader }

func (memory) Close() error                       { return nil }
func (memory) Verify() (doubtful bool, err error) { return false, nil }
func (m memory) Read(p []byte) (int, error)       { return m.Reader.Read(p) }

// stream reads a large blob through a process of its own.
func (r *Repo) stream(ctx context.Context, d kb.Document, id string, size int64) (kb.Content, error) {
	// The content outlives the call; Close ends the process.
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	cmd := r.git.prepare(inner, "git", &command{args: []string{"cat-file", "blob", id}, dir: r.cache.dir})
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		stop()
		return nil, r.openError(ctx, d, err)
	}
	return &streamed{r: r, doc: d, id: id, left: size, cmd: cmd, stop: stop, out: out, hash: newHash(len(id), "blob", size)}, nil
}

// streamed is a large document being read.
type streamed struct {
	r    *Repo
	doc  kb.Document
	id   string
	left int64
	cmd  *exec.Cmd
	stop context.CancelFunc
	out  io.Reader
	hash hash.Hash
}

// Read implements io.Reader.
func (s *streamed) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n, err := s.out.Read(p)
	s.hash.Write(p[:n])
	s.left -= int64(n)
	if errors.Is(err, io.EOF) && s.left > 0 {
		err = s.damaged()
	}
	return n, err
}

// Verify implements kb.Content. What was read is held against the name of the blob.
func (s *streamed) Verify() (doubtful bool, err error) {
	if s.left > 0 || hex.EncodeToString(s.hash.Sum(nil)) != s.id {
		return false, s.damaged()
	}
	return false, nil
}

// damaged makes the next reading begin with a new cache.
func (s *streamed) damaged() error {
	s.r.log.Warn("cache of the repository is damaged, making it anew")
	if err := s.r.cache.note("damaged"); err != nil {
		s.r.log.Warn("cache cannot be written", "err", plainRun(err))
	}
	return fault.New(fault.ErrChanged, "%s: the copy in the cache is damaged", kb.Printable(string(s.doc.Key))).WithHint("the next pass fetches it again")
}

// Close implements io.Closer.
func (s *streamed) Close() error {
	s.stop()
	_ = s.cmd.Wait() // it was killed, or is at its end
	return nil
}
