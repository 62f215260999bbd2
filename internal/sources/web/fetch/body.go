package fetch

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"

	"kbsyncd/internal/fault"
)

// packing is how much longer than its content a packed body may be.
const packing = 64 << 10

// body is the content of a page. It ends with io.EOF only when all of it came, packed and unpacked.
type body struct {
	name     string
	x        *exchange
	coding   string
	received atomic.Int64
	total    *atomic.Int64 // of the client
	most     int64
	left     int64         // of most; negative: there was more
	wire     error         // what ended the body on the network
	in       *bufio.Reader // before it is unpacked
	src      io.Reader
	err      error // what every further Read gives
}

// open hands the body of an answer to the caller.
func (g *getting) open(x *exchange) *failure {
	coding := strings.ToLower(strings.TrimSpace(strings.Join(x.resp.Header["Content-Encoding"], ",")))
	switch coding {
	case "identity":
		coding = ""
	case "x-gzip":
		coding = "gzip"
	case "", "gzip", "deflate":
	default:
		_ = x.resp.Body.Close()
		x.end()
		return fail(fault.New(fault.ErrIncomplete, "%s answers with content packed as %s, which was not asked for", g.name(), g.client.clean(coding)))
	}
	most := g.request.MaxBytes
	if most <= 0 {
		most = DefaultMaxBytes
	}
	b := &body{name: g.name(), x: x, coding: coding, total: &g.client.received, most: most, left: most}
	if coding == "" && x.resp.ContentLength > most {
		b.left = -1
	}
	g.page.Body, g.page.body = b, b
	return nil
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if b.left < 0 {
		return 0, b.end(b.tooLarge())
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more than allowed tells whether there is more
	}
	n, err := b.read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, b.end(b.tooLarge())
	}
	if err != nil {
		return n, b.end(b.translate(err))
	}
	return n, nil
}

func (b *body) read(p []byte) (int, error) {
	if b.src == nil {
		if err := b.unpack(); err != nil {
			return 0, err
		}
	}
	n, err := b.src.Read(p)
	if errors.Is(err, io.EOF) && b.in != nil { // what is packed ended; the body must end as well
		if _, err := b.in.ReadByte(); err != nil {
			return n, err
		}
		return n, errTrailing
	}
	return n, err
}

var errTrailing = errors.New("more than the packed content")

// unpack begins to read. Sites mean two different things by deflate; the first byte tells which one.
func (b *body) unpack() (err error) {
	if b.coding == "" {
		b.src = (*wire)(b)
		return nil
	}
	b.in = bufio.NewReader((*wire)(b))
	start, err := b.in.Peek(2)
	switch {
	case len(start) == 0:
		return err // nothing packed is nothing
	case len(start) == 1:
		return io.ErrUnexpectedEOF
	case b.coding == "gzip":
		b.src, err = gzip.NewReader(b.in)
	case start[0]&0x0f == 8 && (int(start[0])<<8|int(start[1]))%31 == 0:
		b.src, err = zlib.NewReader(b.in)
	default:
		b.src, err = flate.NewReader(b.in), nil
	}
	return err
}

// wire is the body as it comes over the network.
type wire body

// Read implements io.Reader.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.x.resp.Body.Read(p)
	w.total.Add(int64(n))
	if got := w.received.Add(int64(n)); got > w.most+packing && w.coding != "" {
		err = errTooMuch
	}
	if err != nil {
		w.wire = err
	}
	return n, err
}

var errTooMuch = errors.New("too much")

// end keeps the outcome and frees the exchange.
func (b *body) end(err error) error {
	b.err = err
	if errors.Is(err, io.EOF) {
		b.x.host.whole()
	} else {
		_ = b.x.resp.Body.Close()
	}
	b.x.end()
	return err
}

func (b *body) tooLarge() error {
	return fault.New(fault.ErrUnsupported, "%s is larger than %d bytes", b.name, b.most)
}

// translate words the end of a body.
func (b *body) translate(err error) error {
	cause := b.x.cause()
	switch {
	case errors.Is(err, io.EOF) && (b.wire == nil || errors.Is(b.wire, io.EOF)):
		return io.EOF
	case errors.Is(b.wire, errTooMuch):
		return b.tooLarge()
	case errors.Is(cause, errTooSlow):
		e := fault.New(fault.ErrIncomplete, "%s gave no complete answer in time", b.name).WithHint("after %d bytes", b.received.Load())
		b.x.host.broke(2, e.Error())
		return e
	case cause != nil:
		return fault.New(fault.ErrIncomplete, "%s: interrupted", b.name).Because(cause)
	case b.wire != nil && !errors.Is(b.wire, io.EOF), ended(err):
		e := fault.New(fault.ErrIncomplete, "%s was cut short after %d bytes", b.name, b.received.Load())
		b.x.host.broke(1, e.Error())
		return e
	}
	return fault.New(fault.ErrIncomplete, "%s is packed as %s in a way that cannot be unpacked", b.name, b.coding)
}

// ended tells a connection that ended where more was to come.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Close implements io.Closer. It does not wait for a rest that nobody wants; that costs the connection.
func (b *body) Close() error {
	if b.err == nil {
		b.err = fault.New(fault.ErrIncomplete, "%s was closed before its end", b.name).Because(context.Canceled)
	}
	err := b.x.resp.Body.Close()
	b.x.end()
	return err
}
