package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Part is who a policy is for: each gets what it needs and nothing else.
type Part string

// The parts.
const (
	PartPlane  Part = "plane"  // ostler serve, and ostler secrets
	PartSigner Part = "signer" // ostler signer
	PartImport Part = "import" // the person who moves the signer's key, once
	PartDrill  Part = "drill"  // a copy of the plane that is tried: it opens, and changes nothing
)

// Valid reports whether p is a known part.
func (p Part) Valid() bool {
	return slices.Contains([]Part{PartPlane, PartSigner, PartImport, PartDrill}, p)
}

// rule is one path of a policy. A path that ends in * stands for all that begin
// so, /config and /rotate of a key too; only says what may be written there.
type rule struct {
	path string
	caps []string
	why  string
	only []string // lines of allowed_parameters; nil is anything
}

func (o Options) rules(p Part) []rule {
	o = o.complete()
	data, signer := o.Prefix+"-data-*", o.Prefix+"-signer"
	switch p {
	case PartPlane:
		return []rule{
			{o.Transit + "/keys/" + data, []string{"create", "read", "update", "delete"}, "one key for each customer: made, rotated, and destroyed with the customer. Nothing else of one can be set, as that it may be exported",
				[]string{`"type" = ["aes256-gcm96"]`, `"deletion_allowed" = [true]`}},
			{o.Transit + "/encrypt/" + data, []string{"update"}, "wraps data keys; without \"create\" it never makes a key", nil},
			{o.Transit + "/decrypt/" + data, []string{"update"}, "opens them", nil},
			{o.KV + "/data/" + o.Prefix + "/*", []string{"create", "read", "update"}, "credentials of DNS providers", nil},
			{o.KV + "/metadata/" + o.Prefix + "/*", []string{"list", "delete"}, "all versions of them, when they are removed or the customer is erased", nil},
		}
	case PartSigner:
		return []rule{
			{o.Transit + "/keys/" + signer, []string{"read"}, "its public half", nil},
			{o.Transit + "/sign/" + signer, []string{"update"}, "signs jobs for hosts", nil},
		}
	case PartDrill:
		return []rule{
			{o.Transit + "/decrypt/" + data, []string{"update"}, "opens data keys", nil},
			{o.KV + "/data/" + o.Prefix + "/*", []string{"read"}, "credentials of DNS providers", nil},
		}
	case PartImport:
		return []rule{
			{o.Transit + "/wrapping_key", []string{"read"}, "what the key is wrapped with on its way", nil},
			{o.Transit + "/keys/" + signer, []string{"read"}, "whether it is there already", nil},
			{o.Transit + "/keys/" + signer + "/import", []string{"create", "update"}, "puts it in, once", nil},
			{o.Transit + "/sign/" + signer, []string{"update"}, "proves it", nil},
		}
	}
	return nil
}

// Policy is the policy that a part needs, as Vault reads it.
func (o Options) Policy(p Part) string {
	var b strings.Builder
	for i, r := range o.rules(p) {
		if i > 0 {
			b.WriteString("\n")
		}
		quoted := make([]string, len(r.caps))
		for i, c := range r.caps {
			quoted[i] = fmt.Sprintf("%q", c)
		}
		fmt.Fprintf(&b, "# %s\npath %q {\n  capabilities = [%s]\n", r.why, r.path, strings.Join(quoted, ", "))
		if r.only != nil {
			fmt.Fprintf(&b, "  allowed_parameters = {\n    %s\n  }\n", strings.Join(r.only, "\n    "))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// Denials asks Vault which paths of a part's policy our token may not use, and
// returns them with what is missing: "transit/keys/ostler-data-*: delete".
func (c *Client) Denials(ctx context.Context, p Part) ([]string, error) {
	rules := c.o.rules(p)
	paths := make([]string, len(rules))
	for i, r := range rules {
		paths[i] = strings.TrimSuffix(r.path, "*")
		if paths[i] != r.path {
			paths[i] += "check"
		}
	}
	s, err := c.write(ctx, "sys/capabilities-self", map[string]any{"paths": paths})
	if err != nil {
		return nil, err
	}
	var out []string
	for i, r := range rules {
		list, _ := field[[]any](s, paths[i])
		var missing []string
		for _, want := range r.caps {
			if !slices.Contains(list, any(want)) && !slices.Contains(list, any("root")) {
				missing = append(missing, want)
			}
		}
		if len(missing) > 0 {
			out = append(out, r.path+": "+strings.Join(missing, ", "))
		}
	}
	return out, nil
}
