package deploy

// SetAt has f told of every step; a test kills there.
func (e *Engine) SetAt(f func(point string)) { e.at = f }

// SetSystemd says where it is seen that systemd runs.
func (e *Engine) SetSystemd(dir string) { e.systemd = dir }
