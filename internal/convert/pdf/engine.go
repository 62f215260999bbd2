package pdf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"kbsyncd/internal/fault"
)

const (
	// idleTime is how long the engine is kept after the last document: compiling it costs seconds, keeping it about 100 MB.
	idleTime = 30 * time.Second
	// longest is the most time that one document may take.
	longest = 3 * time.Minute
	// memoryPages of 64 KB are the most memory that a document may take within the engine.
	memoryPages = 192 << 20 / (64 << 10)
)

// engine is PDFium, one document at a time. It is compiled when the first document comes and given up when none came for a while.
// Each document has an instance of its own: what one leaves behind, no other sees.
type engine struct {
	busy chan struct{} // holds a token while the fields below are in use
	dir  string        // of the compilation cache; "" for none
	pool pdfium.Pool
	kept wazero.CompilationCache
	idle *time.Timer
}

var (
	shared = &engine{busy: make(chan struct{}, 1)}
	// errKilled is the cause when a document took too long.
	errKilled = fmt.Errorf("it took longer than %v", longest)
)

// SetCacheDir names the directory where the compiled engine is kept, so that only the first start of all pays for compiling it. It
// must exist and be writable by this program alone. Without one, every first document after a start or a pause takes seconds longer.
// To be called before the first document.
func SetCacheDir(dir string) {
	shared.busy <- struct{}{}
	defer func() { <-shared.busy }()
	shared.dir = dir
}

// Close gives up the engine and its memory. It waits for the document at work. The next document starts it again.
func Close() error {
	shared.busy <- struct{}{}
	defer func() { <-shared.busy }()
	return shared.close(context.Background())
}

// do runs fn with an instance of the engine, alone. When the context ends, the instance is killed and the context's error returned.
func (e *engine) do(ctx context.Context, fn func(pdfium.Pdfium) error) error {
	select {
	case e.busy <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-e.busy }()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.open(ctx); err != nil {
		return fmt.Errorf("pdf: start the engine: %w", err)
	}
	defer e.rest(ctx)
	inst, err := e.pool.GetInstanceWithContext(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("pdf: start an instance: %w", err), e.close(ctx))
	}
	mod, err := module(inst)
	if err != nil {
		return errors.Join(err, inst.Close(), e.close(ctx))
	}
	return guarded(ctx, inst, mod, fn)
}

// guarded runs fn, and ends its instance when fn is done or its time is over.
func guarded(ctx context.Context, inst pdfium.Pdfium, mod api.Module, fn func(pdfium.Pdfium) error) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, longest, errKilled)
	defer cancel()
	var once sync.Once
	kill := func() {
		// Without the module every call into the engine returns at once, so that even closing a damaged heap cannot hang.
		once.Do(func() { _ = mod.CloseWithExitCode(context.WithoutCancel(ctx), 1) })
	}
	stop := context.AfterFunc(ctx, kill)
	defer func() {
		stop()
		kill()
		_ = inst.Close() // says that the module is closed
		if p := recover(); p != nil {
			err = damaged(fmt.Errorf("%v", p))
		}
		if ctx.Err() == nil || err == nil {
			return
		}
		if err = ctx.Err(); context.Cause(ctx) == errKilled { //nolint:errorlint // the cause is the value itself
			err = fault.New(fault.ErrUnsupported, "the PDF file cannot be read").Because(errKilled).
				WithHint("print it to a new PDF file, or exclude it")
		}
	}()
	return fn(inst)
}

// module is the instance's module, which the library shows to no other means but reflection.
func module(inst pdfium.Pdfium) (api.Module, error) {
	v := reflect.Indirect(reflect.ValueOf(inst.GetImplementation()))
	if v.Kind() == reflect.Struct {
		if f := v.FieldByName("Module"); f.IsValid() && f.CanInterface() {
			if m, ok := reflect.TypeAssert[api.Module](f); ok && m != nil {
				return m, nil
			}
		}
	}
	return nil, errors.New("pdf: this version of the engine cannot be stopped")
}

// open compiles the engine unless it is there.
func (e *engine) open(ctx context.Context) error {
	if e.idle != nil {
		e.idle.Stop()
	}
	if e.pool != nil {
		return nil
	}
	e.keep()
	pool, err := start(e.config())
	if err != nil && e.kept != nil {
		// What is kept may be damaged, and nobody else would ever replace it.
		err = errors.Join(e.close(ctx), e.discard())
		if err == nil {
			e.keep()
			pool, err = start(e.config())
		}
	}
	if err != nil {
		return errors.Join(err, e.close(ctx))
	}
	e.pool = pool
	return nil
}

// keep opens the cache of compiled engines. Without it the engine works as well, only later.
func (e *engine) keep() {
	if e.dir == "" {
		return
	}
	if c, err := wazero.NewCompilationCacheWithDir(e.dir); err == nil {
		e.kept = c
	}
}

// config is the engine with the cache that is kept, if there is one.
func (e *engine) config() webassembly.Config {
	conf := wazero.NewRuntimeConfig().WithCloseOnContextDone(true).WithMemoryLimitPages(memoryPages)
	if e.kept != nil {
		conf = conf.WithCompilationCache(e.kept)
	}
	return webassembly.Config{
		MaxTotal:      1,
		FSConfig:      wazero.NewFSConfig(), // no files
		RuntimeConfig: conf,
		Stdout:        io.Discard,
		Stderr:        io.Discard,
		RandomSource:  zeros{}, // the same bytes in, the same bytes out
	}
}

// discard removes the compiled engines, so that the next start compiles anew. Others keep other things in the same directory.
func (e *engine) discard() error {
	found, err := filepath.Glob(filepath.Join(e.dir, "wazero-*"))
	for _, dir := range found {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// start prepares the engine. Where no code can be made at run time the library panics, which says nothing about the document.
func start(c webassembly.Config) (pool pdfium.Pool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.ErrIncomplete, "%v", p).WithHint("it makes its code at run time: look for MemoryDenyWriteExecute of systemd, or another rule that forbids it")
		}
	}()
	return webassembly.Init(c)
}

// rest begins the pause after which the engine is given up.
func (e *engine) rest(ctx context.Context) {
	if e.pool == nil {
		return
	}
	if e.idle != nil {
		e.idle.Reset(idleTime)
		return
	}
	e.idle = time.AfterFunc(idleTime, func() {
		select {
		case e.busy <- struct{}{}:
			_ = e.close(ctx) // nothing depends on it any more
			<-e.busy
		default: // at work again
		}
	})
}

func (e *engine) close(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	if e.idle != nil {
		e.idle.Stop()
	}
	if e.pool != nil {
		errs = append(errs, e.pool.Close())
	}
	if e.kept != nil {
		errs = append(errs, e.kept.Close(ctx))
	}
	e.pool, e.kept = nil, nil
	return errors.Join(errs...)
}

// zeros is a source of randomness without any.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
