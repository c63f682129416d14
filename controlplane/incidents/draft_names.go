package incidents

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"ostler/controlplane/db"
)

// names are what all customers and servers are called, retired ones too, with the
// sites and databases on them, so that a notice to one does not name another's. A text is read once, whatever their number.
type names struct {
	byWords map[string]*called   // by all words of the name
	byFirst map[string][]*called // by its first word
	servers map[string]string    // names by id
	clients map[string]string    // names of customers by id
	home    map[string][]string  // customers by the server that they live on
}

// called is one name: the words that it is made of, and whose it is.
type called struct {
	words []string
	name  string
	of    []string // customers whom it is shown to
	plain bool     // made of words that any notice may hold
}

// stranger is a name in a text that is another customer's.
type stranger struct {
	name  string
	plain bool
}

// namesOf reads what everybody is called.
func (s *Service) namesOf(tx *db.Tx) (*names, error) {
	all, err := s.namesIn(tx)
	if err != nil {
		return nil, err
	}
	plain, err := plainWords()
	if err != nil {
		return nil, err
	}
	n := &names{byWords: map[string]*called{}, byFirst: map[string][]*called{}, servers: map[string]string{}, clients: map[string]string{}, home: map[string][]string{}}
	for _, c := range all.called {
		n.clients[c.ID] = c.Name
		n.add(isPlain(plain), c.Name, c.ID)
		n.add(isPlain(plain), c.Slug, c.ID)
	}
	for _, l := range all.living {
		n.home[l.ServerID] = append(n.home[l.ServerID], l.CustomerID)
	}
	ever := map[string][]string{} // who lives on a server, or did: its name is no news to them
	for _, l := range all.lived {
		ever[l.ServerID] = append(ever[l.ServerID], l.CustomerID)
	}
	for _, v := range all.hosts {
		n.servers[v.ID] = v.Name
		n.add(isPlainHost(plain), v.Name, ever[v.ID]...)
		// "web-1" of "web-1.example.net", but not "mail" or "www".
		if short, _, ok := strings.Cut(v.Name, "."); ok && strings.ContainsFunc(short, unicode.IsDigit) && len(textWords(short)) > 0 {
			n.add(isPlainHost(plain), short, ever[v.ID]...)
		}
	}
	return n, n.addTheirs(plain, all.lived)
}

// addTheirs adds the sites and the databases of tenancies, ended ones too.
func (n *names) addTheirs(plain map[string]bool, lived []livedOn) error {
	for _, l := range lived {
		var sites, databases []string
		if err := errors.Join(json.Unmarshal([]byte(l.Sites), &sites), json.Unmarshal([]byte(l.Databases), &databases)); err != nil {
			return fmt.Errorf("read tenancy: %w", err)
		}
		for _, s := range sites {
			n.add(isPlainHost(plain), strings.TrimPrefix(s, "www."), l.CustomerID)
		}
		for _, d := range databases {
			n.add(isPlainBase(plain), d, l.CustomerID)
		}
	}
	return nil
}

// add adds a name of somebody's.
func (n *names) add(plain func(words []string) bool, name string, of ...string) {
	words := textWords(name)
	if len(words) == 0 {
		return
	}
	key := strings.Join(words, " ")
	c := n.byWords[key]
	if c == nil {
		c = &called{words: words, name: name, plain: true}
		n.byWords[key], n.byFirst[words[0]] = c, append(n.byFirst[words[0]], c)
	}
	c.of = append(c.of, of...) // two of one name: it says nothing of either
	c.plain = c.plain && plain(words)
}

// isPlain is whether a name is made of words that any notice may hold, and numbers.
func isPlain(plain map[string]bool) func(words []string) bool {
	return func(words []string) bool {
		return !slices.ContainsFunc(words, func(w string) bool {
			return !plain[w] && len([]rune(w)) > 1 && strings.ContainsFunc(w, unicode.IsLetter)
		})
	}
}

// isPlainHost is the same of a server: only one word by itself is none of it.
func isPlainHost(plain map[string]bool) func(words []string) bool {
	return func(words []string) bool { return len(words) == 1 && isPlain(plain)(words) }
}

// isPlainBase is the same of a database: one word of letters ("wordpress") is the
// name of software as often as of anybody.
func isPlainBase(plain map[string]bool) func(words []string) bool {
	return func(words []string) bool {
		return len(words) == 1 && !strings.ContainsFunc(words[0], unicode.IsDigit) || isPlain(plain)(words)
	}
}

// strangers finds names of others in what goes to a customer ("" is anybody). A
// name within one of their own is theirs: "Maple" in "Maple Bakery".
func (n *names) strangers(customer string, texts ...string) (out []stranger) {
	type span struct{ from, to int }
	type found struct {
		span
		*called
	}
	for _, text := range texts {
		words := textWords(text)
		var own []span
		var others []found
		for i, w := range words {
			for _, c := range n.byFirst[w] {
				if !startsWith(words[i:], c.words) {
					continue
				}
				at := span{i, i + len(c.words)}
				if slices.Contains(c.of, customer) {
					own = append(own, at)
				} else {
					others = append(others, found{at, c})
				}
			}
		}
		for _, o := range others {
			within := slices.ContainsFunc(own, func(s span) bool { return s.from <= o.from && o.to <= s.to })
			part := slices.ContainsFunc(others, func(x found) bool { return x.from <= o.from && o.to <= x.to && len(x.words) > len(o.words) })
			if x := (stranger{o.name, o.plain}); !within && !part && !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
	}
	return out
}

func startsWith(text, name []string) bool {
	return len(text) >= len(name) && slices.Equal(text[:len(name)], name)
}

// textWords are the words of a text: runs of letters and digits, folded. What is
// written another way, or with what nobody sees in it, is the same word.
func textWords(s string) (out []string) {
	s = strings.Map(func(r rune) rune {
		if r == '\u00ad' || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKC.String(s))
	for w := range strings.FieldsFuncSeq(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r)
	}) {
		out = append(out, w)
	}
	return out
}

// plainWords are words that any notice may hold: those of the templates, and some
// that people write beside them. A customer who is called by such words alone
// ("Data") is warned of, and stops nothing.
var plainWords = sync.OnceValues(func() (map[string]bool, error) {
	texts, err := noticeTexts()
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, t := range texts {
		for _, p := range t {
			for _, w := range textWords(strings.Join(p, " ")) {
				out[w] = true
			}
		}
	}
	for _, w := range textWords(commonWords) {
		out[w] = true
	}
	return out, nil
})

// commonWords are words of breaches that are in no template.
const commonWords = `account accounts address addresses admin agency app attack attacker backup bank breach card cloud code contact credit customer customers
database databases date dates email employees encrypted file files form forms health home hosting hotel internet invoice invoices key keys login mail mails market media
message messages name names network number numbers online order orders page pages password passwords patients payment people phone photo photos post press print
records school server servers service services shop shops site sites software staff store students support system systems team test users visitors web website websites
adresse adressen angreifer bank datei dateien datenbank datenbanken handel haus kennwort kennwörter konten konto kunde kunden laden mitarbeiter nachrichten namen netz
passwort passwörter patienten praxis rechnung rechnungen schule seite seiten verein webseite webseiten zahlung`
