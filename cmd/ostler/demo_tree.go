package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cast is who plays in a demo: made-up companies, people and servers, the same
// for the same seed.
type cast struct {
	rng     *rand.Rand
	company []company
}

// company is a made-up customer.
type company struct {
	name, slug    string
	owner, helper string // people: an owner and one who may restore
	server        string // host name
	location      string
	root          string // its folder on the server, absolute
}

var (
	companyNames = []string{"Maple Bakery", "Harbour Mail", "Vineyard Cycles", "Orchard Press", "Lantern Books", "Saltmarsh Tea", "Juniper Tools", "Granary Films"}
	peopleNames  = []string{"Ines Moreau", "Jonas Weber", "Mila Novak", "Rafael Costa", "Signe Holm", "Tariq Aziz", "Yara Lemaire", "Oskar Lund",
		"Petra Kovac", "Dario Conti", "Freya Berg", "Nils Aalto", "Lucie Martin", "Emil Sand", "Aisha Rahman", "Karel Vesely"}
)

// newCast draws the cast. Seed 1 keeps the lists in their order.
func newCast(seed uint64) cast {
	c := cast{rng: rand.New(rand.NewPCG(seed, 0x6f73746c6572))}
	companies, people := append([]string{}, companyNames...), append([]string{}, peopleNames...)
	if seed != 1 {
		c.rng.Shuffle(len(companies), func(i, j int) { companies[i], companies[j] = companies[j], companies[i] })
		c.rng.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	}
	for i := range 4 {
		slug := strings.ToLower(strings.ReplaceAll(companies[i], " ", "-"))
		first, _, _ := strings.Cut(slug, "-")
		co := company{name: companies[i], slug: slug, owner: people[2*i], helper: people[2*i+1], server: first + "-1", location: "Frankfurt", root: "/srv/shop"}
		if i >= 2 { // the last two share one server
			co.server, co.location, co.root = "shared-1", "Falkenstein", "/srv/"+first
		}
		c.company = append(c.company, co)
	}
	return c
}

// servers are the host names, each once.
func (c cast) servers() []string {
	var all []string
	for _, co := range c.company {
		if !slices.Contains(all, co.server) {
			all = append(all, co.server)
		}
	}
	return all
}

func email(person, slug string) string {
	return strings.ToLower(strings.ReplaceAll(person, " ", ".")) + "@" + slug + ".example"
}

// lostFile is the file that somebody deleted before the last night, relative
// to a company's folder.
const lostFile = "office/invoice-2026-11.ods"

// plant writes a company's files as they were before the first night.
func (c *cast) plant(hostRoot string, co company, at time.Time) error {
	base := filepath.Join(hostRoot, co.root)
	for i := range 60 {
		if err := c.page(base, fmt.Sprintf("htdocs/products/item-%03d.html", i), 2+c.rng.IntN(6), at); err != nil {
			return err
		}
	}
	for m := 1; m <= 11; m++ {
		if err := c.page(base, fmt.Sprintf("office/invoice-2026-%02d.ods", m), 40+c.rng.IntN(60), at); err != nil {
			return err
		}
	}
	for _, f := range []string{"htdocs/index.html", "htdocs/about us.html", "htdocs/assets/style.css", "templates/invoice-2026.tpl", "office/Geschäftsbericht 2025.odt", "office/plan \u202egnp.ods"} {
		if err := c.page(base, f, 6+c.rng.IntN(20), at); err != nil {
			return err
		}
	}
	return c.page(base, "logs/access.log", 300, at)
}

// live changes a company's files as one day does.
func (c *cast) live(hostRoot string, co company, day int, at time.Time) error {
	base := filepath.Join(hostRoot, co.root)
	if err := c.page(base, "logs/access.log", 300+40*day, at); err != nil {
		return err
	}
	if err := c.page(base, fmt.Sprintf("office/orders-%s.csv", at.Format(time.DateOnly)), 20+c.rng.IntN(30), at); err != nil {
		return err
	}
	if err := c.page(base, lostFile, 40+10*day, at); err != nil {
		return err
	}
	return c.page(base, fmt.Sprintf("htdocs/products/item-%03d.html", c.rng.IntN(60)), 2+c.rng.IntN(6), at)
}

var demoWords = strings.Fields("order flour customer paid invoice delivery oven rye crate morning open closed new returned signed total")

// page writes a file of about kb kilobytes of made-up text, dated at.
func (c *cast) page(base, name string, kb int, at time.Time) error {
	var b strings.Builder
	for b.Len() < kb<<10 {
		fmt.Fprintf(&b, "%s %s %d\n", demoWords[c.rng.IntN(len(demoWords))], demoWords[c.rng.IntN(len(demoWords))], c.rng.IntN(1<<30))
	}
	file := filepath.Join(base, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("demo: files: %w", err)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("demo: files: %w", err)
	}
	for f := file; f != base; f = filepath.Dir(f) { // the folders too: they are as old as what is in them
		if err := os.Chtimes(f, at, at); err != nil {
			return fmt.Errorf("demo: files: %w", err)
		}
	}
	return os.Chtimes(base, at, at)
}

// furnish gives a host's root the few system files that an agent looks at.
func furnish(root, name string) error {
	files := map[string]string{
		"etc/os-release":      "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\n",
		"etc/hostname":        name + "\n",
		"var/lib/dpkg/status": "Package: base-files\nStatus: install ok installed\nVersion: 12.4+deb12u12\n\nPackage: nginx\nStatus: install ok installed\nVersion: 1.22.1-9+deb12u3\n\nPackage: openssl\nStatus: install ok installed\nVersion: 3.0.17-1~deb12u2\n",
	}
	for f, text := range files {
		file := filepath.Join(root, f)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("demo: files: %w", err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return fmt.Errorf("demo: files: %w", err)
		}
	}
	return nil
}
