package vaulttest

import (
	"crypto/rand"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// system answers sys/ and auth/token/.
func (f *Fake) system(q request, t *token) answer {
	switch q.path {
	case "auth/token/lookup-self":
		return data(map[string]any{"policies": t.policies, "ttl": f.left(t), "renewable": !t.ends.IsZero(), "type": "service"})
	case "auth/token/renew-self":
		return f.renew(q, t)
	case "auth/token/revoke-self":
		delete(f.tokens, q.token)
		return empty
	case "auth/token/revoke":
		delete(f.tokens, q.text("token"))
		return empty
	case "auth/token/create":
		id := "hvs." + rand.Text()
		f.tokens[id] = &token{policies: q.texts("policies")}
		return answer{status: 200, body: map[string]any{"auth": map[string]any{"client_token": id, "policies": q.texts("policies"), "lease_duration": 0, "renewable": false}}}
	case "sys/capabilities-self":
		out := map[string]any{}
		for _, p := range q.texts("paths") {
			out[p] = f.rule(t, p).caps
			if len(out[p].([]string)) == 0 {
				out[p] = []string{"deny"}
			}
		}
		return data(out)
	case "sys/leases/revoke-prefix/auth/approle":
		maps.DeleteFunc(f.tokens, func(_ string, t *token) bool { return t.ttl > 0 })
		return empty
	case "sys/seal":
		f.sealed = true
		return empty
	}
	if name, ok := strings.CutPrefix(q.path, "sys/policies/acl/"); ok {
		f.policies[name] = parse(q.text("policy"))
		return empty
	}
	if mount, ok := strings.CutPrefix(q.path, "sys/mounts/"); ok {
		return f.mount(mount+"/", q.text("type"))
	}
	if mount, ok := strings.CutPrefix(q.path, "sys/auth/"); ok {
		return f.mount("auth/"+mount+"/", q.text("type"))
	}
	return fail(404, "unsupported path")
}

func (f *Fake) mount(at, kind string) answer {
	if f.mounts[at] != "" {
		return fail(400, "path is already in use at "+at)
	}
	f.mounts[at] = kind
	return empty
}

func (f *Fake) left(t *token) int64 {
	if t.ends.IsZero() {
		return 0
	}
	return int64(t.ends.Sub(f.now()) / time.Second)
}

func (f *Fake) renew(q request, t *token) answer {
	if t.ends.IsZero() {
		return fail(400, "lease is not renewable")
	}
	t.ends = f.now().Add(t.ttl)
	if t.ends.After(t.maxEnds) {
		t.ends = t.maxEnds
	}
	return answer{status: 200, body: map[string]any{"auth": map[string]any{"client_token": q.token, "policies": t.policies, "lease_duration": f.left(t), "renewable": true}}}
}

var (
	pathBlock = regexp.MustCompile(`(?s)path\s+"([^"]+)"\s*\{\s*capabilities\s*=\s*\[([^\]]*)\]\s*(allowed_parameters\s*=\s*\{[^}]*\}\s*)?\}`)
	quoted    = regexp.MustCompile(`"([^"]+)"`)
	parameter = regexp.MustCompile(`"([^"]+)"\s*=\s*\[([^\]]*)\]`)
)

// parse reads a policy of path blocks with capabilities and allowed_parameters,
// which is all we write.
func parse(policy string) (out []rule) {
	for _, m := range pathBlock.FindAllStringSubmatch(policy, -1) {
		r := rule{path: m[1]}
		for _, c := range quoted.FindAllStringSubmatch(m[2], -1) {
			r.caps = append(r.caps, c[1])
		}
		for _, p := range parameter.FindAllStringSubmatch(m[3], -1) {
			if r.only == nil {
				r.only = map[string]string{}
			}
			r.only[p[1]] = strings.Trim(p[2], `" `) // one value of each, which is all we write
		}
		out = append(out, r)
	}
	return out
}

// approle answers what an operator does with roles.
func (f *Fake) approle(q request, mount, rest string) answer {
	parts := strings.Split(rest, "/")
	if len(parts) < 2 || parts[0] != "role" {
		return fail(404, "unsupported path")
	}
	key := mount + parts[1]
	r := f.roles[key]
	switch {
	case len(parts) == 2 && q.method == http.MethodPost:
		ttl, _ := time.ParseDuration(q.text("token_ttl"))
		most, _ := time.ParseDuration(q.text("token_max_ttl"))
		f.roles[key] = &role{id: rand.Text(), policies: q.texts("token_policies"), ttl: ttl, max: most, secrets: map[string]bool{}}
		return empty
	case r == nil:
		return fail(404)
	case parts[2] == "role-id":
		return data(map[string]any{"role_id": r.id})
	case parts[2] == "secret-id" && len(parts) == 3:
		id := uuid()
		r.secrets[id] = true
		return data(map[string]any{"secret_id": id, "secret_id_accessor": uuid(), "secret_id_num_uses": 0, "secret_id_ttl": 0})
	case parts[2] == "secret-id" && parts[3] == "destroy":
		delete(r.secrets, q.text("secret_id"))
		return empty
	}
	return fail(404, "unsupported path")
}

func (f *Fake) login(q request, mount string) answer {
	for key, r := range f.roles {
		if !strings.HasPrefix(key, mount+"/") || r.id != q.text("role_id") {
			continue
		}
		if !r.secrets[q.text("secret_id")] {
			break
		}
		id, ttl, most := "hvs."+rand.Text(), r.ttl, r.max
		if ttl == 0 {
			ttl = time.Hour
		}
		if most == 0 {
			most = 24 * time.Hour
		}
		now := f.now()
		f.tokens[id] = &token{policies: append(slices.Clone(r.policies), "default"), ttl: ttl, ends: now.Add(min(ttl, most)), maxEnds: now.Add(most)}
		return answer{status: 200, body: map[string]any{"auth": map[string]any{"client_token": id, "policies": r.policies, "lease_duration": int64(min(ttl, most) / time.Second), "renewable": true}}}
	}
	return fail(400, "invalid role or secret ID")
}

// wrapped puts an answer behind a token that opens once.
func (f *Fake) wrapped(q request, a answer) answer {
	id := "hvs." + rand.Text()
	inside, _ := a.body["data"].(map[string]any)
	f.tokens[id] = &token{policies: []string{"response-wrapping"}, wraps: inside, made: q.path, ends: f.now().Add(q.wrap)}
	return answer{status: 200, body: map[string]any{"wrap_info": map[string]any{"token": id, "ttl": int64(q.wrap / time.Second), "creation_path": q.path, "creation_time": f.now().Format(time.RFC3339)}}}
}

func (f *Fake) unwrap(q request) answer {
	id := q.text("token")
	if id == "" {
		id = q.token
	}
	t := f.tokens[id]
	if t == nil || t.made == "" || !f.now().Before(t.ends) {
		return fail(400, "wrapping token is not valid or does not exist")
	}
	if q.path == "sys/wrapping/lookup" {
		return data(map[string]any{"creation_path": t.made, "creation_ttl": f.left(t)})
	}
	delete(f.tokens, id)
	return data(t.wraps)
}

// uuid looks as secret ids do.
func uuid() string {
	s := strings.ToLower(rand.Text() + rand.Text())
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:32]
}
