package host

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"ostler/agents/wire"
)

// inventory says what this server is. What cannot be read is empty or -1, never
// a guess.
func (a *Agent) inventory(ctx context.Context) wire.InventoryAnswer {
	var list []wire.Package
	inv := wire.Inventory{Kernel: kernel(), Arch: runtime.GOARCH, BootID: a.facts.BootID, Hostname: a.facts.Hostname,
		CPUs: runtime.NumCPU(), Packages: -1, Simulated: slices.Clone(a.facts.Simulated)}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		inv.MemoryBytes = int64(info.Totalram) * int64(info.Unit)
	}
	if b, err := readIn(a.o.Root, "etc/os-release"); err == nil {
		v := parseOSRelease(b)
		inv.OS, inv.OSID, inv.OSVersion = v["PRETTY_NAME"], v["ID"], v["VERSION_ID"]
	}
	if b, err := readIn(a.o.Root, "var/lib/dpkg/status"); err == nil {
		list = parseDpkg(b)
		inv.Packages, inv.PackagesHash = len(list), packagesHash(list)
	}
	if !isRoot(a.o.Root) {
		inv.Simulated = append(inv.Simulated, "os", "packages")
	}
	inv.Disks = disks(a.o.Root)
	version, warning, err := a.o.Helper.Version(ctx)
	if err != nil || warning != "" {
		a.log.Warn("restic.version", "version", version, "warning", warning, "err", err)
	}
	inv.ResticVersion = version
	if len(list) > maxPackages {
		list = nil // no host has so many: better none than some
	}
	return wire.InventoryAnswer{Inventory: inv, Installed: list}
}

// maxPackages bounds the list, so that the answer fits in a frame.
const maxPackages = 10_000

func kernel() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return ""
	}
	var b []byte
	for _, c := range u.Release {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}

// parseOSRelease reads NAME=value lines; values may be quoted (os-release(5)).
func parseOSRelease(b []byte) map[string]string {
	v := map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		v[name] = value
	}
	return v
}

// parseDpkg lists the installed packages of a dpkg status file, sorted by name and
// version.
func parseDpkg(b []byte) (list []wire.Package) {
	var p wire.Package
	installed := false
	flush := func() {
		if installed && p.Name != "" {
			list = append(list, p)
		}
		p, installed = wire.Package{}, false
	}
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		key, value, ok := strings.Cut(s.Text(), ": ")
		switch {
		case s.Text() == "":
			flush()
		case !ok:
		case key == "Package":
			p.Name = bounded(value)
		case key == "Version":
			p.Version = bounded(value)
		case key == "Source":
			p.Source, _, _ = strings.Cut(bounded(value), " ") // "openssl (3.0.11-1)"
		case key == "Status":
			f := strings.Fields(value)
			installed = len(f) == 3 && f[2] == "installed"
		}
	}
	flush()
	slices.SortFunc(list, func(a, b wire.Package) int { return strings.Compare(a.Name+"="+a.Version, b.Name+"="+b.Version) })
	return list
}

// bounded is a field of a package, as long as names and versions are.
func bounded(s string) string { return s[:min(len(s), 200)] }

// packagesHash is the hash of the sorted name=version lines.
func packagesHash(list []wire.Package) string {
	h := sha256.New()
	for _, p := range list {
		h.Write([]byte(p.Name + "=" + p.Version + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// disks are the mounted file systems that are disks; beneath another root only
// the one that the root stands on.
func disks(root string) []wire.Disk {
	mounts := []string{root}
	if isRoot(root) {
		if b, err := os.ReadFile("/proc/self/mounts"); err == nil {
			mounts = diskMounts(b)
		}
	}
	var out []wire.Disk
	for _, m := range mounts {
		size, free, err := diskSpace(m)
		if err != nil || size == 0 {
			continue
		}
		shown := m
		if m == root {
			shown = "/"
		}
		out = append(out, wire.Disk{Mount: filepath.Clean(shown), SizeBytes: size, FreeBytes: free})
	}
	return out
}

// diskMounts returns the mount points of block devices, each device once.
func diskMounts(b []byte) []string {
	var out []string
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 || !strings.HasPrefix(f[0], "/dev/") || strings.HasPrefix(f[0], "/dev/loop") || seen[f[0]] {
			continue
		}
		seen[f[0]] = true
		out = append(out, unescapeMount(f[1]))
	}
	return out
}

// unescapeMount undoes the kernel's \040 for blanks in mount points.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
