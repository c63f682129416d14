package catalogue

// columnReader reads the events of a block, key by key. What it returns shares
// the columns' memory.
type columnReader struct {
	flags  []byte
	ords   byteReader
	own    byteReader
	sizes  byteReader
	times  byteReader
	links  byteReader
	key    int // the next one
	ord    int64
	mtime  int64
	owners []owner
}

func (r *columnReader) open(c *columns) {
	*r = columnReader{
		flags: c.sec[secFlags], ords: byteReader{b: c.sec[secOrds]}, own: byteReader{b: c.sec[secOwners]},
		sizes: byteReader{b: c.sec[secSizes]}, times: byteReader{b: c.sec[secTimes]}, links: byteReader{b: c.sec[secLinks]},
		owners: r.owners[:0],
	}
}

// read appends the events of a key, which is not before the next one, and goes
// past it. Ordinals ascend.
func (r *columnReader) read(key int, dst []event) ([]event, error) {
	from := len(dst)
	for ; r.key <= key; r.key++ {
		dst = dst[:from]
		for more := true; more; {
			if len(r.flags) == 0 {
				return dst, errBlock
			}
			flags := r.flags[0]
			r.flags = r.flags[1:]
			more = flags&flagMore != 0
			dst = append(dst, event{})
			e := &dst[len(dst)-1]
			if !r.event(flags, e) || len(dst) > from+1 && dst[len(dst)-2].ord >= e.ord {
				return dst, errBlock
			}
		}
	}
	return dst, nil
}

// end reports that all was read, and nothing is left.
func (r *columnReader) end() bool {
	return len(r.flags)+len(r.ords.b)+len(r.own.b)+len(r.sizes.b)+len(r.times.b)+len(r.links.b) == 0
}

func (r *columnReader) event(flags byte, e *event) bool {
	r.ord += unzigzag(r.ords.uvarint())
	e.ord, e.kind = Ordinal(r.ord), kind(flags&flagKind)
	if r.ords.bad || r.ord < 0 || r.ord > int64(^Ordinal(0)) || e.kind >= kinds || flags&0x80 != 0 {
		return false
	}
	if e.kind == gone {
		return flags&(flagSize|flagLink) == 0
	}
	if flags&flagSize != 0 {
		e.size = int64(r.sizes.uvarint())
	}
	if flags&flagLink != 0 {
		e.link = r.links.take(r.links.count())
	}
	if !r.owner(e) {
		return false
	}
	switch v := r.times.uvarint(); {
	case v == 1:
		r.mtime += unzigzag(r.times.uvarint())
	case v&1 == 0:
		r.mtime += unzigzag(v>>1) * 1000
	default:
		r.mtime += unzigzag(v >> 1)
	}
	e.mtime = r.mtime
	return !r.sizes.bad && !r.links.bad && !r.times.bad
}

func (r *columnReader) owner(e *event) bool {
	no := r.own.uvarint()
	if no == uint64(len(r.owners)) {
		var v [3]uint32
		for i := range v {
			n := r.own.uvarint()
			if n > uint64(^uint32(0)) {
				return false
			}
			v[i] = uint32(n)
		}
		r.owners = append(r.owners, owner{v[0], v[1], v[2]})
	}
	if r.own.bad || no >= uint64(len(r.owners)) {
		return false
	}
	e.owner = r.owners[no]
	return true
}
