package bus

import (
	"context"
	"time"
)

// Watch calls look at once, then at every tick and whenever the topic is
// published, until ctx ends. One look ends before the next begins; a publication
// in between is one more look after it.
func (b *Bus) Watch(ctx context.Context, every time.Duration, topic string, look func()) {
	wake, cancel := b.Subscribe(topic)
	defer cancel()
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		look()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-wake:
		}
	}
}
