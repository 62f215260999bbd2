package simulator

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

const stopTime = 5 * time.Second // for requests that are under way when the server is told to stop

// ListenAndServe serves h on addr until ctx ends, then lets requests under way finish for a few seconds. It calls
// ready, which may be nil, with the address once connections are accepted. The error is nil after an orderly stop.
func ListenAndServe(ctx context.Context, addr string, h http.Handler, ready func(addr string)) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       5 * time.Minute,
		WriteTimeout:      10 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if ready != nil {
		ready(listener.Addr().String())
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		_ = server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
