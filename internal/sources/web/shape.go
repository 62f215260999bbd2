package web

import "kbsyncd/internal/sources"

var _ sources.Shaped = (*Site)(nil)

// deliverLink is the value of deliver that hands out addresses.
const deliverLink = "link"

// Shape implements sources.Shaped: addresses and contents are sent in different ways.
func (s *Site) Shape() string {
	if s.cfg.Deliver == deliverLink {
		return deliverLink
	}
	return ""
}
