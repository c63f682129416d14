package catalogue

import (
	"math/rand/v2"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Cache keeps unpacked blocks of all catalogues: about 70 bytes for each path
// that was searched or looked at. When it is full, what goes is picked by
// chance: a search over more than fits then still finds part of it, where
// dropping the oldest would find nothing. It is safe for concurrent use.
type Cache struct {
	dec   *zstd.Decoder
	mu    sync.Mutex
	max   int64
	used  int64
	items map[cacheKey]int // where in order
	order []cached
}

// part is which part of a block is kept.
type part uint8

const (
	partIndex part = iota
	partNames
	partFolded
	partColumns
)

type cacheKey struct {
	segment string
	block   int
	part    part
}

type cached struct {
	key   cacheKey
	value any
	size  int64
}

// NewCache returns a cache of at most so many bytes.
func NewCache(bytes int64) *Cache {
	return &Cache{dec: newDecoder(), max: bytes, items: map[cacheKey]int{}}
}

// Used is how many bytes are kept, about.
func (c *Cache) Used() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// fetch returns what is kept under a key, or makes and keeps it. Two who ask
// for the same at once may both make it.
func fetch[T any](c *Cache, key cacheKey, load func() (T, int64, error)) (T, error) {
	if v, ok := c.get(key); ok {
		return v.(T), nil
	}
	v, size, err := load()
	if err == nil {
		c.put(key, v, size)
	}
	return v, err
}

func (c *Cache) get(key cacheKey) (any, bool) {
	if c.max <= 0 {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.items[key]
	if !ok {
		return nil, false
	}
	return c.order[i].value, true
}

func (c *Cache) put(key cacheKey, value any, size int64) {
	if size > c.max {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.items[key]; ok {
		return
	}
	for c.used+size > c.max {
		c.drop(rand.IntN(len(c.order)))
	}
	c.items[key] = len(c.order)
	c.order = append(c.order, cached{key, value, size})
	c.used += size
}

func (c *Cache) drop(i int) {
	last := len(c.order) - 1
	delete(c.items, c.order[i].key)
	c.used -= c.order[i].size
	if i != last {
		c.order[i] = c.order[last]
		c.items[c.order[i].key] = i
	}
	c.order[last] = cached{}
	c.order = c.order[:last]
}
