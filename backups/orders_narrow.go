package backups

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ostler/agents/wire"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// picked is what a pick stands for: a clean path, and for "/" the plan's folders,
// since a server hands out nothing above them.
func (s *Service) picked(tx *db.Tx, snap snapshotRow, p []byte) ([][]byte, error) {
	if string(cleanPath(p)) != "/" {
		clean, err := pickable(p)
		return [][]byte{clean}, err
	}
	dirs, err := planPaths(tx, snap)
	var out [][]byte
	for _, d := range dirs {
		out = append(out, []byte(d))
	}
	return out, err
}

func planPaths(tx *db.Tx, snap snapshotRow) (dirs []string, err error) {
	p, err := db.One[planRow](tx, policy.OneCustomer(snap.CustomerID), "plan", snap.PlanID)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(p.Paths), &dirs); err != nil {
		return nil, fmt.Errorf("backups: plan %s: paths: %w", p.ID, err)
	}
	return dirs, nil
}

// narrow turns what lies above the customer's folders on a server, and is to go
// where it was, into those folders that lie beneath it: a server refuses to write
// above them. What has none beneath it stays, and is refused.
func (s *Service) narrow(tx *db.Tx, group []part, bounds []string) ([]part, error) {
	out, items, size := slices.Clone(group), 0, 0
	for i, p := range out {
		if outside(bounds, p.paths...) {
			plan, err := planPaths(tx, p.snap)
			if err != nil {
				return nil, err
			}
			out[i].paths, out[i].of = narrowed(p.paths, bounds, plan)
		}
		items += len(out[i].paths)
		for _, path := range out[i].paths {
			size += len(path) + len(out[i].of[string(path)])
		}
	}
	if items > wire.MaxSelected || size > maxPathBytes {
		return nil, tooMuch()
	}
	return out, nil
}

// narrowed replaces each path that lies above bounds by those of them that the
// plan's copies have something of.
func narrowed(paths [][]byte, bounds, plan []string) (out [][]byte, of map[string][]byte) {
	of = map[string][]byte{}
	for _, p := range paths {
		if !outside(bounds, p) {
			out = append(out, p)
			continue
		}
		inside := slices.DeleteFunc(slices.Clone(bounds), func(b string) bool {
			return !covers(string(p), b) || !slices.ContainsFunc(plan, func(dir string) bool { return covers(dir, b) || covers(b, dir) })
		})
		if len(inside) == 0 {
			out = append(out, p) // refused, by its own name
			continue
		}
		for _, b := range inside {
			out, of[b] = append(out, []byte(b)), p
		}
	}
	return fold(out), of
}

// covers reports whether a path is dir or lies beneath it.
func covers(dir, path string) bool {
	return customers.Tenancy{Paths: []string{dir}}.Covers(path)
}

// withinSome says where else to put it: the first of some folders.
func withinSome(folders []string) string {
	const most = 5
	switch {
	case len(folders) == 0:
		return "You have none there any more: download it instead."
	case len(folders) > most:
		return "Choose one within " + strings.Join(folders[:most], ", ") + " …"
	}
	return "Choose one within " + strings.Join(folders, ", ") + "."
}
