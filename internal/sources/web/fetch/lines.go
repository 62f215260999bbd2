package fetch

import (
	"context"
	"errors"
	"net"
	"sync"
)

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

var errClosed = errors.New("the client is closed")

// lines knows all connections, so that closing the client ends every one of them, also those that are just being made.
type lines struct {
	mu      sync.Mutex
	open    map[*line]struct{} // guarded by mu
	end     chan struct{}      // closed with the client
	closed  bool               // guarded by mu
	dialing sync.WaitGroup
}

// line is a connection that says when it is closed.
type line struct {
	net.Conn
	of *lines
}

// Close implements net.Conn.
func (l *line) Close() error {
	l.of.mu.Lock()
	delete(l.of.open, l)
	l.of.mu.Unlock()
	return l.Conn.Close()
}

func (s *lines) dialer(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, errClosed
		}
		s.dialing.Add(1)
		s.mu.Unlock()
		defer s.dialing.Done()

		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		done := make(chan struct{})
		defer close(done)
		go func() { // the transport goes on dialling when the request that wanted it has ended
			select {
			case <-s.end:
				cancel()
			case <-done:
			}
		}()
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		l := &line{Conn: conn, of: s}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			_ = conn.Close()
			return nil, errClosed
		}
		s.open[l] = struct{}{}
		return l, nil
	}
}

func (s *lines) close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.end)
	open := s.open
	s.open = map[*line]struct{}{}
	s.mu.Unlock()
	for l := range open {
		_ = l.Conn.Close()
	}
	s.dialing.Wait()
}
