// Package killpoint has tests end code at a named point as a kill -9 would:
// nothing behind the point runs, no clean-up of an error's path, and what the
// disk holds is what the next life finds.
package killpoint

// killed is what is thrown at a point.
type killed struct{ point string }

// Kill ends what Until runs, at a point.
func Kill(point string) { panic(killed{point}) }

// Until runs f and returns the point at which it was killed, "" for none. Other
// panics go on.
func Until(f func()) (point string) {
	defer func() {
		switch k := recover().(type) {
		case nil:
		case killed:
			point = k.point
		default:
			panic(k)
		}
	}()
	f()
	return ""
}
