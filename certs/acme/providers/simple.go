package providers

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// httpreq hands the work to somebody's own web service.
type httpreq struct{ api *rest }

func openHTTPReq(f map[string]string, o Options) (writer, error) {
	api := &rest{base: f["endpoint"], client: o.http()}
	if f["username"] != "" || f["password"] != "" {
		api.sign = func(r *http.Request, _ []byte) { r.SetBasicAuth(f["username"], f["password"]) }
	}
	return httpreq{api}, nil
}

// message is its one message; names end in a dot.
type message struct {
	FQDN  string `json:"fqdn"`
	Value string `json:"value"`
}

func (h httpreq) add(ctx context.Context, r record) error {
	return h.api.do(ctx, http.MethodPost, "/present", nil, message{r.fqdn + ".", r.value}, nil)
}

func (h httpreq) remove(ctx context.Context, r record) error {
	return h.api.do(ctx, http.MethodPost, "/cleanup", nil, message{r.fqdn + ".", r.value}, nil)
}

// acmeDNS is one account of an acme-dns server, which keeps the two newest
// values of its one name and removes none.
type acmeDNS struct {
	api       *rest
	subdomain string
}

func openACMEDNS(f map[string]string, o Options) (writer, error) {
	sign := func(r *http.Request, _ []byte) {
		r.Header.Set("X-Api-User", f["username"])
		r.Header.Set("X-Api-Key", f["password"])
	}
	return acmeDNS{&rest{base: f["url"], client: o.http(), sign: sign}, f["subdomain"]}, nil
}

func (a acmeDNS) add(ctx context.Context, r record) error {
	if !strings.HasPrefix(r.fqdn, strings.ToLower(a.subdomain)+".") {
		return fmt.Errorf("the name leads to %s, which is not this account's: a CNAME to it is missing", r.fqdn)
	}
	return a.api.do(ctx, http.MethodPost, "/update", nil, map[string]string{"subdomain": a.subdomain, "txt": r.value}, nil)
}

func (a acmeDNS) remove(context.Context, record) error { return nil }
