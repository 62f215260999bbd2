package gitrepo

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

var (
	// errMissing: an object is not in the cache.
	errMissing = errors.New("object is missing")
	// errDamaged: the cache holds something else than it should.
	errDamaged = errors.New("the cache is damaged")
	// errClosed: the source is closed.
	errClosed = errors.New("the source is closed")
	// errBig: an object is larger than the caller takes.
	errBig = errors.New("object is too large")
)

// object is what is known of one object without reading it.
type object struct {
	kind string // blob, tree, commit or tag; "" when it is missing
	size int64
}

// objects reads from the repository through one long-lived process. Its methods may be called concurrently; they take turns.
type objects struct {
	git *git
	dir func() string

	turn chan struct{} // holds one token while nobody is using the process
	shut bool
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

func newObjects(g *git, dir func() string) *objects {
	o := &objects{git: g, dir: dir, turn: make(chan struct{}, 1)}
	o.turn <- struct{}{}
	return o
}

// use runs fn with the process alone. After an error the process is ended, since nobody knows where it stands.
func (o *objects) use(ctx context.Context, fn func() error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-o.turn:
	}
	defer func() { o.turn <- struct{}{} }()
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.shut {
		return errClosed
	}
	if o.cmd == nil {
		if err := o.start(ctx); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = o.cmd.Cancel() })
	err := fn()
	if !stop() {
		err = ctx.Err()
	}
	if err != nil && !errors.Is(err, errMissing) {
		o.end()
	}
	return err
}

func (o *objects) start(ctx context.Context) error {
	// The process outlives the call that needed it first; end kills it.
	cmd := o.git.prepare(context.WithoutCancel(ctx), "git", &command{args: []string{"cat-file", "--batch-command"}, dir: o.dir()})
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	o.cmd, o.in, o.out = cmd, in, bufio.NewReaderSize(out, 64<<10)
	return nil
}

func (o *objects) end() {
	if o.cmd == nil {
		return
	}
	_ = o.in.Close()
	_ = o.cmd.Cancel()
	_ = o.cmd.Wait()
	o.cmd = nil
}

// reset ends the process, because the files below it have changed.
func (o *objects) reset() {
	<-o.turn
	o.end()
	o.turn <- struct{}{}
}

// close ends the process for good.
func (o *objects) close() {
	<-o.turn
	o.end()
	o.shut = true
	o.turn <- struct{}{}
}

// chunk is how many questions are asked before the answers are read; both fit into the buffers of the pipes.
const chunk = 200

// info looks at objects without reading them.
func (o *objects) info(ctx context.Context, ids []string) ([]object, error) {
	out := make([]object, 0, len(ids))
	for len(ids) > 0 {
		n := min(chunk, len(ids))
		err := o.use(ctx, func() error {
			var ask strings.Builder
			for _, id := range ids[:n] {
				ask.WriteString("info " + id + "\n")
			}
			if _, err := io.WriteString(o.in, ask.String()); err != nil {
				return damaged(err)
			}
			for _, id := range ids[:n] {
				ob, err := o.header(id)
				if err != nil && !errors.Is(err, errMissing) {
					return err
				}
				out = append(out, ob)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		ids = ids[n:]
	}
	return out, nil
}

// name finds the object that an expression of our own making stands for.
func (o *objects) name(ctx context.Context, expression string) (id, kind string, err error) {
	err = o.use(ctx, func() error {
		if _, err := io.WriteString(o.in, "info "+expression+"\n"); err != nil {
			return damaged(err)
		}
		line, err := o.out.ReadString('\n')
		if err != nil {
			return damaged(err)
		}
		f := strings.Fields(line)
		if len(f) != 3 || !fullID.MatchString(f[0]) {
			return errMissing
		}
		id, kind = f[0], f[1]
		return nil
	})
	return id, kind, err
}

// header reads the line that describes an object.
func (o *objects) header(id string) (object, error) {
	line, err := o.out.ReadSlice('\n')
	if err != nil {
		return object{}, damaged(err)
	}
	f := strings.Fields(string(line))
	if len(f) == 2 && f[0] == id && f[1] == "missing" {
		return object{}, errMissing
	}
	if len(f) != 3 || f[0] != id {
		return object{}, damaged(errors.New("an unexpected answer"))
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil || size < 0 {
		return object{}, damaged(errors.New("an unexpected size"))
	}
	return object{kind: f[1], size: size}, nil
}

func damaged(err error) error { return fmt.Errorf("%w: %w", errDamaged, err) }

// read gives a whole object of at most so many bytes, held against its name.
func (o *objects) read(ctx context.Context, id, kind string, most int64) ([]byte, error) {
	var data []byte
	err := o.use(ctx, func() error {
		if _, err := io.WriteString(o.in, "contents "+id+"\n"); err != nil {
			return damaged(err)
		}
		ob, err := o.header(id)
		switch {
		case err != nil:
			return err
		case ob.kind != kind:
			return damaged(fmt.Errorf("%s is a %s", id, ob.kind))
		case ob.size > most:
			return errBig // the rest is not worth reading
		}
		data = make([]byte, ob.size)
		if _, err := io.ReadFull(o.out, data); err != nil {
			return damaged(err)
		}
		if b, err := o.out.ReadByte(); err != nil || b != '\n' {
			return damaged(errors.New("an object without an end"))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	h := newHash(len(id), kind, int64(len(data)))
	h.Write(data)
	if hex.EncodeToString(h.Sum(nil)) != id {
		return nil, damaged(fmt.Errorf("%s has other content than its name says", id))
	}
	return data, nil
}

// newHash begins the name of an object; digits is the length of a name in hexadecimal.
func newHash(digits int, kind string, size int64) hash.Hash {
	var h hash.Hash
	if digits == 2*sha256.Size {
		h = sha256.New()
	} else {
		h = sha1.New()
	}
	_, _ = fmt.Fprintf(h, "%s %d\x00", kind, size)
	return h
}

// treeEntry is one entry of a tree.
type treeEntry struct {
	name string
	mode string
	id   string
}

// parseTree takes a tree apart; digits is the length of a name in hexadecimal.
func parseTree(data []byte, digits int) ([]treeEntry, error) {
	var out []treeEntry
	for len(data) > 0 {
		mode, rest, ok := bytes.Cut(data, []byte{' '})
		if !ok || len(mode) > 7 {
			return nil, errors.New("a tree without a mode")
		}
		name, rest, ok := bytes.Cut(rest, []byte{0})
		if !ok || len(rest) < digits/2 {
			return nil, errors.New("a tree that ends in the middle")
		}
		out = append(out, treeEntry{string(name), string(mode), hex.EncodeToString(rest[:digits/2])})
		data = rest[digits/2:]
	}
	return out, nil
}
