package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"

	"github.com/knadh/koanf/parsers/yaml"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// Policy is what the host's own administrators allow, whatever the plane signs.
// Several files narrow each other; without any file every action of the default
// build is allowed on every path.
type Policy struct {
	// Actions that are allowed.
	Actions []wire.Action
	// Paths under which backups may read, and restores may read and write.
	// One list for each file that has one: a path must be under each of them.
	Paths [][]string
	// Stores are the allowed store addresses ("https://host:port"); nil is any.
	Stores [][]string
	// Services that certificates may be installed for, and patterns of the names
	// that they may have; again one list for each file that has one.
	Services [][]string
	Names    [][]string
	// SimulatedTime allows the plane's clock to stand for this host's: demo only.
	SimulatedTime bool
}

// LoadPolicy reads every *.yaml of dirs in the order of their names. A folder
// that does not exist is empty; a file that cannot be read or has an unknown
// key is an error: nothing runs under a policy that was not understood.
func LoadPolicy(dirs ...string) (Policy, error) {
	p := Policy{Actions: wire.Actions()}
	var yes, no bool
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		if err != nil {
			return p, fmt.Errorf("host: policy folder: %w", err)
		}
		if _, err := os.ReadDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p, fmt.Errorf("host: policy folder: %w", err)
		}
		sort.Strings(files)
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				return p, fmt.Errorf("host: policy: %w", err)
			}
			simulated, err := p.narrow(b)
			if err != nil {
				return p, fmt.Errorf("host: policy %s: %w", filepath.Base(f), err)
			}
			if simulated != nil {
				yes, no = yes || *simulated, no || !*simulated
			}
		}
	}
	p.SimulatedTime = yes && !no
	return p, nil
}

// narrow applies one file.
func (p *Policy) narrow(data []byte) (simulated *bool, err error) {
	m, err := yaml.Parser().Unmarshal(data)
	if err != nil {
		return nil, err
	}
	for key, v := range m {
		switch key {
		case "actions":
			names, err := stringList(v)
			if err != nil {
				return nil, fmt.Errorf("actions: %w", err)
			}
			for _, n := range names {
				if !wire.Action(n).Valid() {
					return nil, fmt.Errorf("unknown action %q", n)
				}
			}
			p.Actions = slices.DeleteFunc(p.Actions, func(a wire.Action) bool { return !slices.Contains(names, string(a)) })
		case "paths":
			list, err := stringList(v)
			if err != nil {
				return nil, fmt.Errorf("paths: %w", err)
			}
			for i, s := range list {
				if !path.IsAbs(s) {
					return nil, fmt.Errorf("path %q is not absolute", s)
				}
				list[i] = path.Clean(s)
			}
			p.Paths = append(p.Paths, list)
		case "stores":
			list, err := stringList(v)
			if err != nil {
				return nil, fmt.Errorf("stores: %w", err)
			}
			p.Stores = append(p.Stores, list)
		case "services", "names":
			if err := p.narrowCertificates(key, v); err != nil {
				return nil, err
			}
		case "allow_simulated_time":
			b, ok := v.(bool)
			if !ok {
				return nil, fmt.Errorf("allow_simulated_time is true or false")
			}
			simulated = &b
		default:
			return nil, fmt.Errorf("unknown key %q: the keys are actions, paths, stores, services, names, allow_simulated_time", key)
		}
	}
	return simulated, nil
}

func stringList(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, errors.New("not a list")
	}
	out := []string{}
	for _, x := range list {
		s, ok := x.(string)
		if !ok {
			return nil, errors.New("not a list of strings")
		}
		out = append(out, s)
	}
	return out, nil
}

// AllowsAction reports whether a may run here.
func (p Policy) AllowsAction(a wire.Action) bool { return slices.Contains(p.Actions, a) }

// AllowsStore reports whether a store's address may be used.
func (p Policy) AllowsStore(url string) bool {
	for _, list := range p.Stores {
		if !slices.Contains(list, url) {
			return false
		}
	}
	return true
}

// AllowsPath reports whether an absolute path may be read or written.
func (p Policy) AllowsPath(name string) bool {
	for _, list := range p.Paths {
		if !slices.ContainsFunc(list, func(dir string) bool { return helper.Beneath(dir, name) }) {
			return false
		}
	}
	return helper.CleanAbsolute(name)
}

// AllowsListing is AllowsPath, and allows the folders on the way to an allowed
// path: their names in a snapshot are those of the plan's own paths.
func (p Policy) AllowsListing(name string) bool {
	for _, list := range p.Paths {
		if !slices.ContainsFunc(list, func(dir string) bool { return helper.Beneath(dir, name) || helper.Beneath(name, dir) }) {
			return false
		}
	}
	return helper.CleanAbsolute(name)
}
