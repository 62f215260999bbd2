package fetch

import "context"

// Allowed tells whether robots.txt of the host lets this client ask for an address, and why not.
func (c *Client) Allowed(ctx context.Context, address string) (ok bool, why string, err error) {
	return true, "", nil
}

// Sitemaps are those that robots.txt of the host of an address names.
func (c *Client) Sitemaps(ctx context.Context, address string) ([]string, error) { return nil, nil }
